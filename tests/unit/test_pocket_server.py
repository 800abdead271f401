"""The pocket Amplitude over its own sockets: reply shapes as recorded, limits, keys, scripted faults and controls."""

from __future__ import annotations

import asyncio
import signal
import sys
from base64 import b64encode
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from consumer.adapters.amplitude import AmplitudeClient
from consumer.domain.errors import CallFailed
from consumer.domain.errors import Fault as CallFault
from consumer.domain.jobs import ScheduleCall, ScheduleReply
from consumer.domain.subject import Day, Millis, Subject
from consumer.ports import Access, Region
from consumer.sandbox.amplitude import Fault, Kind, Knobs, PocketAmplitude, PocketThread
from consumer.sandbox.amplitude.keys import Holder, Level, default_pair
from consumer.sandbox.amplitude.limiter import Limiter
from consumer.sandbox.clock import ManualClock, ScaledClock

START = Millis(1_781_611_200_000)  # 2026-06-16T12:00Z
PATH = "/api/2/deletions/users"
APP = "829000"
WINDOW = {"start_day": "2026-06-16", "end_day": "2026-08-16"}
NOTHING = "Nothing scheduled due to invalid amplitude/user ids for app 829000"


def basic_auth(key: str, secret: str) -> str:
    """The Authorization header of a key pair."""
    return "Basic " + b64encode(f"{key}:{secret}".encode()).decode()


class Caller:
    """Plain HTTP against a pocket Amplitude with one project's keys."""

    def __init__(self, pocket: PocketAmplitude, session: aiohttp.ClientSession) -> None:
        self.pocket, self._session = pocket, session
        self.access = pocket.access(APP)

    async def call(self, method: str, path: str = PATH, access: Access | None = None, **kwargs: Any) -> tuple[int, Any]:
        keys = (access or self.access).keys
        login = basic_auth(keys.api_key.reveal(), keys.secret_key.reveal())
        url = self.pocket.base_url + path
        async with self._session.request(method, url, headers={"Authorization": login}, **kwargs) as response:
            self.headers = response.headers
            return response.status, await response.json(content_type=None)

    async def post(self, *users: Any, **fields: Any) -> tuple[int, Any]:
        return await self.call("POST", json={"user_ids": users, "ignore_invalid_id": "True", **fields})


@pytest.fixture
async def caller(request: pytest.FixtureRequest) -> AsyncIterator[Caller]:
    """A caller on a server without a rate limit; parametrize indirectly with other knobs."""
    knobs = getattr(request, "param", Knobs(gate_s=0))
    async with PocketAmplitude(ManualClock(START), knobs) as pocket, aiohttp.ClientSession() as session:
        yield Caller(pocket, session)


async def test_a_post_answers_as_recorded(caller: Caller) -> None:
    """An array of one job in the recorded order of keys, `app` as text, the scrub date as null."""
    status, body = await caller.post("u-1", "ghost-1", requester="dsr/1", include_mapped_user_ids="True")
    assert status == 200
    assert caller.headers["Content-Type"].startswith("application/json")
    (job,) = body
    assert list(job) == ["active_scrub_done_date", "amplitude_ids", "app", "day", "status", "invalid_ids"]
    (entry,) = job.pop("amplitude_ids")
    assert list(entry) == ["amplitude_id", "requested_on_day", "requester", "user_id"]
    assert (entry["requested_on_day"], entry["requester"], entry["user_id"]) == ("2026-06-16", "dsr/1", "u-1")
    assert job == {
        "active_scrub_done_date": None,
        "app": "829000",
        "day": "2026-06-28",
        "status": "staging",
        "invalid_ids": ["ghost-1"],
    }


async def test_list_and_revocation_are_json_under_text_html(caller: Caller) -> None:
    """Recorded: the content type lies."""
    assert await caller.call("GET", params=WINDOW) == (200, [])
    assert caller.headers["Content-Type"] == "text/html; charset=UTF-8"
    _, (job,) = await caller.post("u-1")
    amplitude_id = job["amplitude_ids"][0]["amplitude_id"]
    status, removed = await caller.call("DELETE", f"{PATH}/{amplitude_id}/{job['day']}")
    assert caller.headers["Content-Type"] == "text/html; charset=UTF-8"
    assert (status, removed) == (
        200,
        {"amplitude_id": amplitude_id, "requested_on_day": "2026-06-16", "requester": "rest"},
    )


async def test_nobody_known_is_a_bare_message(caller: Caller) -> None:
    """HTTP 200 and a string: nothing was scheduled."""
    assert await caller.post("ghost-1") == (200, NOTHING)


async def test_with_ignore_invalid_off_one_unknown_id_fails_the_batch(caller: Caller) -> None:
    """400, and nobody is scheduled; the plural of the parameter does not help."""
    for fields in ({"ignore_invalid_id": "False"}, {"ignore_invalid_id": None, "ignore_invalid_ids": "True"}):
        assert (await caller.post("u-1", "ghost-1", **fields))[0] == 400
    assert await caller.call("GET", params=WINDOW) == (200, [])
    assert (await caller.post("u-1", ignore_invalid_id=False))[0] == 200


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{",
        b"{}",
        b'{"user_ids": []}',
        b'{"user_ids": "u"}',
        b'{"user_ids": [null]}',
        b'{"amplitude_ids": ["u"]}',
        b'{"user_ids": ["u"], "ignore_invalid_id": "yes"}',
    ],
)
async def test_a_malformed_post_is_a_bad_request(caller: Caller, body: bytes) -> None:
    """The REST family of errors, with the details that are ours."""
    status, error = await caller.call("POST", data=body)
    assert (status, error["error"]["http_code"], error["error"]["type"]) == (400, 400, "invalid")


async def test_a_hundred_ids_in_total_are_the_most(caller: Caller) -> None:
    """Of both kinds together."""
    users = [f"u-{n}" for n in range(60)]
    ids = [1_610_000_000_000 + n for n in range(41)]
    assert (await caller.post(*users, amplitude_ids=ids))[0] == 400
    assert (await caller.post(*users, amplitude_ids=ids[1:]))[0] == 200


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"start_day": "2026-06-16"},
        {"start_day": "20260616", "end_day": "20260617"},
        {"start_day": "2026-06-17", "end_day": "2026-06-16"},
        {"start_day": "2026-01-01", "end_day": "2026-07-05"},
    ],
)
async def test_a_bad_range_is_a_bad_request(caller: Caller, params: dict[str, str]) -> None:
    """Both days, dashed, in order, at most six months apart."""
    assert (await caller.call("GET", params=params))[0] == 400


@pytest.mark.parametrize("path", ["x/2026-06-28", "5/2026-06-28", "5/20260628", "1610000000001/2026-06-28"])
async def test_a_revocation_of_what_is_not_there_is_a_bad_request(caller: Caller, path: str) -> None:
    """Undocumented: our choice."""
    assert (await caller.call("DELETE", f"{PATH}/{path}"))[0] == 400


async def test_an_org_wide_post_makes_a_job_in_every_project(caller: Caller) -> None:
    """One element per project, told apart by `app`; unknown ids never fail it."""
    caller.pocket.access("829001")
    caller.pocket.access("900000", org="another")
    caller.pocket.world.people.seed("829001", "only-here", (1_620_000_000_001,))
    caller.pocket.world.people.seed(APP, "only-here", ())
    status, jobs = await caller.post("only-here", delete_from_org="True", ignore_invalid_id="False")
    assert (status, [job["app"] for job in jobs]) == (200, ["829001"])
    _, jobs = await caller.post("u-1", delete_from_org="True")
    assert [job["app"] for job in jobs] == ["829000", "829001"]


@pytest.mark.parametrize("caller", [Knobs(gate_s=0, strict_bool_strings=True)], indirect=True)
async def test_json_booleans_can_be_refused(caller: Caller) -> None:
    """One integrator reports that only strings are accepted."""
    assert (await caller.post("u-1", include_mapped_user_ids=True))[0] == 400
    assert (await caller.post("u-1", include_mapped_user_ids="True"))[0] == 200


@pytest.mark.parametrize("caller", [Knobs(gate_s=0, reply_whole_job=True)], indirect=True)
async def test_a_reply_may_list_the_whole_job(caller: Caller) -> None:
    """Not documented either way: match by id, never by count."""
    await caller.post("u-1")
    _, (job,) = await caller.post("u-2")
    assert len(job["amplitude_ids"]) == 2


@pytest.mark.parametrize("caller", [Knobs(), Knobs(refuse_status=401)], indirect=True, ids=["403", "401"])
async def test_wrong_keys_wrong_level_and_wrong_region_are_refused_alike(caller: Caller) -> None:
    """The reply does not say which it was."""
    pocket = caller.pocket
    status = pocket.world.knobs.refuse_status
    pocket.world.keys.add(Holder(Region.US, Level.ORG, "36001", None), ("org-key", "org-secret"))
    foreign = pocket.access("77", region=Region.EU)
    assert (await caller.call("GET", params=WINDOW, access=foreign))[0] == status
    async with aiohttp.ClientSession() as session:
        url = pocket.base_url + PATH
        logins = ["Basic !!!", "Bearer x", basic_auth("org-key", "org-secret")]
        for headers in [{}, *({"Authorization": login} for login in logins)]:
            async with session.get(url, params=WINDOW, headers=headers) as response:
                assert response.status == status
                assert (await response.json())["code"] == status
    assert pocket.counters.refused == 5
    assert pocket.counters.apps == {}


@pytest.mark.parametrize("caller", [Knobs(gate_s=0.15, retry_after="1")], indirect=True)
async def test_a_project_has_one_request_per_second_for_all_methods(caller: Caller) -> None:
    """POST, GET and DELETE share the gate; other projects have their own; a refused request costs nothing."""
    other = caller.pocket.access("829001")
    assert (await caller.post("u-1"))[0] == 200
    assert (await caller.call("GET", params=WINDOW))[0] == 429
    assert caller.headers["Retry-After"] == "1"
    assert (await caller.call("DELETE", f"{PATH}/5/2026-06-28"))[0] == 429
    assert (await caller.call("GET", params=WINDOW, access=other))[0] == 200
    await asyncio.sleep(0.16)
    assert (await caller.call("GET", params=WINDOW))[0] == 200
    seen = caller.pocket.seen(APP)
    assert (seen.throttled, dict(seen.requests)) == (2, {"POST": 1, "GET": 2, "DELETE": 1})
    assert seen.min_spacing_s is not None
    assert seen.min_spacing_s < 0.15


def test_the_gate_opens_after_its_time_and_not_before() -> None:
    """0.95 s after the last admitted request; a refused one in between does not count."""
    limiter = Limiter()
    assert [limiter.enter(APP, at_s) for at_s in (0.0, 0.5, 0.94, 0.95, 1.89, 1.9)] == [
        True,
        False,
        False,
        True,
        False,
        True,
    ]


@pytest.mark.parametrize("caller", [Knobs(gate_s=0, most_in_flight=2)], indirect=True)
async def test_so_many_requests_at_a_time_are_the_most(caller: Caller) -> None:
    """More than the project's parallel requests are throttled."""
    caller.pocket.misbehave(Fault(Kind.LATENCY, seconds=0.2, count=None))
    answers = await asyncio.gather(*(caller.post(f"u-{n}") for n in range(4)))
    assert sorted(status for status, _ in answers) == [200, 200, 429, 429]
    assert caller.pocket.seen(APP).max_in_flight >= 3


async def test_no_retry_after_by_default(caller: Caller) -> None:
    """None was ever recorded."""
    caller.pocket.misbehave(Fault(Kind.STATUS, status=429), Fault(Kind.STATUS, status=503, retry_after="7"))
    assert (await caller.post("u-1"))[0] == 429
    assert "Retry-After" not in caller.headers
    assert (await caller.post("u-1"))[0] == 503
    assert caller.headers["Retry-After"] == "7"


async def test_everything_sent_is_counted(caller: Caller) -> None:
    """Every POST's ids, applied or not, and one e-mail for each change."""
    caller.pocket.misbehave(Fault(Kind.STATUS, status=500), Fault(Kind.LATE, seconds=60, method="POST"))
    await caller.post("u-1")
    with pytest.raises(aiohttp.ClientError):
        await caller.post("u-1", "u-2")
    await caller.post("u-1", "u-3")
    seen = caller.pocket.seen(APP)
    assert seen.times_sent() == {"u-1": 2, "u-2": 1, "u-3": 1}
    assert seen.times_applied() == {"u-1": 1, "u-3": 1}
    assert ([len(post) for post in seen.posts], seen.emails, seen.in_flight) == ([2, 2], 1, 0)
    assert [method for method, _ in seen.stamps_s] == ["POST"] * 3


LOSING = [
    (Fault(Kind.STATUS, status=500), False),
    (Fault(Kind.DROP), False),
    (Fault(Kind.HTML), False),
    (Fault(Kind.APPLIED_DROP), True),
    (Fault(Kind.APPLIED_STATUS, status=502), True),
    (Fault(Kind.TRUNCATED), True),
    (Fault(Kind.HALF_CLOSED), True),
]


@pytest.mark.parametrize(("fault", "applied"), LOSING, ids=[fault.kind for fault, _ in LOSING])
async def test_a_scripted_loss_is_lost_and_applied_or_not(caller: Caller, fault: Fault, applied: bool) -> None:
    """The client sees the same fault either way; the list tells."""
    caller.pocket.misbehave(fault)
    async with AmplitudeClient(caller.pocket.world.clock) as client:
        with pytest.raises(CallFailed) as failed:
            await client.schedule(caller.access, ScheduleCall((Subject("u-1"),), (), "dsr/1"), lambda: None)
        listed = await client.jobs(caller.access, Day("2026-06-16"), Day("2026-08-16"), lambda: None)
    assert failed.value.fault is CallFault.LOST
    assert bool(listed) == applied
    assert len(caller.pocket.world.faults) == 0


async def test_a_late_application_shows_up_after_a_while(caller: Caller) -> None:
    """Dropped, absent from the list, present a moment later."""
    caller.pocket.misbehave(Fault(Kind.LATE, seconds=0.1))
    with pytest.raises(aiohttp.ClientError):
        await caller.post("u-1")
    assert (await caller.call("GET", params=WINDOW))[1] == []
    await asyncio.sleep(0.15)
    assert len((await caller.call("GET", params=WINDOW))[1]) == 1


@pytest.mark.parametrize(
    ("fault", "stored"),
    [(Fault(Kind.MARKER_MISSING), "rest"), (Fault(Kind.MARKER_TRUNCATED, characters=6), "dsr/01")],
)
async def test_the_marker_may_be_lost_together_with_the_answer(caller: Caller, fault: Fault, stored: str) -> None:
    """Faults of different stages hit the same request."""
    caller.pocket.misbehave(Fault(Kind.APPLIED_DROP), fault)
    with pytest.raises(aiohttp.ClientError):
        await caller.post("u-1", requester="dsr/0123456789")
    _, (job,) = await caller.call("GET", params=WINDOW)
    assert [entry["requester"] for entry in job["amplitude_ids"]] == [stored]


async def test_the_other_shapes_of_a_reply(caller: Caller) -> None:
    """Each shape that was documented or seen, on demand."""
    ask = {"include_mapped_user_ids": "True"}
    caller.pocket.misbehave(Fault(Kind.NO_USER_ID))
    assert "user_id" not in (await caller.post("u-1", **ask))[1][0]["amplitude_ids"][0]
    caller.pocket.misbehave(Fault(Kind.INVALID_ON_TOP))
    _, (job, beside) = await caller.post("u-1", "ghost-1", **ask)
    assert (beside, "invalid_ids" in job) == ({"invalid_ids": ["ghost-1"]}, False)
    caller.pocket.misbehave(Fault(Kind.AS_OBJECT))
    assert (await caller.post("u-1", **ask))[1]["day"] == "2026-06-28"
    caller.pocket.misbehave(Fault(Kind.MESSAGE_OBJECT))
    assert (await caller.post("ghost-1", **ask))[1] == {"message": NOTHING}


async def test_a_rule_hits_only_its_project_and_method_for_its_time(caller: Caller) -> None:
    """Wrong keys for a while, for one project's POSTs."""
    other = caller.pocket.access("829001")
    caller.pocket.misbehave(Fault(Kind.STATUS, status=403, app=APP, method="POST", count=None, for_s=0.2))
    assert (await caller.post("u-1"))[0] == 403
    assert (await caller.post("u-1"))[0] == 403
    assert (await caller.call("GET", params=WINDOW))[0] == 200
    assert (await caller.call("POST", json={"user_ids": ["u-1"]}, access=other))[0] == 200
    await asyncio.sleep(0.2)
    assert (await caller.post("u-1"))[0] == 200


async def test_the_control_calls_do_what_python_can(caller: Caller) -> None:
    """Another process seeds, scripts, advances, reads and resets over HTTP."""
    call = caller.call
    _, keys = await call("POST", "/fake/projects", json={"app": "1", "api_key": "k", "secret_key": "s"})
    assert keys == {"api_key": "k", "secret_key": "s"}
    await call("POST", "/fake/people", json=[{"app": APP, "user_id": "u", "amplitude_ids": [5]}])
    assert (await call("POST", "/fake/faults", json={"kind": "status", "status": 500}))[1] == {"rules": 1}
    assert (await caller.post("u"))[0] == 500
    await call("POST", "/fake/faults", json=[{"kind": "drop"}, {"kind": "html"}])
    assert (await call("DELETE", "/fake/faults"))[1] == {"rules": 0}
    assert (await caller.post("u"))[1][0]["amplitude_ids"][0]["amplitude_id"] == 5
    assert (await call("POST", "/fake/clock", json={"days": 9}))[1]["day"] == "2026-06-25"
    (job,) = (await call("GET", f"/fake/jobs?app={APP}"))[1]
    assert (job["status"], job["amplitude_ids"][0]["user_id"]) == ("submitted", "u")
    counters = (await call("GET", "/fake/counters"))[1]["apps"][APP]
    assert counters["times_applied"] == {"u": 1}
    assert counters["ids_per_post"] == [1]
    await call("POST", "/fake/reset", json={})
    assert (await call("GET", "/fake/counters"))[1] == {"refused": 0, "apps": {}, "orgs": {}}
    assert (await call("GET", f"/fake/jobs?app={APP}"))[1] == []


@pytest.mark.parametrize(
    ("path", "body"),
    [("faults", {"kind": "no such"}), ("faults", {"kind": "drop", "x": 1}), ("people", {}), ("projects", [])],
)
async def test_a_control_call_that_cannot_be_used_is_refused(caller: Caller, path: str, body: Any) -> None:
    """A mistyped script must not pass for a quiet server."""
    assert (await caller.call("POST", f"/fake/{path}", json=body))[0] == 400


async def test_a_running_calendar_cannot_be_advanced() -> None:
    """Only a manual one is moved by hand."""
    async with PocketAmplitude(ScaledClock(START, 10)) as pocket, aiohttp.ClientSession() as session:
        response = await session.post(f"{pocket.base_url}/fake/clock", json={"days": 1})
        response.release()
    assert response.status == 400


def test_it_runs_in_a_thread_of_its_own() -> None:
    """For callers that share no event loop with it."""

    async def ask(access: Access) -> ScheduleReply:
        async with AmplitudeClient(ManualClock(START)) as client:
            return await client.schedule(access, ScheduleCall((Subject("u-1"),), (), "dsr/1"), lambda: None)

    with PocketThread(PocketAmplitude(ManualClock(START))) as thread:
        assert len(asyncio.run(ask(thread.pocket.access(APP))).jobs) == 1


async def test_it_runs_as_a_process_and_prints_where() -> None:
    """`python -m` prints the base URL first, knows its projects' keys by rule and stops at SIGTERM."""
    command = ["-m", "consumer.sandbox.amplitude", "--project", "4711", "--manual", "--start-ms", str(START)]
    root = Path(__file__).parents[2]
    process = await asyncio.create_subprocess_exec(sys.executable, *command, stdout=asyncio.subprocess.PIPE, cwd=root)
    try:
        assert process.stdout
        base_url = (await asyncio.wait_for(process.stdout.readline(), 20)).decode().strip()
        login = basic_auth(*default_pair("4711"))
        async with aiohttp.ClientSession() as session:
            get = session.get(base_url + PATH, params=WINDOW, headers={"Authorization": login})
            async with get as response:
                assert (response.status, await response.read()) == (200, b"[]")
    finally:
        process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(process.wait(), 20) == 0
