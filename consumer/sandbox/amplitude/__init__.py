"""The pocket Amplitude: a stand-in server with Amplitude's rules, limits and oddities. Ships, for everybody's tests."""

from consumer.sandbox.amplitude.faults import Fault, Kind
from consumer.sandbox.amplitude.knobs import Knobs
from consumer.sandbox.amplitude.server import PocketAmplitude
from consumer.sandbox.amplitude.thread import PocketThread

__all__ = ["Fault", "Kind", "Knobs", "PocketAmplitude", "PocketThread"]
