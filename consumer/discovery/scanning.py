"""The worker: one window, from the Export API through the scanner to its result, or the time to try again.

Nothing is stored: what arrives is scanned as it arrives, and the scanner's pace is the socket's. What fails is tried
again; what fails three times is halved, and a single hour is then refused with the reason.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import replace
from typing import NamedTuple, Protocol

from consumer.discovery.draft import Task
from consumer.discovery.results import Result
from consumer.domain.discovery.discovery import Answer, State
from consumer.domain.errors import CallFailed, Fault, Reason
from consumer.domain.retry import SCHEDULES, Schedule
from consumer.domain.subject import ProjectId
from consumer.ports import Absence, Access, Archive, Clock, Export
from scanner.errors import Fault as ScanFault
from scanner.errors import Stopped
from scanner.ports import Scanned
from scanner.report.model import unaccounted

MOST_FAILURES = 3
LOOK_AGAIN_S = 30.0
"""Until settings are looked at again for keys that are missing."""

HARMLESS = frozenset({ScanFault.OVERSIZED_LINE, ScanFault.WRONG_TYPE})
"""Left unread on purpose, and counted. Anything else means that an archive is damaged."""


class Scanner(Protocol):
    """What scans an archive as it arrives."""

    @property
    def rules(self) -> str:
        """Digest of the rule set."""
        ...

    @property
    def key(self) -> str:
        """Name of the key of the fingerprints."""
        ...

    @property
    def engine(self) -> str:
        """Which engine it is."""
        ...

    async def scan(
        self, chunks: AsyncIterator[bytes], *, sample: float = 1.0, progress: Callable[[int, int], None]
    ) -> Scanned:
        """Scan one zip, read no faster than scanned. `Stopped` if the scanner died; what `chunks` raises passes."""
        ...


class ScanMeter(Protocol):
    """Where the worker counts. Never blocks, never raises."""

    def moved(self, project: ProjectId, input_bytes: int, text_bytes: int) -> None:
        """So much more was read of an archive, and scanned of its text."""
        ...

    def failed(self, project: ProjectId, reason: Reason) -> None:
        """A window could not be scanned this time."""
        ...

    def finished(self, result: Result, lost: int) -> None:
        """A window has its result; `lost` bytes are unaccounted for, which is a bug unless it is 0."""
        ...


class Later(NamedTuple):
    """Not now: try again after so many seconds."""

    seconds: float
    reason: Reason


class Scanning:
    """Belongs to one event loop. `access` says where and as whom a project is called, or why it cannot be; `schedules`
    when a failed call is tried again."""

    def __init__(
        self,
        export: Export,
        access: Callable[[ProjectId], Access | Reason],
        scanner: Scanner,
        clock: Clock,
        meter: ScanMeter,
        *,
        schedules: Mapping[Fault, Schedule] = SCHEDULES,
    ) -> None:
        self._schedules = schedules
        self._export, self._access, self._scanner = export, access, scanner
        self._clock, self._meter = clock, meter
        self._failures: dict[str, Counter[Reason]] = {}

    async def scan(self, task: Task) -> Result | Later:
        """Scan the window of the task. Cancelling it closes the connection at once."""
        began = self._clock.monotonic()
        told = await self._tried(task)
        if isinstance(told, Later):
            self._meter.failed(task.project, told.reason)
            return told
        self._failures.pop(task.task_id, None)
        told = replace(told, seconds=self._clock.monotonic() - began)
        self._meter.finished(told, unaccounted(told.answer.account))
        return told

    async def _tried(self, task: Task) -> Result | Later:
        if task.rules and task.rules != self._scanner.rules:
            return self._answer(task, State.REFUSED, Reason.RULES_DIFFER)
        access = self._access(task.project)
        if access is Reason.PROJECT_REMOVED:
            return self._answer(task, State.REFUSED, access)
        if isinstance(access, Reason):
            return Later(LOOK_AGAIN_S, access)
        return await self._exported(task, access)

    async def _exported(self, task: Task, access: Access) -> Result | Later:
        try:
            async with self._export.archive(access, task.span.first, task.span.last) as found:
                return await self._scanned(task, found) if isinstance(found, Archive) else self._absent(task, found)
        except CallFailed as failure:
            return self._after(task, failure)
        except Stopped:
            return self._again(task, Reason.SCANNER_FAILED)

    async def _scanned(self, task: Task, archive: Archive) -> Result | Later:
        def moved(input_bytes: int, text_bytes: int) -> None:
            self._meter.moved(task.project, input_bytes, text_bytes)

        scanned = await self._scanner.scan(archive.chunks, sample=task.sample, progress=moved)
        faults = {incident.fault for incident in scanned.incidents} - HARMLESS
        if faults:
            reason = Reason.NOT_AN_ARCHIVE if faults == {ScanFault.NOT_AN_ARCHIVE} else Reason.ARCHIVE_DAMAGED
            return self._again(task, reason)
        summary = scanned.summary
        digest = min(summary.sources, default="")
        answer = Answer(task.span, State.SCANNED, None, digest, summary.tally.account)
        result = self._result(task, answer)
        return replace(result, tally=replace(summary.tally, account={}), rules=summary.rules, fingerprints=summary.key)

    def _absent(self, task: Task, absence: Absence) -> Result:
        if absence is Absence.EMPTY:
            return self._answer(task, State.EMPTY)
        if task.span.hours > 1:
            return self._answer(task, State.SPLIT, Reason.WINDOW_TOO_LARGE)
        return self._answer(task, State.REFUSED, Reason.WINDOW_TOO_LARGE)

    def _after(self, task: Task, failure: CallFailed) -> Result | Later:
        if failure.fault is Fault.REJECTED:
            return self._answer(task, State.REFUSED, Reason.REJECTED_BY_AMPLITUDE)
        if failure.reason is Reason.NOT_AN_ARCHIVE:
            return self._again(task, failure.reason)
        return self._later(task, failure.reason, failure.fault, failure.retry_after_s)

    def _again(self, task: Task, reason: Reason) -> Result | Later:
        """A few times; then in halves, so that one bad hour does not cost the others; then not at all."""
        if self._failures.get(task.task_id, Counter())[reason] + 1 < MOST_FAILURES:
            return self._later(task, reason, Fault.LOST)
        return self._answer(task, State.SPLIT if task.span.hours > 1 else State.REFUSED, reason)

    def _later(self, task: Task, reason: Reason, fault: Fault, hint_s: float | None = None) -> Later:
        failures = self._failures.setdefault(task.task_id, Counter())
        failures[reason] += 1
        jitter = random.random()
        return Later(self._schedules[fault].wait_s(failures.total(), jitter, hint_s), reason)

    def _answer(self, task: Task, state: State, reason: Reason | None = None) -> Result:
        return self._result(task, Answer(task.span, state, reason))

    def _result(self, task: Task, answer: Answer) -> Result:
        return Result(
            task.task_id,
            task.discovery_id,
            task.project,
            task.slot,
            answer,
            rules=self._scanner.rules,
            fingerprints=self._scanner.key,
            engine=self._scanner.engine,
        )
