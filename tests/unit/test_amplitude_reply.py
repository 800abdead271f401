"""Every shape of a reply that was documented or recorded, in any chunking."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumer.adapters.amplitude.reply import TooLarge, Unreadable, WebPage, read
from consumer.domain.jobs import Job, JobMember, JobStatus
from consumer.domain.subject import AmplitudeId, Day, Subject

ENTRY = {"amplitude_id": 1610000000001, "requested_on_day": "2026-06-16", "requester": "dsr/1", "user_id": "u-1001"}
JOB = {
    "active_scrub_done_date": None,
    "amplitude_ids": [ENTRY, {**ENTRY, "amplitude_id": 1610000000002}],
    "app": "829000",
    "day": "2026-06-28",
    "status": "staging",
    "invalid_ids": ["u-1002"],
}
MEMBERS = (
    JobMember(AmplitudeId(1610000000001), "dsr/1", Subject("u-1001")),
    JobMember(AmplitudeId(1610000000002), "dsr/1", Subject("u-1001")),
)
AS_JOB = Job(Day("2026-06-28"), JobStatus.STAGING, None, MEMBERS)
MESSAGE = "Nothing scheduled due to invalid amplitude/user ids for app 829000"


def parsed(payload: Any) -> Any:
    return read([json.dumps(payload).encode()])


@pytest.mark.parametrize("payload", [[JOB], JOB, {"jobs": [JOB]}], ids=["array", "object", "wrapped"])
def test_jobs_may_come_as_an_array_or_as_one_object(payload: Any) -> None:
    """Recordings show an array, older documents a single object."""
    reply = parsed(payload)
    assert reply.jobs == (AS_JOB,)
    assert reply.invalid == {"u-1002"}


@pytest.mark.parametrize("app", ["829000", 829000])
def test_the_app_may_be_text_or_a_number(app: object) -> None:
    """The key pair already says which project it is."""
    assert parsed([{**JOB, "app": app}]).jobs == (AS_JOB,)


@pytest.mark.parametrize("status", ["staging", "Staging", "STAGING"])
def test_the_status_is_read_in_any_case(status: str) -> None:
    """The wire has lower case, the prose capitals."""
    assert parsed([{**JOB, "status": status}]).jobs[0].status is JobStatus.STAGING


@pytest.mark.parametrize("invalid", [["7", "u"], [7, "u"]])
def test_invalid_ids_may_be_text_or_numbers(invalid: list[Any]) -> None:
    """They come back as sent; we compare text."""
    assert parsed([{**JOB, "invalid_ids": invalid}]).invalid == {"7", "u"}


def test_invalid_ids_may_stand_beside_the_jobs() -> None:
    """Their place was never recorded."""
    bare = {key: value for key, value in JOB.items() if key != "invalid_ids"}
    assert parsed([bare, {"invalid_ids": ["u-1002"]}]).invalid == {"u-1002"}
    assert parsed({"invalid_ids": ["u-1002"], "jobs": [bare]}).invalid == {"u-1002"}
    assert parsed([bare, {"invalid_ids": ["u-1002"]}]).jobs == (AS_JOB,)


@pytest.mark.parametrize(("user_id", "subject"), [("u", Subject("u")), (7, Subject("7")), (None, None)])
def test_a_user_id_may_be_text_a_number_or_missing(user_id: object, subject: Subject | None) -> None:
    """Only a POST that asked for them gets user ids."""
    assert parsed([{**JOB, "amplitude_ids": [{**ENTRY, "user_id": user_id}]}]).jobs[0].members[0].user_id == subject
    without = {key: value for key, value in ENTRY.items() if key != "user_id"}
    assert parsed([{**JOB, "amplitude_ids": [without]}]).jobs[0].members[0].user_id is None


def test_the_scrub_date_is_null_or_a_day() -> None:
    """Null means that the data is still reachable."""
    assert parsed([{**JOB, "active_scrub_done_date": "2026-06-29"}]).jobs[0].scrubbed_on == "2026-06-29"
    assert parsed([{k: v for k, v in JOB.items() if k != "active_scrub_done_date"}]).jobs[0].scrubbed_on is None


@pytest.mark.parametrize("payload", [MESSAGE, {"message": MESSAGE}, {" message": MESSAGE}, [MESSAGE]])
def test_a_bare_message_is_a_reply_without_jobs_and_not_a_list(payload: Any) -> None:
    """Nothing was scheduled, and nothing was said about which jobs exist."""
    reply = parsed(payload)
    assert (reply.jobs, reply.is_list) == ((), False)


def test_an_empty_list_is_a_list() -> None:
    """No jobs in the window is an answer."""
    assert (parsed([]).jobs, parsed([]).is_list) == ((), True)


def test_unknown_fields_of_any_shape_are_skipped() -> None:
    """A new field must not break a reader."""
    odd = {"new": {"a": [1, {"b": []}], "day": 3}, **JOB, "more": [[1], {"amplitude_ids": 2}]}
    odd["amplitude_ids"] = [{**ENTRY, "new": {"x": [1.5]}}]
    assert parsed([odd]).jobs == (Job(Day("2026-06-28"), JobStatus.STAGING, None, MEMBERS[:1]),)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"   ",
        b"[",
        b"[]]",
        b"[] []",
        b"null",
        b"true",
        b"17",
        b"[null]",
        b"[[]]",
        b'{"error": {"http_code": 500}}',
        b'{"code": 403, "message": "Forbidden", "status": "Forbidden"}',
        b'"Internal error"',
        b'{"message": "try again later"}',
        b'{"requestId": "c0ffee00", "status": "staging"}',
        b'[{"amplitude_ids": [{"amplitude_id": 1}], "status": "staging"}]',
        b'[{"day": "2026-06-28"}]',
        b'[{"day": "2026-06-28", "status": "exploded"}]',
        b'[{"day": "20260628", "status": "done"}]',
        b'[{"day": null, "status": "done"}]',
        b'[{"day": "2026-99-99", "status": "done"}]',
        b'{"jobs": [' * 5000 + b"]}" * 5000,
        b'[{"day": "2026-06-28", "status": "done", "active_scrub_done_date": 5}]',
        b'[{"day": "2026-06-28", "status": "done", "amplitude_ids": [5]}]',
        b'[{"day": "2026-06-28", "status": "done", "amplitude_ids": [{"requester": "x"}]}]',
        b'[{"day": "2026-06-28", "status": "done", "amplitude_ids": [{"amplitude_id": 1.5}]}]',
        b'[{"day": "2026-06-28", "status": "done", "amplitude_ids": [{"amplitude_id": true}]}]',
        b'[{"day": "2026-06-28", "status": "done", "invalid_ids": [null]}]',
        b'[{"day": "2026-06-28", "status": "done", "invalid_ids": [["x"]]}]',
        b"\xff\xfe[]",
        b'["\xff"]',
        b"not json",
    ],
)
def test_anything_else_is_unreadable(body: bytes) -> None:
    """A body that is no reply of this API is never taken for one."""
    with pytest.raises(Unreadable) as unreadable:
        read([body])
    assert str(unreadable.value) == ""
    assert unreadable.value.__context__ is None


@pytest.mark.parametrize(
    "before", ['"amplitude_ids": [{"amplitude_id": ', '"invalid_ids": [', '"unknown": ', '"app": "']
)
@pytest.mark.parametrize("size", [1, 1000, 1 << 16])
def test_a_number_beyond_all_reason_is_unreadable_and_not_the_end_of_the_process(before: str, size: int) -> None:
    """ijson's C backend dies on an integer that Python refuses to convert, so such digits never reach it."""
    body = b'[{"day": "2026-06-28", "status": "done", ' + before.encode() + b"9" * 5000
    with pytest.raises(Unreadable):
        read(body[start : start + size] for start in range(0, len(body), size))


def test_a_web_page_is_recognised() -> None:
    """A login page with status 200 means the wrong URL."""
    with pytest.raises(WebPage):
        read([b" \r\n", b"<!DOCTYPE html><html>"])


def test_a_body_over_the_limit_is_refused_before_it_is_parsed() -> None:
    """Memory stays bounded whatever the server sends."""
    with pytest.raises(TooLarge):
        read([b"[", b" " * 100], limit_bytes=100)
    assert read([b"[", b" " * 98, b"]"], limit_bytes=100).is_list


def test_an_id_beyond_64_bits_is_read_as_it_is() -> None:
    """A number is never rounded."""
    big = {**JOB, "amplitude_ids": [{"amplitude_id": 2**70}]}
    assert parsed([big]).jobs[0].members[0].amplitude_id == 2**70


@given(st.lists(st.integers(0, 40), max_size=30), st.sampled_from(["array", "spaced"]))
def test_any_chunking_gives_the_same_reply(sizes: list[int], style: str) -> None:
    """Where the network cuts the text does not matter."""
    body = json.dumps([JOB, {**JOB, "day": "2026-07-10"}], indent=2 if style == "spaced" else None).encode()
    chunks, start = [], 0
    for size in sizes:
        chunks.append(body[start : start + size])
        start += size
    assert read([*chunks, body[start:]]) == read([body])


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
        lambda inner: (
            st.lists(inner, max_size=4)
            | st.dictionaries(
                st.sampled_from(
                    ["day", "status", "amplitude_ids", "invalid_ids", "jobs", "amplitude_id", "message", "x"]
                ),
                inner,
                max_size=4,
            )
        ),
        max_leaves=20,
    )
)
def test_no_json_breaks_the_reader(payload: Any) -> None:
    """Every JSON text is either a reply or `Unreadable`; no other exception can get out."""
    with contextlib.suppress(Unreadable):
        parsed(payload)


@given(st.binary(max_size=60))
def test_no_bytes_break_the_reader(body: bytes) -> None:
    """Every body is either a reply or `Unreadable`."""
    with contextlib.suppress(Unreadable):
        read([body])
