"""Amplitude over aiohttp."""

from consumer.adapters.amplitude.client import AmplitudeClient, Timeouts
from consumer.adapters.amplitude.session import open_session
from consumer.adapters.amplitude.v2 import AmplitudeClientV2

__all__ = ["AmplitudeClient", "AmplitudeClientV2", "Timeouts", "open_session"]
