"""Reads a reply of the deletion API from a stream of bytes. Pure: knows no socket, no status and no content type.

The content type is ignored on purpose: Amplitude sends lists and revocations as `text/html`. Accepted are all the
shapes that were documented or recorded ("User Privacy API"; live recordings): an array of jobs or one job, a bare
string, an object with only a message, `invalid_ids` in the job or beside it, ids as strings or integers.
Memory is bounded by the jobs found, not by the text: `day` and `status` come after the ids, so members wait in a list.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass
from datetime import date
from typing import Any

import ijson

from consumer.domain.jobs import Job, JobMember, JobStatus
from consumer.domain.subject import AmplitudeId, Day, Subject

DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
LONGEST_NUMBER = 4000
"""Digits. Past Python's limit of 4300 per integer, ijson's C backend (3.6) does not raise: the process dies."""
TOO_MANY_DIGITS = re.compile(rb"\d{%d}" % LONGEST_NUMBER)
NOTHING_SCHEDULED = "nothing scheduled"
BESIDE_A_MESSAGE = frozenset({"message", "app", "invalid_ids", "jobs"})
"""Keys of an object that may stand where a job is expected. Anything else without a `day` is no reply of this API."""

Event = tuple[str, Any]
Reading = Generator[None, Event, None]


class Unreadable(Exception):
    """The body is not a reply of this API. Carries no text: the body may name people."""


class WebPage(Unreadable):
    """The body is HTML: most likely a login page."""


class TooLarge(Unreadable):
    """The body is longer than the limit; the rest was not read."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What a body said. `is_list` is False for a bare message: then it says nothing about which jobs exist."""

    jobs: tuple[Job, ...]
    invalid: frozenset[str]
    is_list: bool


class ReplyReader:
    """Takes the body in chunks of any size. After an `Unreadable` it must not be used again."""

    def __init__(self, limit_bytes: int) -> None:
        self._left_bytes = limit_bytes
        self._begun = False
        self._tail = b""  # a number may lie across chunks
        self._found = _Found()
        target = self._found.root()
        next(target)
        # Integers as integers of any size; floats never occur, and a float is refused where an id is expected.
        self._parser = ijson.basic_parse_coro(target)

    def feed(self, chunk: bytes) -> None:
        """Read on. Blocks while the chunk is parsed: a few milliseconds for 64 KiB."""
        self._left_bytes -= len(chunk)
        if self._left_bytes < 0:
            raise TooLarge
        if not self._begun:
            chunk = chunk.lstrip(b" \t\r\n\xef\xbb\xbf")
            self._begun = bool(chunk)
            if chunk.startswith(b"<"):
                raise WebPage
        seen = self._tail + chunk
        if TOO_MANY_DIGITS.search(seen):
            raise Unreadable
        self._tail = seen[1 - LONGEST_NUMBER :]
        if chunk:  # an empty chunk would tell the parser that the text is over
            _silently(self._parser.send, chunk)

    def finish(self) -> Reply:
        """The reply, after the last chunk. Raises `Unreadable` when the body ended too early."""
        _silently(self._parser.close)
        found = self._found
        return Reply(tuple(found.jobs), frozenset(found.invalid), found.is_list)


def read(chunks: Iterable[bytes], limit_bytes: int = 1 << 29) -> Reply:
    """A whole body at once, for callers that have it in memory."""
    reader = ReplyReader(limit_bytes)
    for chunk in chunks:
        reader.feed(chunk)
    return reader.finish()


def _silently(step: Callable[..., object], *arguments: bytes) -> None:
    """Run a step of the parser. Its own exceptions quote the body, so none of them may stay attached."""
    try:
        step(*arguments)
    except (ijson.JSONError, ValueError, OverflowError, RecursionError):
        pass
    else:
        return
    raise Unreadable


class _Found:
    """Recursive descent over parser events; every method reads one value and leaves the events after it alone."""

    def __init__(self) -> None:
        self.jobs: list[Job] = []
        self.invalid: set[str] = set()
        self.is_list = False
        self._texts: dict[str, str] = {}  # thousands of members share one requester: keep one copy

    def root(self) -> Reading:
        event, value = yield
        if event == "start_array":
            self.is_list = True
            yield from self._elements()
        elif event == "start_map":
            yield from self._job()
            self.is_list = bool(self.jobs)
        else:
            _nothing_scheduled(event, value)
        while True:
            yield

    def _elements(self) -> Reading:
        while True:
            event, value = yield
            if event == "end_array":
                return
            if event == "start_map":
                yield from self._job()
            else:
                _nothing_scheduled(event, value)
                self.is_list = False

    def _job(self) -> Reading:
        fields: dict[str, Any] = {}
        members: list[JobMember] = []
        while True:
            event, name = yield
            if event == "end_map":
                break
            name = name.strip()  # one published fixture has a key with a space before it
            event, value = yield
            fields[name] = value
            if event == "start_array" and name == "amplitude_ids":
                yield from self._members(members)
            elif event == "start_array" and name == "invalid_ids":
                yield from self._invalid_ids()
            elif event == "start_array" and name == "jobs":
                yield from self._elements()
            elif event in {"start_array", "start_map"}:
                yield from _skip()
        if "day" in fields:
            self.jobs.append(_job(fields, members))
        elif fields.keys() <= BESIDE_A_MESSAGE:
            if "message" in fields:
                _nothing_scheduled("string", fields["message"])
            self.is_list = self.is_list and "message" not in fields
        else:
            raise Unreadable

    def _members(self, members: list[JobMember]) -> Reading:
        while True:
            event, _ = yield
            if event == "end_array":
                return
            if event != "start_map":
                raise Unreadable
            fields: dict[str, Any] = {}
            while True:
                event, name = yield
                if event == "end_map":
                    break
                event, fields[name] = yield
                if event in {"start_array", "start_map"}:
                    yield from _skip()
            members.append(self._member(fields))

    def _member(self, fields: dict[str, Any]) -> JobMember:
        requester, user_id = fields.get("requester"), fields.get("user_id")
        requester = "" if requester is None else str(requester)
        return JobMember(
            AmplitudeId(_integer(fields.get("amplitude_id"))),
            self._texts.setdefault(requester, requester),
            None if user_id is None else Subject(_text(user_id)),
        )

    def _invalid_ids(self) -> Reading:
        while True:
            event, value = yield
            if event == "end_array":
                return
            self.invalid.add(_text(value))


def _skip() -> Reading:
    """Read to the end of an array or object whose start has just been read."""
    depth = 1
    while depth:
        event, _ = yield
        depth += (event in {"start_array", "start_map"}) - (event in {"end_array", "end_map"})


def _nothing_scheduled(event: str, text: object) -> None:
    """Only the recorded wording means that nobody was found. Any other text under a 200 may be an error in disguise,
    and taking it for an answer would report a person as erased who is not."""
    if event != "string" or not str(text).strip().lower().startswith(NOTHING_SCHEDULED):
        raise Unreadable


def _job(fields: dict[str, Any], members: list[JobMember]) -> Job:
    try:
        status = JobStatus(str(fields.get("status")).lower())
    except ValueError:
        status = None
    if status is None:
        raise Unreadable
    scrubbed_on = fields.get("active_scrub_done_date")
    return Job(_day(fields["day"]), status, None if scrubbed_on is None else _day(scrubbed_on), tuple(members))


def _day(value: object) -> Day:
    if not isinstance(value, str) or not DAY.fullmatch(value):
        raise Unreadable
    date.fromisoformat(value)  # a ValueError is `Unreadable` too, see `_silently`
    return Day(value)


def _integer(value: object) -> int:
    if isinstance(value, str) and value.isascii() and value.isdigit():
        return int(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    raise Unreadable


def _text(value: object) -> str:
    if isinstance(value, str):
        return value
    return str(_integer(value))
