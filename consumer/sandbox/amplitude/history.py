"""What the stand-in holds on one person: made-up events over the last months, the same whenever they are asked for.

Nothing is stored: a person's events follow from project, Amplitude ID and the day on which the world began.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from random import Random
from typing import Any
from zlib import crc32

from consumer.domain.deadline import at
from consumer.domain.hours import Hour, hour_of
from consumer.domain.subject import Millis
from consumer.sandbox.amplitude.events import made_up_event

MANY = 100_000
"""Events in a month above which Amplitude makes no copy."""


def app_number(app: str) -> int:
    """The number that a project's events carry: its own if it is one, else one by rule."""
    return int(app) if app.isdecimal() else 800_000 + crc32(app.encode()) % 100_000


class History:
    """`events` of each person over `months`, ending when the world began."""

    def __init__(self, began: Millis, events: int, months: int, heavy_prefix: str) -> None:
        self._began, self._events, self._span = at(began), events, timedelta(days=30 * months)
        self._heavy_prefix = heavy_prefix

    def too_many(self, user_id: str | None) -> bool:
        """Whether the person has more events in a month than Amplitude copies."""
        return user_id is not None and user_id.startswith(self._heavy_prefix)

    def of(self, app: str, amplitude_id: int, user_id: str | None) -> Iterator[dict[str, Any]]:
        """The person's events, the earliest first."""
        for number in range(self._events):
            moment = self._began - self._span * (self._events - number) / (self._events + 1)
            yield self._event(app, amplitude_id, user_id, number, moment)

    def _event(self, app: str, amplitude_id: int, user_id: str | None, number: int, moment: datetime) -> dict[str, Any]:
        dice = Random(f"{app}/{amplitude_id}/{number}")
        event = made_up_event(dice, app, Hour(hour_of(Millis(int(moment.timestamp() * 1000)))), number)
        written = moment.strftime("%Y-%m-%d %H:%M:%S.%f")
        times = ("client_event_time", "client_upload_time", "event_time", "server_received_time", "server_upload_time")
        device = Random(amplitude_id).choice(("iPhone 15", "Pixel 8", "Galaxy S24"))
        return (
            event
            | dict.fromkeys((*times, "processed_time"), written)
            | {"amplitude_id": amplitude_id, "user_id": user_id, "device_type": device, "device_family": device}
            | {"device_id": f"device-{amplitude_id}", "app": app_number(app)}
        )
