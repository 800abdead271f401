"""The coordinator's decisions: what a command, a result or the clock changes. Pure but for the draft it writes into."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

from consumer.discovery.draft import Draft
from consumer.discovery.inventory import Inventory, Window, merge
from consumer.discovery.results import Result
from consumer.domain.discovery.command import Caller, Order, OrderKind, caller, parse
from consumer.domain.discovery.discovery import Answer, Discovery, Stage, State, answer, begin, extended, over
from consumer.domain.discovery.outcome import Kind, ended, refusal, reply, step
from consumer.domain.discovery.planning import Policy, plan
from consumer.domain.errors import Poison, Reason, Refused
from consumer.domain.hours import Hour, newest_final
from consumer.domain.routing import MAX_HOPS, partition_of
from consumer.domain.subject import CommandId, OrgId, ProjectId
from consumer.requests import REROUTED, traceparent_of
from consumer.turn import Partition, Record, Reroute
from scanner.rules.model import RuleSet


@dataclass(frozen=True, slots=True)
class Conditions:
    """What the desk is told from outside. `slots` are the projects of the settings, each with the windows of it that
    may be exported at a time, asked anew for every record. `remember_ms`: how long an ended discovery is known."""

    slots: Callable[[], Mapping[ProjectId, int]]
    rules: RuleSet
    partitions: int
    policy: Policy = Policy()  # noqa: RUF009 (immutable)
    final_after_ms: int = 3 * 3_600_000
    remember_ms: int = 60 * 86_400_000


class DiscoveryDesk:
    """Decides drafts. `decode` gives the fields of a `DiscoveryCommand`, or raises `Poison` or `Deferred`."""

    def __init__(self, decode: Callable[[bytes | None], dict[str, Any]], conditions: Conditions) -> None:
        self._decode, self._conditions = decode, conditions

    def order(self, draft: Draft, topic: str, record: Record) -> None:
        """Take a record of the commands' topic: it is buried, sent where it belongs, or answered."""
        try:
            fields = self._decode(record.value)
            if self._rerouted(draft, record, fields["project"]):
                return
        except Poison as poison:
            draft.bury(topic, record, poison.reason)
            return
        to = caller(fields, traceparent_of(record))
        try:
            order = parse(fields, draft.now, to.traceparent)
            _Case(draft, record.partition, order, to, self._conditions).decide()
        except Refused as refused:
            new = fields["command"] == OrderKind.START and not _known(draft, record.partition, to)
            draft.outcomes.append((refusal if new else reply)(to, Stage.REFUSED, draft.now, reason=refused.reason))

    def _rerouted(self, draft: Draft, record: Record, project: str | None) -> bool:
        home = Partition(partition_of(OrgId(project or ""), self._conditions.partitions))
        if project is None or home == record.partition:
            return False
        if sum(name == REROUTED for name, _ in record.headers) >= MAX_HOPS:
            raise Poison(Reason.ROUTING_LOOP)
        draft.rerouted.append(Reroute(record, home))
        return True

    def result(self, draft: Draft, partition: Partition, result: Result) -> None:
        """Take a whole result. One about a window that is not issued is a repetition: it changes nothing."""
        discovery = draft.discovery(partition, (result.project, result.discovery_id))
        inventory = draft.inventory(partition, result.project)
        told = _judged(result, inventory)
        after = answer(discovery, told, draft.now) if discovery else None
        if discovery is None or after is None:
            draft.applied.append((result.project, "ignored"))
            return
        draft.applied.append((result.project, told.state))
        draft.issue(after, [window for window in after.issued if window not in discovery.issued])
        draft.put(partition, after)
        if told.state is State.SCANNED:
            after = self._merged(
                draft, partition, after, Window(told.span, result.tally, result.rules, result.fingerprints)
            )
        elif told.state is State.EMPTY:
            draft.put_inventory(partition, inventory.cover(told.span))
        _progressed(draft, partition, after)

    def _merged(self, draft: Draft, partition: Partition, discovery: Discovery, window: Window) -> Discovery:
        merged = merge(draft.inventory(partition, discovery.project), window, self._conditions.rules)
        draft.take_over(partition, merged)
        for change in merged.changes:
            discovery = draft.say(partition, discovery, Kind.FIELD, change)
        return discovery

    def tick(self, draft: Draft, partitions: Collection[Partition]) -> None:
        """Issue the windows that are due, and forget discoveries that ended long ago."""
        newest = newest_final(draft.now, self._conditions.final_after_ms)
        slots = self._conditions.slots()
        for partition in partitions:
            for discovery in draft.of_partition(partition):
                if discovery.ended is not None:
                    if draft.now - discovery.ended > self._conditions.remember_ms:
                        draft.discoveries[partition, (discovery.project, discovery.id)] = None
                elif discovery.project in slots:
                    self._plan(draft, partition, discovery, newest, slots[discovery.project])

    def _plan(self, draft: Draft, partition: Partition, discovery: Discovery, newest: Hour, slots: int) -> None:
        known = discovery
        if discovery.continuous:
            discovery = extended(discovery, newest, draft.taken(partition, discovery.project))
        discovery, windows = plan(discovery, slots, newest, self._conditions.policy, draft.now)
        if discovery != known:
            draft.put(partition, discovery)
            draft.issue(discovery, windows)


def _known(draft: Draft, partition: Partition, to: Caller) -> bool:
    if to.project is None or to.discovery_id is None:
        return False
    return draft.discovery(partition, (to.project, to.discovery_id)) is not None


def _judged(result: Result, inventory: Inventory) -> Answer:
    """Fingerprints of two keys cannot be counted together: what was made with another key is refused."""
    other = inventory.fingerprints and result.fingerprints != inventory.fingerprints
    if result.answer.state is State.SCANNED and other:
        return Answer(result.answer.span, State.REFUSED, Reason.FINGERPRINT_KEY_CHANGED)
    return result.answer


def _progressed(draft: Draft, partition: Partition, discovery: Discovery) -> None:
    """Say how far it is, when that is worth saying, and that it is done."""
    if ended(discovery) or discovery.stage is Stage.ACCEPTED:
        return
    if over(discovery):
        done = discovery._replace(stage=Stage.DONE, ended=draft.now)
        draft.say(partition, done, Kind.STAGE)
    elif discovery.told == 0:
        draft.say(partition, discovery._replace(told=1), Kind.STAGE)
    elif step(discovery) >= discovery.told:
        draft.say(partition, discovery._replace(told=step(discovery) + 1), Kind.PROGRESS)


@dataclass(frozen=True, slots=True)
class _Case:
    """One valid command. Raises `Refused`."""

    draft: Draft
    partition: Partition
    order: Order
    to: Caller
    conditions: Conditions

    def decide(self) -> None:
        """Carry it out, or answer it."""
        if self.order.project not in self.conditions.slots():
            raise Refused(Reason.UNKNOWN_PROJECT)
        known = self.draft.discovery(self.partition, (self.order.project, self.order.discovery_id))
        if known is not None and self.order.command_id in known.commands:
            self._answer(known, self.order.command_id)
        elif self.order.kind is OrderKind.CANCEL:
            self._cancel(known)
        elif known is None:
            self._start()
        elif known.body_digest != self.order.body_digest:
            raise Refused(Reason.CONFLICTING_DUPLICATE)
        else:
            self._answer(known, known.commands[0])

    def _answer(self, known: Discovery, duplicate_of: CommandId) -> None:
        self.draft.outcomes.append(reply(self.to, known.stage, self.draft.now, duplicate_of=duplicate_of))

    def _start(self) -> None:
        if self.order.restart:
            self._forget_inventory()
        taken = self.draft.taken(self.partition, self.order.project)
        newest = newest_final(self.draft.now, self.conditions.final_after_ms)
        fresh = self.draft.say(self.partition, begin(self.order, taken, newest, self.draft.now), Kind.STAGE)
        if over(fresh):
            self.draft.say(self.partition, fresh._replace(stage=Stage.DONE, ended=self.draft.now), Kind.STAGE)

    def _forget_inventory(self) -> None:
        """Begin anew: not while another discovery counts on what is there."""
        project, draft = self.order.project, self.draft
        if any(each.project == project and not ended(each) for each in draft.of_partition(self.partition)):
            raise Refused(Reason.STILL_OPEN)
        draft.forget(self.partition, project)

    def _cancel(self, known: Discovery | None) -> None:
        if known is None:
            raise Refused(Reason.UNKNOWN_DISCOVERY)
        if ended(known):
            raise Refused(Reason.ALREADY_ENDED)
        commands = (*known.commands, self.order.command_id)
        self.draft.say(
            self.partition, known._replace(commands=commands, stage=Stage.CANCELLED, ended=self.draft.now), Kind.STAGE
        )
