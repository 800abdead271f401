"""Made-up events in the shape of Amplitude's exports, and the truth about what was planted in them.

Deterministic: the same project, hour, seed and number give the same events in every process. The truth is counted as
the events are made, and owes nothing to the scanner. Shape: 55 keys on every line, as two integrations recorded them.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from random import Random
from typing import Any, NamedTuple

from consumer.domain.hours import Hour

EVENT_TYPES = ("page_viewed", "signup_completed", "checkout_started", "support_contacted", "item_added", "search")
FIRST = ("anna", "ben", "chloe", "dario", "elif", "farid", "grace", "hugo", "ines", "jonas", "kira", "liam")
LAST = ("keller", "novak", "rossi", "santos", "tanaka", "weber", "young", "zhou", "brandt", "costa", "dubois")
_NULLS: tuple[str, ...] = ("$insert_key", "$schema", "adid", "amplitude_attribution_ids", "amplitude_event_type")
_NULLS += ("device_brand", "device_manufacturer", "dma", "global_user_properties", "idfa", "partner_id", "paying")
_NULLS += ("sample_rate",)


class Place(NamedTuple):
    """Where something was planted."""

    event_type: str
    path: str
    data_type: str


@dataclass(slots=True)
class Truth:
    """Events by what they hold: planted data types, and fields that hold anything."""

    planted: Counter[Place] = field(default_factory=Counter)
    seen: Counter[tuple[str, str]] = field(default_factory=Counter)
    events: int = 0
    text_bytes: int = 0

    def add(self, other: Truth) -> None:
        """Count another hour, too."""
        self.planted += other.planted
        self.seen += other.seen
        self.events += other.events
        self.text_bytes += other.text_bytes


def made_up(app: str, hour: Hour, count: int, seed: int = 0) -> tuple[list[bytes], Truth]:
    """So many events of one upload hour as lines, each with its newline, and the truth about them."""
    dice, truth = Random(f"{seed}/{app}/{hour}"), Truth()
    lines = []
    for number in range(count):
        event, planted = _event(dice, app, hour, number)
        event_type = event["event_type"]
        lines.append(json.dumps(event, separators=(",", ":"), ensure_ascii=False, sort_keys=True).encode() + b"\n")
        truth.planted.update({Place(event_type, path, data_type) for path, data_type in planted})
        truth.seen.update({(event_type, path) for path in set(_filled(event, ""))})
        truth.events += 1
    truth.text_bytes = sum(map(len, lines))
    return lines, truth


def made_up_event(dice: Random, app: str, hour: Hour, number: int) -> dict[str, Any]:
    """One event of somebody, as the dice fall."""
    return _event(dice, app, hour, number)[0]


def _event(dice: Random, app: str, hour: Hour, number: int) -> tuple[dict[str, Any], set[tuple[str, str]]]:
    event_type = dice.choice(EVENT_TYPES)
    who = dice.randrange(2_000)
    time = datetime.fromtimestamp(hour * 3600 + dice.randrange(3600), UTC).strftime("%Y-%m-%d %H:%M:%S.000000")
    properties, planted = _properties(dice, event_type)
    event: dict[str, Any] = dict.fromkeys(_NULLS)
    event |= dict.fromkeys(("client_event_time", "client_upload_time", "event_time", "processed_time"), time)
    event |= dict.fromkeys(("server_received_time", "server_upload_time"), time)
    event |= {
        "$insert_id": _hex(dice, 32),
        "amplitude_id": 1_610_000_000_000 + who,
        "app": int(app) if app.isdigit() else 0,
        "city": dice.choice(("Lyon", "Graz", "Porto", "Turku")),
        "country": "Portugal",
        "data": {"path": "/2/httpapi", "group_first_event": {}, "group_ids": {}},
        "data_type": "event",
        "device_carrier": None,
        "device_family": "Example Phone",
        "device_id": _uuid(dice),
        "device_model": "Phone 9",
        "device_type": "Example Phone 9",
        "event_id": number,
        "event_properties": properties,
        "event_type": event_type,
        "group_properties": {},
        "groups": {},
        "ip_address": f"203.0.113.{who % 250 + 1}",
        "is_attribution_event": False,
        "language": "English",
        "library": dice.choice(("http/2.0", "amplitude-ts/2.9.0")),
        "location_lat": None,
        "location_lng": None,
        "os_name": "ios",
        "os_version": "17.5",
        "plan": {},
        "platform": "iOS",
        "region": None,
        "session_id": -1,
        "source_id": "",
        "start_version": "1.0.0",
        "user_creation_time": None,
        "user_id": f"u-{who:05}",
        "user_properties": {"tier": dice.choice(("free", "gold")), "logins": dice.randrange(90)},
        "uuid": _uuid(dice),
        "version_name": dice.choice(("4.1.0", "4.2.0")),
    }
    return event, planted


def _properties(dice: Random, event_type: str) -> tuple[dict[str, Any], set[tuple[str, str]]]:
    """The properties of one event, and what of personal data stands in them, by path."""
    properties: dict[str, Any] = {
        "page": f"/p/{dice.randrange(400)}",
        "order": f"ord_{dice.randrange(99_999)}",
        "tags": ["a", "b"],
    }
    planted: set[tuple[str, str]] = set()

    def plant(name: str, value: str, data_type: str) -> None:
        properties[name] = value
        planted.add((f"/event_properties/{name}", data_type))

    if event_type == "signup_completed" and dice.random() < 0.6:
        plant("email", _email(dice), "EMAIL")
    if event_type == "support_contacted" and dice.random() < 0.3:
        plant("message", f"please write to {_email(dice)} about it", "EMAIL")
    elif event_type == "support_contacted":
        properties["message"] = "it does not load since yesterday"
    if event_type == "checkout_started" and dice.random() < 0.4:
        plant("iban", _iban(dice), "IBAN")
    if event_type == "checkout_started" and dice.random() < 0.2:
        plant("card_number", _card(dice), "CREDIT_CARD")
    return properties, planted


def _email(dice: Random) -> str:
    return f"{dice.choice(FIRST)}.{dice.choice(LAST)}{dice.randrange(100)}@example.com"


def _iban(dice: Random) -> str:
    """A German one, with its check digits (ISO 13616)."""
    account = "".join(str(dice.randrange(10)) for _ in range(18))
    return f"DE{98 - int(account + '131400') % 97:02}{account}"


def _card(dice: Random) -> str:
    """Sixteen digits with Luhn's check digit."""
    digits = [4, *(dice.randrange(10) for _ in range(14))]
    doubled = [digit * 2 - 9 * (digit > 4) if place % 2 == 0 else digit for place, digit in enumerate(digits)]
    return "".join(map(str, [*digits, -sum(doubled) % 10]))


def _hex(dice: Random, size: int) -> str:
    return "".join(dice.choice("0123456789abcdef") for _ in range(size))


def _uuid(dice: Random) -> str:
    text = _hex(dice, 32)
    return f"{text[:8]}-{text[8:12]}-4{text[13:16]}-a{text[17:20]}-{text[20:]}"


def _filled(value: Any, path: str) -> Iterator[str]:
    """The paths of the fields that hold a number or a text that is not empty."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from _filled(inner, f"{path}/{name}")
    elif isinstance(value, list):
        for inner in value:
            yield from _filled(inner, f"{path}/*")
    elif isinstance(value, str | int | float) and not isinstance(value, bool) and value != "":
        yield path
