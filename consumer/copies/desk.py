"""One org's copies: which step of which copy goes next, when, and what a failure means for the others.

What can be done about a copy follows from its entry alone. A step that costs something waits for its purse, in the
order of its kind and then of the deadline. Losing the org (a rebalance, a kill) at any await is safe: a POST is
written ahead, every other step can be repeated, and what counts is what the ledger says.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial

from consumer.copies.doing import Doing, NoAccess
from consumer.copies.ground import Ground
from consumer.copies.purse import Fare
from consumer.copies.queues import Queue, Queues
from consumer.copies.steps import Kind, Step, steps_of
from consumer.copies.telling import Telling
from consumer.copy_ports import LinkFailed, StoreFailed
from consumer.domain.entry import LedgerKey, RequestEntry
from consumer.domain.errors import CallFailed, Fault, LeaseLost, Reason
from consumer.domain.ranking import Ranking
from consumer.lanes.bell import Bell
from consumer.ports import CopyReport

LEASE_CHECK_S = 0.1
UNCHANGED_S = 1.0
"""A step that was done and changed nothing comes again, but not at once."""


class OrgDesk:
    """`run` is its task; `crashed` is told of a bug in a step's task. Everything happens in the event loop."""

    def __init__(self, ground: Ground, crashed: Callable[[asyncio.Task[None]], None]) -> None:
        self._ground, self._policy, self._crashed = ground, ground.world.policy, crashed
        self._entries: dict[LedgerKey, RequestEntry] = {}
        self._steps: dict[LedgerKey, frozenset[Step]] = {}
        self._queues = Queues(ground)
        self._later: Ranking[Step] = Ranking()
        self._calendar: Ranking[Step] = Ranking()
        self._tries: dict[Step, int] = {}
        self._due: dict[Step, float] = {}
        self._under_way: dict[Step, asyncio.Task[None]] = {}
        self._jobs = 0
        self._clearing: dict[LedgerKey, asyncio.Task[None] | None] = {}
        self._doing, self._telling, self._bell = Doing(ground, self._quiet), Telling(ground), Bell()

    def changed(self, entry: RequestEntry) -> None:
        """The copy as it is now durable."""
        if entry.ended:
            self._entries.pop(entry.key, None)
        else:
            self._entries[entry.key] = entry
        self._reconsider(entry.key)
        self._bell.ring()

    def ring(self) -> None:
        """Something outside may have changed: the calendar, or the end of the tenure."""
        self._bell.ring()

    async def run(self) -> None:
        """Work until the tenure is over. Steps under way then still come home."""
        while not self._ground.tenure.over:
            await self._telling.say(self._entries)
            self._wake()
            await self._bell.rest(self._launch())

    def cancel(self) -> list[asyncio.Task[None]]:
        """Abandon what is under way."""
        for task in self._under_way.values():
            task.cancel()
        return list(self._under_way.values())

    def report(self) -> CopyReport:
        """What it is doing."""
        waiting = [entry for entry in self._entries.values() if entry.copy and entry.copy.package is None]
        purse = self._queues.org.purse
        return CopyReport(
            org=self._ground.org,
            waiting=len(waiting),
            oldest=min((entry.accepted for entry in waiting), default=None),
            in_flight=len(self._under_way),
            jobs=self._jobs,
            tokens=purse.tokens,
            circuit_open=purse.circuit_open,
            reason=self._telling.reason or purse.reason,
        )

    def _reconsider(self, key: LedgerKey) -> None:
        """Place what is to be done about the copy, and forget what no longer is."""
        entry = self._entries.get(key)
        wanted = frozenset(steps_of(entry)) if entry else frozenset()
        before = self._steps.pop(key, frozenset())
        self._jobs += _jobs(wanted) - _jobs(before)
        for step in before:
            self._withdraw(step)
            if step not in wanted:
                self._tries.pop(step, None)
                self._due.pop(step, None)
        if entry is None:
            return
        self._steps[key] = wanted
        for step in () if key in self._clearing else wanted:
            asking = step.kind is Kind.LOST and step._replace(kind=Kind.ASK) in self._under_way
            if step not in self._under_way and not asking:
                self._place(step, entry)

    async def _quiet(self, key: LedgerKey) -> None:
        """End every other step of the copy, and begin none before the one that asks for this has ended: nothing must
        be stored while the store is cleared."""
        self._clearing[key] = asyncio.current_task()
        others = [task for step, task in self._under_way.items() if step.key == key and task is not self._clearing[key]]
        for task in others:
            task.cancel()
        if others:
            await asyncio.wait(others)

    def _withdraw(self, step: Step) -> None:
        self._later.withdraw(step)
        self._calendar.withdraw(step)
        self._queues.of(step, self._entries.get(step.key)).ranking.withdraw(step)

    def _place(self, step: Step, entry: RequestEntry) -> None:
        if step.kind is Kind.EXPIRE and entry.copy and entry.copy.package and step not in self._due:
            self._calendar.put(step, entry.copy.package.kept_until)
            return
        if step.kind is Kind.POLL and step not in self._due:
            self._due[step] = self._ground.world.clock.monotonic() + self._poll_after_s(0)
        if self._due.get(step, 0.0) > self._ground.world.clock.monotonic():
            self._later.put(step, self._due[step])
        else:
            rank = (step.kind, entry.deadline, entry.accepted)
            self._queues.of(step, entry).ranking.put(step, rank)

    def _poll_after_s(self, tries: int) -> float:
        """Seconds until a job is looked at again: longer each time, and longer when there are many."""
        stretched = (self._jobs + 1) / (self._policy.poll_share * self._queues.org.purse.rate)
        own = min(self._policy.longest_poll_s, self._policy.first_poll_s * 2.0 ** min(tries, 16))
        return max(own, stretched)

    def _wake(self) -> None:
        """What was put off until now, on either clock."""
        world = self._ground.world
        while (at := self._later.least()) is not None and at <= world.clock.monotonic():
            self._enter(self._later.pop())
        while (day := self._calendar.least()) is not None and day <= world.clock.now():
            self._enter(self._calendar.pop())

    def _enter(self, step: Step | None) -> None:
        if step is not None and (entry := self._entries.get(step.key)) is not None:
            self._due[step] = float("-inf")
            self._place(step, entry)

    def _launch(self) -> float | None:
        """Start what may start; seconds until more may, None if only a change can tell."""
        now = self._ground.world.clock.monotonic()
        waits = [self._launch_from(queue) for queue in self._queues]
        if (at := self._later.least()) is not None:
            waits.append(max(0.0, at - now))
        return min((wait for wait in waits if wait is not None), default=None)

    def _launch_from(self, queue: Queue) -> float | None:
        while queue.in_flight < queue.most and (step := queue.ranking.first()) is not None:
            if step.kind is Kind.FETCH and (closed_s := self._queues.store.purse.wait_s(0)) > 0:
                queue.ranking.pop()
                self._put_off(step, closed_s)
                self._later.put(step, self._due[step])
                continue
            cost = queue.cost(step)
            if (wait_s := queue.purse.wait_s(cost)) > 0:
                return wait_s
            queue.ranking.pop()
            queue.in_flight += 1
            task = asyncio.create_task(self._carry_out(queue, step, queue.purse.fare(cost)))
            self._under_way[step] = task
            task.add_done_callback(partial(self._ended, queue, step))
        return None

    def _ended(self, queue: Queue, step: Step, task: asyncio.Task[None]) -> None:
        queue.in_flight -= 1
        self._under_way.pop(step, None)
        if self._clearing.get(step.key) is task:
            del self._clearing[step.key]
        self._crashed(task)
        self._reconsider(step.key)
        self._bell.ring()

    def _put_off(self, step: Step, wait_s: float) -> None:
        self._due[step] = self._ground.world.clock.monotonic() + wait_s

    async def _carry_out(self, queue: Queue, step: Step, fare: Fare) -> None:
        """Do the step; what it could not do is put off."""
        entry, began = self._entries.get(step.key), self._ground.world.clock.monotonic()
        if entry is None:
            fare.home()
            return
        try:
            finished = await self._doing.do(step, entry, queue, fare)
        except LeaseLost:
            self._put_off(step, LEASE_CHECK_S)
        except NoAccess as without:
            self._put_off(step, self._policy.access_check_s)
            self._telling.park(without.reason)
        except CallFailed as failed:
            self._call_failed(queue, failed, began)
        except (LinkFailed, StoreFailed) as failed:
            self._not_stored(step, failed, began)
        else:
            self._went_well(queue, step, entry, finished=finished)
        finally:
            fare.home()

    def _went_well(self, queue: Queue, step: Step, entry: RequestEntry, *, finished: bool) -> None:
        if step.kind in _TO_STORE if self._telling.reason is Reason.STORE_UNAVAILABLE else queue.paid:
            self._telling.leave()
        if queue.paid:
            queue.purse.succeeded()
        if step.kind in _TO_STORE:
            self._queues.store.purse.succeeded()
        self._tries[step] = tries = 0 if finished else self._tries.get(step, 0) + 1
        if not finished:
            self._put_off(step, self._poll_after_s(tries))
        elif self._entries.get(step.key) is entry:
            self._put_off(step, UNCHANGED_S)

    def _call_failed(self, queue: Queue, failed: CallFailed, began: float) -> None:
        queue.purse.failed(failed, began)
        if failed.fault is Fault.CREDENTIALS or queue.purse.circuit_open:
            self._telling.park(failed.reason)

    def _not_stored(self, step: Step, failed: LinkFailed | StoreFailed, began: float) -> None:
        tries = self._tries[step] = self._tries.get(step, 0) + 1
        self._put_off(step, self._policy.file_schedule.wait_s(tries, self._queues.random()))
        if isinstance(failed, StoreFailed):
            self._queues.store.purse.failed(failed, began)
            if self._queues.store.purse.circuit_open:
                self._telling.park(Reason.STORE_UNAVAILABLE)


def _jobs(steps: frozenset[Step]) -> int:
    return sum(step.kind is Kind.POLL for step in steps)


_TO_STORE = frozenset({Kind.FETCH, Kind.PACK, Kind.CANCEL, Kind.EXPIRE})
