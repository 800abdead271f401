"""What was stored about a person, added up event by event in bounded memory.

Events are a stranger's: any key may be absent, null or of another type, and nothing is ever raised. The same events in
the same order give the same account.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from heapq import heappush, heapreplace
from itertools import islice
from typing import Any, NamedTuple

from consumer.package.bounded import Bounded, Kind, Latest, Span, Spans
from consumer.package.brief import brief

MOST_RECENT = 200
NO_TYPE = "(no name)"
_LONGEST_NAME = 120
_LONGEST_ID = 256
_TIME = re.compile(
    r"[0-9]{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12][0-9]|3[01])[ T](?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]"
)
_SURROUNDINGS: tuple[str, ...] = (
    "user_id",
    "amplitude_id",
    "device_id",
    "idfa",
    "adid",
    "os_name",
    "os",
    "os_version",
    "device_type",
)
_SURROUNDINGS += ("device_family", "platform", "city", "region", "country", "ip_address", "version_name", "language")
_NOWHERE = ("", "", "")
_NONE: Mapping[str, Any] = {}


class Recent(NamedTuple):
    """One of the latest events; sorts by time, then by the order of coming. `properties`: the first few."""

    time: str
    number: int
    kind: str
    project: str
    properties: tuple[tuple[str, str], ...]
    more: int


class Account:
    """The sums over all events so far. Times are `YYYY-MM-DD HH:MM:SS`, UTC; an absent or null text is empty."""

    def __init__(self) -> None:
        self.all = Span()
        self.undated = 0
        self.located = 0
        self.projects: Spans[str] = Bounded(100, Span)
        self.months: Spans[str] = Bounded(600, Span)
        self.kinds: Bounded[str, Kind] = Bounded(200, Kind)
        self.user_properties: Bounded[str, Latest] = Bounded(200, Latest)
        self.user_ids: Spans[str] = Bounded(50, Span)
        self.amplitude_ids: Spans[str] = Bounded(50, Span)
        self.device_ids: Spans[str] = Bounded(50, Span)
        self.advertising_ids: Spans[str] = Bounded(50, Span)
        self.devices: Spans[tuple[str, ...]] = Bounded(50, Span)
        self.places: Spans[tuple[str, ...]] = Bounded(100, Span)
        self.addresses: Spans[str] = Bounded(100, Span)
        self.versions: Spans[str] = Bounded(50, Span)
        self.languages: Spans[str] = Bounded(50, Span)
        self._recent: list[Recent] = []
        self._surroundings: list[Any] = []
        self._spans: list[Span] = []

    def __repr__(self) -> str:
        return f"Account({self.all.count} events)"

    @property
    def recent(self) -> list[Recent]:
        """The latest events that say when they were, the last one first."""
        return sorted(self._recent, reverse=True)

    def add(self, event: Mapping[str, Any]) -> None:
        """Count one event in the shape of Amplitude's exports."""
        read = event.get
        time = _time(read("event_time"))
        project, name = _text(read("app"), _LONGEST_NAME), _text(read("event_type"), _LONGEST_NAME) or NO_TYPE
        self.all.add(time)
        self.projects.at(project).add(time)
        if time:
            self.months.at(time[:7]).add(time)
        else:
            self.undated += 1
        kind = self.kinds.at(name)
        kind.add(time)
        properties = _object(read("event_properties"))
        for label, value in properties.items():
            kind.properties.at(_text(label, _LONGEST_NAME)).add(value)
        for label, value in _object(read("user_properties")).items():
            self.user_properties.at(_text(label, _LONGEST_NAME)).add(value, time)
        if isinstance(event.get("location_lat"), float | int):
            self.located += 1
        for span in self._around(event):
            span.add(time)
        if time:
            self._remember(time, name, project, properties)

    def _around(self, event: Mapping[str, Any]) -> list[Span]:
        """The spans of whose, of what device and from where the event is: mostly those of the event before."""
        surroundings = [*map(event.get, _SURROUNDINGS)]
        if surroundings != self._surroundings:
            self._surroundings = surroundings
            self._spans = [*self._who(event), *self._where(event)]
        return self._spans

    def _who(self, event: Mapping[str, Any]) -> Iterator[Span]:
        for key, ids in (
            ("user_id", self.user_ids),
            ("amplitude_id", self.amplitude_ids),
            ("device_id", self.device_ids),
            ("idfa", self.advertising_ids),
            ("adid", self.advertising_ids),
        ):
            text = _text(event.get(key), _LONGEST_ID)
            if text:
                yield ids.at(text)

    def _where(self, event: Mapping[str, Any]) -> Iterator[Span]:
        read = event.get
        system = f"{_text(read('os_name') or read('os'), 40)} {_text(read('os_version'), 40)}".strip()
        device = (_text(read("device_type") or read("device_family"), 80), system, _text(read("platform"), 40))
        if device != _NOWHERE:
            yield self.devices.at(device)
        place = (_text(read("city"), 80), _text(read("region"), 80), _text(read("country"), 80))
        if place != _NOWHERE:
            yield self.places.at(place)
        for key, texts in (
            ("ip_address", self.addresses),
            ("version_name", self.versions),
            ("language", self.languages),
        ):
            text = _text(read(key), 80)
            if text:
                yield texts.at(text)

    def _remember(self, time: str, kind: str, project: str, properties: Mapping[str, Any]) -> None:
        recent = self._recent
        full = len(recent) >= MOST_RECENT
        if full and time < recent[0].time:
            return
        event = Recent(time, self.all.count, kind, project, *_few(properties))
        if full:
            heapreplace(recent, event)
        else:
            heappush(recent, event)


def _time(value: Any) -> str:
    """To the second, or empty."""
    if isinstance(value, str) and _TIME.match(value):
        return f"{value[:10]} {value[11:19]}"
    return ""


def _text(value: Any, most: int) -> str:
    if type(value) is str and len(value) <= most:
        return value
    return brief(value, most)


def _object(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else _NONE


def _few(properties: Mapping[str, Any], most: int = 6) -> tuple[tuple[tuple[str, str], ...], int]:
    """The first properties, shortened, and how many more there are."""
    few = [(_text(name, 40), _text(value, 60)) for name, value in islice(properties.items(), most)]
    return tuple(few), len(properties) - len(few)
