"""Stand-ins for Amplitude in tests: `FakePrivacy` in memory, and `RawServer`, a socket that says what it is told.

`FakePrivacy` runs on the same job book and calendar as the pocket Amplitude, without HTTP, limits or keys. It passes
the contract suite of the `Privacy` port.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from typing import Self, TypeVar, cast

from consumer.domain.deadline import day_of
from consumer.domain.errors import CallFailed, Fault, Reason
from consumer.domain.jobs import Job, JobMember, Revocation, ScheduleCall, ScheduleReply
from consumer.domain.subject import AmplitudeId, Day, OrgId, ProjectId, Secret, Subject
from consumer.ports import Access, Clock, CredentialVerdict, Gate, KeyPair, Region
from consumer.sandbox.amplitude import calendar
from consumer.sandbox.amplitude.book import Entry, JobBook, JobView
from consumer.sandbox.amplitude.people import People

T = TypeVar("T")

REASONS: dict[Fault, tuple[Reason, int]] = {
    Fault.CREDENTIALS: (Reason.CREDENTIALS_REFUSED, 403),
    Fault.THROTTLED: (Reason.THROTTLED, 429),
    Fault.UNREACHABLE: (Reason.UNAVAILABLE, 0),
    Fault.REJECTED: (Reason.REJECTED_BY_AMPLITUDE, 400),
    Fault.LOST: (Reason.UNAVAILABLE, 0),
}


@dataclass(frozen=True, slots=True)
class Plan:
    """What one of the next calls does. Without a fault it succeeds, with the twists that are named here."""

    fault: Fault | None = None
    applied: bool = False  # only with LOST: the server did it, the answer is lost
    method: str | None = None  # POST, GET or DELETE; None: any
    project: str | None = None
    retry_after_s: float | None = None
    status: int | None = None
    stored_requester: Callable[[str], str] | None = None  # what the server makes of the marker
    omit_user_ids: bool = False
    until: asyncio.Event | None = None  # the answer waits for this, after the call has left and been applied


@dataclass(frozen=True, slots=True)
class CallSeen:
    """One call that was made. `left` is False if the gate stopped it or there was no connection."""

    method: str
    project: ProjectId
    user_ids: tuple[str, ...] = ()
    amplitude_ids: tuple[int, ...] = ()
    requester: str = ""
    days: tuple[Day, ...] = ()
    left: bool = False
    applied: bool = False


@dataclass
class FakePrivacy:
    """Implements `Privacy` and `Credentials`. Users exist unless they start with `ghost-`; `several-` have two ids.

    `plans` is consumed front to back, the first that fits a call; `calls` records every call in order.
    """

    clock: Clock
    lead_days: int = 12
    people: People = field(default_factory=People)
    plans: list[Plan] = field(default_factory=list)
    calls: list[CallSeen] = field(default_factory=list)
    refused: set[str] = field(default_factory=set)  # projects whose keys are wrong

    def __post_init__(self) -> None:
        self.book = JobBook(self.people, self.lead_days)

    def fail(self, fault: Fault, *, times: int = 1, applied: bool = False, method: str | None = None) -> None:
        """Let the next calls fail."""
        self.plans += [Plan(fault, applied, method)] * times

    def posts(self) -> list[CallSeen]:
        """The POSTs that left."""
        return [call for call in self.calls if call.method == "POST" and call.left]

    def times_sent(self) -> Counter[str]:
        """How often each user id was in a POST that left."""
        return Counter(user for call in self.posts() for user in call.user_ids)

    async def schedule(self, access: Access, call: ScheduleCall, gate: Gate) -> ScheduleReply:
        """As the port says. More than 100 ids or none is a bug of the caller: ValueError."""
        if not 0 < len(call) <= 100:
            raise ValueError("a call carries 1 to 100 ids")
        seen = CallSeen(
            "POST",
            access.project,
            tuple(subject.reveal() for subject in call.user_ids),
            tuple(int(one) for one in call.amplitude_ids),
            call.requester,
        )
        plan = self._plan(seen)

        def apply() -> ScheduleReply:
            requester = plan.stored_requester(call.requester) if plan.stored_requester else call.requester
            done = self.book.schedule(access.project, self._today(), seen.user_ids, seen.amplitude_ids, requester)
            if done.job is None:
                return ScheduleReply()
            return ScheduleReply((_job(done.job, not plan.omit_user_ids),), frozenset(map(str, done.invalid)))

        return await self._run(seen, plan, gate, apply)

    async def jobs(self, access: Access, start: Day, end: Day, gate: Gate) -> list[Job]:
        """As the port says; a range of more than six months is rejected."""
        seen = CallSeen("GET", access.project, days=(start, end))

        def apply() -> list[Job]:
            if not 0 <= calendar.range_days(start, end) <= calendar.LONGEST_RANGE_DAYS:
                raise _failed(Plan(Fault.REJECTED))
            found = self.book.jobs(access.project, self._today(), start, end)
            return [_job(view, False) for view in found]

        return await self._run(seen, self._plan(seen), gate, apply)

    async def revoke(self, access: Access, amplitude_id: AmplitudeId, day: Day, gate: Gate) -> Revocation:
        """As the port says."""
        seen = CallSeen("DELETE", access.project, amplitude_ids=(int(amplitude_id),), days=(day,))

        def apply() -> Revocation:
            entry = self.book.revoke(access.project, self._today(), int(amplitude_id), day)
            return Revocation.REVOKED if entry else Revocation.REFUSED

        return await self._run(seen, self._plan(seen), gate, apply)

    async def verify(self, access: Access) -> CredentialVerdict:
        """Valid, unless the project is in `refused`."""
        return CredentialVerdict.REFUSED if access.project in self.refused else CredentialVerdict.VALID

    def _today(self) -> Day:
        return day_of(self.clock.now())

    def _plan(self, seen: CallSeen) -> Plan:
        for plan in self.plans:
            if plan.method in {None, seen.method} and plan.project in {None, seen.project}:
                self.plans.remove(plan)
                return plan
        return Plan(Fault.CREDENTIALS) if seen.project in self.refused else Plan()

    async def _run(self, seen: CallSeen, plan: Plan, gate: Gate, apply: Callable[[], T]) -> T:
        index = len(self.calls)
        self.calls.append(seen)
        await asyncio.sleep(0)
        if plan.fault is Fault.UNREACHABLE:
            raise _failed(plan)
        gate()
        applied = plan.fault is None or (plan.fault is Fault.LOST and plan.applied)
        self.calls[index] = replace(seen, left=True, applied=applied)
        result = apply() if applied else None
        if plan.until is not None:
            await plan.until.wait()
        if plan.fault is not None:
            raise _failed(plan)
        return cast("T", result)


def _failed(plan: Plan) -> CallFailed:
    assert plan.fault
    reason, status = REASONS[plan.fault]
    return CallFailed(plan.fault, reason, status if plan.status is None else plan.status, plan.retry_after_s)


def _job(view: JobView, with_users: bool) -> Job:
    return Job(view.day, view.status, view.scrubbed_on, tuple(_member(entry, with_users) for entry in view.entries))


def _member(entry: Entry, with_users: bool) -> JobMember:
    user = Subject(entry.user_id) if with_users and entry.user_id is not None else None
    return JobMember(AmplitudeId(entry.amplitude_id), entry.requester, user)


Script = Callable[["RawServer", asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@dataclass
class RawServer:
    """A TCP server on the loopback that plays `script(server, reader, writer)` on each connection, then closes it.

    `requests` holds what was received, in order; `connections` counts what was accepted. An async context manager.
    """

    script: Script
    base_url: str = ""
    connections: int = 0
    requests: list[bytes] = field(default_factory=list)

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.address = self._server.sockets[0].getsockname()
        self.base_url = f"http://127.0.0.1:{self.address[1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        await asyncio.sleep(0)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            await self.script(self, reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def request(self, reader: asyncio.StreamReader) -> bytes:
        """Read one request, head and body, and record it. Raises IncompleteReadError at the end."""
        head = await reader.readuntil(b"\r\n\r\n")
        lines = head.lower().split(b"\r\n")
        length = next((int(line.split(b":")[1]) for line in lines if line.startswith(b"content-length:")), 0)
        whole = head + await reader.readexactly(length)
        self.requests.append(whole)
        return whole


def answer(status: int = 200, body: bytes = b"[]", content_type: str = "text/html", **headers: str) -> bytes:
    """An HTTP response as bytes; `Retry_After="3"` becomes the header Retry-After."""
    lines = [f"HTTP/1.1 {status} Whatever", f"Content-Type: {content_type}", f"Content-Length: {len(body)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def always(response: bytes) -> Script:
    """A script that gives the same answer to every request of a connection."""

    async def script(server: RawServer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            await server.request(reader)
            writer.write(response)
            await writer.drain()

    return script


def access(base_url: str | None = None, project: str = "829000", region: Region = Region.US) -> Access:
    """An access with made-up keys."""
    keys = KeyPair(Secret("api-key"), Secret("secret-key"))
    return Access(ProjectId(project), OrgId("36001"), region, keys, base_url)
