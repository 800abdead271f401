"""What a producer may ask of discovery, parsed once: an `Order` that exists is valid, everything else is `Refused`."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from enum import StrEnum
from typing import Any, NamedTuple, NewType

from consumer.domain.command import canonical
from consumer.domain.errors import Reason, Refused
from consumer.domain.hours import FIRST_HOUR, HOUR_MS, Hour, hour_of
from consumer.domain.subject import CommandId, Millis, ProjectId

DiscoveryId = NewType("DiscoveryId", str)

LONGEST_HOURS = 366 * 24


class OrderKind(StrEnum):
    """What to do."""

    START = "start"
    CANCEL = "cancel"


class Order(NamedTuple):
    """A valid command. `first` and `last` are upload hours, both inclusive; `last` is None where it never ends.

    `rules` is the digest of the rule set that must be used, if one was named.
    """

    kind: OrderKind
    command_id: CommandId
    discovery_id: DiscoveryId
    project: ProjectId
    first: Hour | None = None
    last: Hour | None = None
    continuous: bool = False
    sample: float = 1.0
    restart: bool = False
    rules: str | None = None
    requested_by: str | None = None
    traceparent: str | None = None
    body_digest: bytes = b""


class Caller(NamedTuple):
    """What an answer to a command refers to, valid command or not."""

    command_id: CommandId
    discovery_id: DiscoveryId | None
    project: ProjectId | None
    traceparent: str | None = None


def caller(fields: Mapping[str, Any], traceparent: str | None = None) -> Caller:
    """Read off any decoded `DiscoveryCommand`; never raises. A malformed id is left out: it could be anything."""
    found = canonical(fields["discovery_id"] or "")
    return Caller(fields["command_id"], DiscoveryId(found) if found else None, fields["project"], traceparent)


def parse(fields: Mapping[str, Any], now: Millis, traceparent: str | None = None) -> Order:
    """A decoded `DiscoveryCommand` record as an `Order`. Raises `Refused`; never quotes a value."""
    try:
        kind = OrderKind(fields["command"])
    except ValueError:
        raise Refused(Reason.CONTRADICTORY_COMMAND, "an unknown kind of command") from None
    if not (fields["command_id"] and fields["discovery_id"] and fields["project"]):
        raise Refused(Reason.MISSING_FIELD)
    about = caller(fields)
    if about.discovery_id is None or about.project is None:
        raise Refused(Reason.INVALID_REQUEST_ID)
    order = Order(kind, about.command_id, about.discovery_id, about.project, traceparent=traceparent)
    return _with_body(order, fields, now) if kind is OrderKind.START else order


def _with_body(order: Order, fields: Mapping[str, Any], now: Millis) -> Order:
    sample = float(fields["sample"])
    if not 0 < sample <= 1:
        raise Refused(Reason.INVALID_SAMPLE)
    first, last = _hour(fields["from_hour"]), _hour(fields["to_hour"])
    continuous = bool(fields["continuous"])
    if continuous and last is not None:
        raise Refused(Reason.CONTRADICTORY_COMMAND, "what never ends has no last hour")
    _check_window(first, last, continuous, hour_of(now))
    body = (first, last, continuous, sample, fields["restart"], fields["rules"])
    return order._replace(
        first=first,
        last=last,
        continuous=continuous,
        sample=sample,
        restart=bool(fields["restart"]),
        rules=fields["rules"] or None,
        requested_by=fields["requested_by"],
        body_digest=hashlib.sha256(repr(body).encode()).digest()[:16],
    )


def _hour(instant: int | None) -> Hour | None:
    if instant is None:
        return None
    if instant % HOUR_MS:
        raise Refused(Reason.INVALID_WINDOW, "not the start of an hour")
    return hour_of(Millis(instant))


def _check_window(first: Hour | None, last: Hour | None, continuous: bool, this_hour: Hour) -> None:
    if not continuous and (first is None or last is None):
        raise Refused(Reason.INVALID_WINDOW, "the first or the last hour is missing")
    start, end = first if first is not None else this_hour, last if last is not None else this_hour
    if not FIRST_HOUR <= start <= end <= this_hour:
        raise Refused(Reason.INVALID_WINDOW, "not between 2014-11-12 and now, or the wrong way round")
    if end - start >= LONGEST_HOURS:
        raise Refused(Reason.INVALID_WINDOW, "more than 366 days")
