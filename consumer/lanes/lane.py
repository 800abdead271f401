"""One project's calls to Amplitude: which kind goes next, when, and what a failure means for the others.

Several calls may be in flight, and only the event loop's task of the lane lets them leave, one after the other: it
prepares the next one while it waits for the slot, so that the slot is used the moment it opens. Losing the lane (a
rebalance, a kill) at any await is safe: what a call may do is written ahead of it, and what it did is decided on the
entries as they then are.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from consumer.domain.entry import RequestEntry
from consumer.domain.errors import CallFailed, Fault, LeaseLost, Reason
from consumer.domain.project import ProjectState
from consumer.domain.subject import Millis
from consumer.lanes.batches import Batches
from consumer.lanes.ground import Call, Ground
from consumer.lanes.lists import Lists
from consumer.lanes.pacer import Departure, Pacer
from consumer.lanes.parking import WITHOUT_KEYS, Parking
from consumer.lanes.revocations import Revocations
from consumer.ports import Access, LaneReport

LEASE_CHECK_S = 0.1
"""A lane whose lease is in doubt looks again so often."""


class Lane:
    """`run` is its task. `alarm` has the bell rung at a calendar time; `crashed` is told of a bug in a call's task."""

    def __init__(
        self,
        ground: Ground,
        pacer: Pacer,
        access: Callable[[], Access | Reason],
        alarm: Callable[[Millis | None], None],
        crashed: Callable[[asyncio.Task[None]], None],
    ) -> None:
        self.ground, self._pacer, self._access, self._alarm, self._crashed = ground, pacer, access, alarm, crashed
        self._batches = Batches(ground)
        self.lists = Lists(ground, self._batches)
        self._revocations = Revocations(ground, self.lists, self._batches)
        self._parking = Parking(ground)
        self._calls: set[asyncio.Task[None]] = set()
        self._turns: list[Callable[[], Call | None]] = [
            self.lists.due,
            self._revocations.due,
            lambda: self._batches.due(self._revocations.asks),
        ]

    def changed(self, entry: RequestEntry) -> None:
        """The request as it is now durable. Only what a lane can do something about is kept."""
        self.lists.watching = self.lists.watching or any(i.jobs and not i.ended for i in entry.identities)
        self.ground.backlog.put(entry)
        if entry.key in self.ground.backlog:
            self._parking.joined(entry)
        self.ground.bell.ring()

    def project_changed(self, state: ProjectState) -> None:
        """The project as it is now durable."""
        self.ground.state = state
        self.ground.bell.ring()

    async def run(self) -> None:
        """Work until the tenure is over. Calls in flight then still come home."""
        while not self.ground.tenure.over:
            await self._parking.say()
            now, wait_s = self.ground.clock.now(), self._pacer.wait_s() - self._lead_s
            if self._pacer.on_trial or len(self._calls) >= self.ground.policy.most_in_flight:
                await self.ground.bell.rest(None)  # the end of a call rings
            elif wait_s > 0:
                await self.ground.bell.rest(wait_s)
            elif (call := self._next()) is not None:
                await self._make(call)
            else:
                self._set_alarm(now)
                await self.ground.bell.rest(self._idle_s())

    @property
    def _lead_s(self) -> float:
        """How long before its slot a call is chosen and prepared: enough for a commit. Not earlier, so that what is
        written ahead does not wait for long, and so that planning does not hold up the call that has just left."""
        return self.ground.policy.least_interval_s / 2

    def _next(self) -> Call | None:
        """The call that is due, of the kind whose turn was the longest ago: a flood of cancels takes half the slots
        beside a flood of requests, and so do the requests."""
        for due in self._turns:
            if call := due():
                self._turns.remove(due)
                self._turns.append(due)
                return call
        return None

    def _idle_s(self) -> float | None:
        """How long to rest without a call to make. A lane without keys looks for them, to say when they are back."""
        if self._parking.reason not in WITHOUT_KEYS:
            return self._batches.linger_s()
        if not isinstance(self._access(), Reason):
            self._parking.leave()
            return 0.0
        return self.ground.policy.access_check_s

    def _set_alarm(self, now: Millis) -> None:
        """What was due at `now` was looked at; what comes later must wake the lane."""
        times = (self.lists.polls_at, self.ground.backlog.next_release)
        self._alarm(min((at for at in times if at is not None and at > now), default=None))

    async def _make(self, call: Call) -> None:
        """Prepare the call, wait for its slot, and see it off."""
        access = self._access()
        if isinstance(access, Reason):
            call.abandon()
            self._parking.park(access)
            self._pacer.postponed(self.ground.policy.access_check_s)
            return
        self._parking.leave(WITHOUT_KEYS)
        with self.ground.tenure.occupied():
            if not await call.prepare():
                return
            departure = await self._pacer.slot(self.ground.policy.least_interval_s, self.ground.bell)
            if departure is None:
                await self._stay(call)
                return
            task = asyncio.create_task(self._carry_out(call, access, departure))
            self._calls.add(task)
            task.add_done_callback(self._ended)
            await departure.passed.wait()

    async def _stay(self, call: Call) -> None:
        self._pacer.postponed(LEASE_CHECK_S)
        await call.unsent()

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._calls.discard(task)
        self._crashed(task)
        self.ground.bell.ring()

    async def _carry_out(self, call: Call, access: Access, departure: Departure) -> None:
        with self.ground.tenure.occupied():
            try:
                await call.ask(access, departure.gate)
            except LeaseLost:
                self._pacer.home(departure)
                await self._stay(call)
            except CallFailed as failed:
                self._pacer.home(departure)
                self._count(call, departure, failed.fault)
                self._failed(call, departure, failed)
                await call.failed(failed.fault)
            else:
                self._pacer.home(departure)
                self._count(call, departure, "ok")
                self._pacer.succeeded()
                self._parking.leave()
                await call.settle()

    def _count(self, call: Call, departure: Departure, answer: str) -> None:
        if departure.left_at is not None:
            took_s = self.ground.clock.monotonic() - departure.left_at
            self.ground.meter.called(self.ground.project, call.verb, answer, took_s)

    def _failed(self, call: Call, departure: Departure, failed: CallFailed) -> None:
        """A rejected batch waits for nothing: it is split or given up. Any other failure keeps the lane back, and is
        said when the keys are to blame or when it will take long."""
        if failed.fault is Fault.REJECTED:
            if call.verb == "POST":
                return
            failed = CallFailed(Fault.LOST, Reason.UNAVAILABLE, failed.status)
        self._pacer.failed(departure, failed)
        if failed.fault is Fault.CREDENTIALS or self._pacer.circuit_open:
            self._parking.park(failed.reason)

    def report(self) -> LaneReport:
        """What it is doing."""
        backlog, paused = self.ground.backlog, Reason.PAUSED if self.ground.state.paused else None
        return LaneReport(
            project=self.ground.project,
            waiting=len(backlog),
            oldest=backlog.oldest,
            in_flight=self._pacer.in_flight,
            interval_s=self._pacer.interval_s,
            circuit_open=self._pacer.circuit_open,
            reason=self._parking.reason or paused or self._pacer.reason,
        )

    def cancel(self) -> list[asyncio.Task[None]]:
        """Abandon the calls in flight."""
        for task in self._calls:
            task.cancel()
        return list(self._calls)
