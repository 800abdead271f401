"""The experimental v2 client: it sends what is published and takes no unpublished reply for an answer."""

from __future__ import annotations

import json

import pytest

from consumer.adapters.amplitude import AmplitudeClient, AmplitudeClientV2
from consumer.domain.errors import CallFailed, Fault
from consumer.domain.jobs import Revocation, ScheduleCall
from consumer.domain.subject import AmplitudeId, Day, Millis, Subject
from consumer.sandbox.clock import ManualClock
from tests.fakes.amplitude import RawServer, access, always, answer

CLOCK = ManualClock(Millis(1_781_611_200_000))
CALL = ScheduleCall((Subject("u-1"),), (AmplitudeId(1610000000001),), "dsr/1")
JOB = b'[{"amplitude_ids": [], "app": "829000", "day": "2026-06-28", "status": "staging"}]'


def no_gate() -> None:
    """Let every call leave."""


async def test_a_post_goes_to_the_org_with_ids_only() -> None:
    """v2 has no requester and no options."""
    async with RawServer(always(answer(body=JOB))) as server, AmplitudeClient(CLOCK) as v1:
        reply = await AmplitudeClientV2(v1).schedule(access(server.base_url), CALL, no_gate)
        head, sent = server.requests[0].split(b"\r\n\r\n")
    assert head.startswith(b"POST /user-deletions/org/36001/requests HTTP/1.1")
    assert json.loads(sent) == {"userIds": ["u-1"], "amplitudeIds": [1610000000001]}
    assert reply.jobs[0].day == "2026-06-28"


@pytest.mark.parametrize("body", [b'{"requestId": "c0ffee00", "status": "staging"}', b"[]", b'"accepted"', b""])
async def test_a_reply_without_a_job_is_lost(body: bytes) -> None:
    """It may have been applied, and it must never read as "nobody was found"."""
    async with RawServer(always(answer(body=body))) as server, AmplitudeClient(CLOCK) as v1:
        with pytest.raises(CallFailed) as failed:
            await AmplitudeClientV2(v1).schedule(access(server.base_url), CALL, no_gate)
    assert failed.value.fault is Fault.LOST


async def test_the_list_is_cut_to_the_window_here() -> None:
    """v2's list takes no days."""
    async with RawServer(always(answer(body=JOB))) as server, AmplitudeClient(CLOCK) as v1:
        v2 = AmplitudeClientV2(v1)
        assert len(await v2.jobs(access(server.base_url), Day("2026-06-28"), Day("2026-06-28"), no_gate)) == 1
        assert await v2.jobs(access(server.base_url), Day("2026-06-29"), Day("2026-07-28"), no_gate) == []


async def test_revocation_goes_through_v1() -> None:
    """The page of v2 says so."""
    async with RawServer(always(answer(404))) as server, AmplitudeClient(CLOCK) as v1:
        revoked = await AmplitudeClientV2(v1).revoke(
            access(server.base_url), AmplitudeId(5), Day("2026-06-28"), no_gate
        )
        assert server.requests[0].startswith(b"DELETE /api/2/deletions/users/5/2026-06-28 ")
    assert revoked is Revocation.REFUSED
