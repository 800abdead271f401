"""One discovery: the hours it must answer for, which of them are being scanned, and what was said of the others.

Its own hours are those that nobody has scanned or is scanning in that project, so that every hour is counted once in
the inventory. They are issued as windows in their order, a few at a time, and each issued window is answered once: an
answer to a window that is not issued is a repetition, and changes nothing. That is all the idempotency there is.

The evidence is a SHA-256 chain over the answers in the order of the hours: whoever keeps the answers can show later
that these archives, and no others, were read.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import NamedTuple

from consumer.domain.discovery.command import DiscoveryId, Order
from consumer.domain.errors import Reason
from consumer.domain.hours import Hour, Span, Spans, count, joined, without
from consumer.domain.subject import CommandId, Millis, ProjectId

COMMANDS_KEPT = 16


class Stage(StrEnum):
    """How far it is."""

    ACCEPTED = "accepted"
    SCANNING = "scanning"
    DONE = "done"
    CANCELLED = "cancelled"
    REFUSED = "refused"


ENDS = frozenset({Stage.DONE, Stage.CANCELLED, Stage.REFUSED})


class State(StrEnum):
    """What became of a window."""

    SCANNED = "scanned"
    EMPTY = "empty"
    REFUSED = "refused"
    SPLIT = "split"


class Issued(NamedTuple):
    """A window that a worker is to scan, or scans. A slot has one owner, which scans one window after the other."""

    span: Span
    slot: int
    since: Millis


class Answered(NamedTuple):
    """A window with its line of the evidence, until all hours before it are answered, too."""

    span: Span
    line: str


class Answer(NamedTuple):
    """What a worker says of a window. `archive` is the archive's SHA-256, `account` the scanner's counters."""

    span: Span
    state: State
    reason: Reason | None = None
    archive: str = ""
    account: Mapping[str, int] = {}

    @property
    def line(self) -> str:
        """Its line of the evidence."""
        return f"{self.span.first} {self.span.last} {self.state} {self.reason or '-'} {self.archive or '-'}"


class Discovery(NamedTuple):
    """Frozen. `upto`: the last hour that was looked at for own hours; `planned`: the last own hour that was issued;
    `watermark`: all own hours up to it are answered and in the evidence. `length`: hours of the last window issued."""

    id: DiscoveryId
    project: ProjectId
    commands: tuple[CommandId, ...]
    first: Hour
    upto: Hour
    continuous: bool
    sample: float
    rules: str | None
    requested_by: str | None
    traceparent: str | None
    body_digest: bytes
    accepted: Millis
    own: Spans
    stage: Stage = Stage.ACCEPTED
    sequence: int = 0
    told: int = 0
    planned: Hour | None = None
    watermark: Hour | None = None
    issued: tuple[Issued, ...] = ()
    ahead: tuple[Answered, ...] = ()
    evidence: str = ""
    scanned: int = 0
    empty: int = 0
    refused: Mapping[Reason, int] = {}
    account: Mapping[str, int] = {}
    bytes_per_hour: float | None = None
    length: int = 0
    ended: Millis | None = None

    @property
    def total(self) -> int:
        """Hours asked for so far."""
        return self.upto - self.first + 1

    @property
    def answered(self) -> int:
        """Own hours with an answer."""
        return self.scanned + self.empty + sum(self.refused.values())

    @property
    def open(self) -> int:
        """Own hours without one."""
        return count(self.own) - self.answered

    @property
    def known(self) -> int:
        """Hours that were scanned before, or that another discovery scans."""
        return self.total - count(self.own)

    @property
    def unanswered(self) -> Spans:
        """Own hours without an answer: nobody else should scan them meanwhile."""
        done = [answered.span for answered in self.ahead]
        if self.watermark is not None:
            done.append(Span(self.first, self.watermark))
        return without(self.own, done)


def begin(order: Order, taken: Iterable[Span], newest: Hour, now: Millis) -> Discovery:
    """A discovery of the hours of the order that are not `taken`. `newest` is the newest hour that is final."""
    first = order.first if order.first is not None else newest
    upto = order.last if order.last is not None else Hour(first - 1)
    fresh = Discovery(
        id=order.discovery_id,
        project=order.project,
        commands=(order.command_id,),
        first=first,
        upto=Hour(first - 1),
        continuous=order.continuous,
        sample=order.sample,
        rules=order.rules,
        requested_by=order.requested_by,
        traceparent=order.traceparent,
        body_digest=order.body_digest,
        accepted=now,
        own=(),
    )
    return extended(fresh, max(upto, newest) if order.continuous else upto, taken)


def extended(discovery: Discovery, upto: Hour, taken: Iterable[Span]) -> Discovery:
    """The same, asked for the hours up to `upto` as well."""
    if upto <= discovery.upto:
        return discovery
    more = without([Span(Hour(discovery.upto + 1), upto)], taken)
    return discovery._replace(upto=upto, own=joined((*discovery.own, *more)))


def answer(discovery: Discovery, told: Answer, now: Millis) -> Discovery | None:
    """With a window answered; None if that window is not issued, as after a first answer. A split is two windows."""
    issued = next((each for each in discovery.issued if each.span == told.span), None)
    if issued is None:
        return None
    others = tuple(each for each in discovery.issued if each is not issued)
    if told.state is State.SPLIT:
        halves = tuple(Issued(half, issued.slot, now) for half in told.span.halves())
        return discovery._replace(issued=others + halves, length=max(1, told.span.hours // 2), bytes_per_hour=None)
    ahead = tuple(sorted((*discovery.ahead, Answered(told.span, told.line))))
    return _folded(_counted(discovery, told)._replace(issued=others, ahead=ahead))


def _counted(discovery: Discovery, told: Answer) -> Discovery:
    hours, account = told.span.hours, dict(discovery.account)
    for name, amount in told.account.items():
        account[name] = account.get(name, 0) + amount
    stage = Stage.SCANNING if discovery.stage is Stage.ACCEPTED else discovery.stage
    changed = discovery._replace(account=account, stage=stage)
    if told.state is State.REFUSED:
        reason = told.reason or Reason.UNAVAILABLE
        return changed._replace(refused={**discovery.refused, reason: discovery.refused.get(reason, 0) + hours})
    if told.state is State.EMPTY:
        return changed._replace(empty=discovery.empty + hours)
    weight = told.account.get("input_bytes", 0) / hours
    return changed._replace(scanned=discovery.scanned + hours, bytes_per_hour=weight)


def _folded(discovery: Discovery) -> Discovery:
    """Takes into the evidence what no unanswered hour stands before."""
    ahead, evidence, watermark = list(discovery.ahead), discovery.evidence, discovery.watermark
    while ahead and ahead[0].span.first == next_own(discovery.own, watermark):
        done = ahead.pop(0)
        evidence = hashlib.sha256(f"{evidence}\n{done.line}".encode()).hexdigest()
        watermark = done.span.last
    return discovery._replace(ahead=tuple(ahead), evidence=evidence, watermark=watermark)


def next_own(own: Spans, after: Hour | None) -> Hour | None:
    """The first own hour after that one, if there is one."""
    if after is None:
        return own[0].first if own else None
    for span in own:
        if span.last > after:
            return max(span.first, Hour(after + 1))
    return None


def over(discovery: Discovery) -> bool:
    """Whether every hour it was asked for has an answer, and no more will be asked for."""
    return not discovery.continuous and discovery.open == 0
