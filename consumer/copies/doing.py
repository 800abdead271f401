"""From a step to what is done: with which keys, at whose cost, and counted."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from consumer.copies.errands import Errands
from consumer.copies.ground import Ground
from consumer.copies.packing import Packing
from consumer.copies.purse import Fare
from consumer.copies.queues import Queue
from consumer.copies.steps import Kind, Step
from consumer.domain.copying import Source
from consumer.domain.entry import LedgerKey, RequestEntry
from consumer.domain.errors import CallFailed, Deferred, Fault, Reason
from consumer.domain.subject import ProjectId
from consumer.ports import Access
from consumer.trace_ports import on_behalf


class NoAccess(Deferred):
    """There are no keys for it now."""


_VERBS = {Kind.ASK: "DSAR_POST", Kind.POLL: "DSAR_GET", Kind.FETCH: "DSAR_OUTPUT"}


class Doing:
    """Of one org. `do` returns whether the step is finished, which only a look at a job may not be."""

    def __init__(self, ground: Ground, quiet: Callable[[LedgerKey], Awaitable[None]]) -> None:
        self._ground = ground
        self._packing = Packing(ground, quiet)
        self._errands = Errands(ground, self._packing)

    async def do(self, step: Step, entry: RequestEntry, queue: Queue, fare: Fare) -> bool:
        """Raises `NoAccess`, `CallFailed`, `LeaseLost`, `LinkFailed`, `StoreFailed`."""
        with on_behalf([entry.traceparent] if entry.traceparent else []):
            return await self._do(step, entry, queue, fare)

    async def _do(self, step: Step, entry: RequestEntry, queue: Queue, fare: Fare) -> bool:
        match step.kind:
            case Kind.CANCEL:
                await self._packing.cancel(entry)
            case Kind.EXPIRE:
                await self._packing.expire(entry)
            case Kind.PACK:
                await self._packing.close(entry)
            case Kind.BEGIN:
                await self._errands.begin(entry)
            case Kind.LOST:
                await self._errands.lost(entry, step.errand)
            case _ if entry.copy is not None and entry.copy.source is Source.ACTIVITY:
                await self._by_project(step, entry, queue)
            case _:
                return await self._by_org(step, entry, fare)
        return True

    async def _by_org(self, step: Step, entry: RequestEntry, fare: Fare) -> bool:
        access = self._ground.world.org_access(self._ground.org)
        if isinstance(access, Reason):
            raise NoAccess(access)
        answer, finished = "ok", True
        try:
            if step.kind is Kind.ASK:
                with self._ground.tenure.occupied():
                    await self._errands.ask(entry, step.errand, access, fare)
            elif step.kind is Kind.POLL:
                finished = await self._errands.poll(entry, step.errand, access, fare)
            else:
                await self._errands.fetch(entry, step.errand, step.output, access, fare)
        except CallFailed as failed:
            answer = failed.fault.value
            if failed.fault is not Fault.REJECTED:
                raise
            await self._errands.rejected(entry, step.errand)
        finally:
            self._count(access, _VERBS[step.kind], answer, fare)
        return finished

    async def _by_project(self, step: Step, entry: RequestEntry, queue: Queue) -> None:
        project = entry.copy.errands[step.errand].project if entry.copy else None
        access = self._ground.world.access(project or ProjectId(""))
        if isinstance(access, Reason):
            raise NoAccess(access)

        async def pay() -> Fare:
            return await queue.purse.turn(1)

        try:
            if step.kind is Kind.SEARCH:
                await self._errands.search(entry, step.errand, access, pay)
            else:
                await self._errands.page_through(entry, step.errand, step.output, access, pay)
        except CallFailed as failed:
            if failed.fault is not Fault.REJECTED:
                raise
            await self._errands.rejected(entry, step.errand)

    def _count(self, access: Access, verb: str, answer: str, fare: Fare) -> None:
        if fare.left_at is not None:
            took_s = self._ground.world.clock.monotonic() - fare.left_at
            self._ground.world.meter.called(access.project, verb, answer, took_s)
