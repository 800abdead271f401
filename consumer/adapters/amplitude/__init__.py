"""Amplitude over aiohttp."""
