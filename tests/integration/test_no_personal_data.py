"""No identifier and no secret in anything the service shows: logs, metrics, admin port, outcomes, headers, errors.

The whole requests stage runs without Kafka against the pocket Amplitude, through every kind of trouble, with values
that occur nowhere else. The search is tried out on leaks made on purpose: a search that finds nothing proves nothing.
"""

import asyncio
import base64
import hashlib
import json
import logging
import traceback
from contextlib import asynccontextmanager
from dataclasses import replace
from urllib.parse import quote

import aiohttp
import pytest
import structlog
from prometheus_client import generate_latest

import schemas
from consumer.adapters import cloudevents
from consumer.adapters.admin_server import AdminServer
from consumer.adapters.amplitude.client import AmplitudeClient
from consumer.adapters.avro.codec import Codec
from consumer.adapters.avro.source import DirectorySource
from consumer.adapters.kafka.producing import why_dead
from consumer.adapters.meters import LoggingMeter, Meters
from consumer.adapters.metrics import PrometheusMeter
from consumer.adapters.probes import Probes
from consumer.adapters.wire import outcome_out
from consumer.domain.errors import CallFailed, Reason
from consumer.domain.jobs import ScheduleCall
from consumer.domain.subject import Secret, Subject
from consumer.ports import KeyPair, LaneReport, Region, StreamReport
from consumer.requests import Intake
from consumer.sandbox.amplitude.faults import Fault, Kind
from consumer.sandbox.amplitude.keys import Holder, Level
from consumer.turn import Partition, Record, Turn
from tests.fakes.commands import fields, identity
from tests.fakes.copying import Copying
from tests.fakes.log_capture import configured
from tests.fakes.search import forms, found
from tests.fakes.service import Service

USERS = [f"quetzal.{n}/möbius+{n}" for n in range(6)]
GHOST, SEVERAL = "ghost-xylograph-7", "several-zeugma-8"
EMAILS = ["ottoline.violetta@kumquat.example", "peregrine+tag@kumquat.example"]
AMPLITUDE_IDS = ["4815162342108", "2718281828459"]
JUNK = "isambard.kingdom@brunel.example"
API_KEY, SECRET_KEY, WRONG_KEY = "ak5e3Xq1Lkumquat", "sk9vT2Wzmarmalade", "wr0ngYpersimmon"
HIDDEN = [*USERS, GHOST, SEVERAL, *EMAILS, *AMPLITUDE_IDS, JUNK, API_KEY, SECRET_KEY, WRONG_KEY]

CALL = ScheduleCall(tuple(Subject(user) for user in USERS), (int(AMPLITUDE_IDS[1]),), "dsr/1")
FAULTS = [
    Fault(Kind.STATUS, method="POST", status=400, count=2),
    Fault(Kind.STATUS, method="POST", status=429, count=2, retry_after="0"),
    Fault(Kind.STATUS, method="POST", status=500),
    Fault(Kind.APPLIED_STATUS, method="POST", status=502),
    Fault(Kind.DROP, method="POST"),
    Fault(Kind.APPLIED_DROP, method="POST"),
    Fault(Kind.TRUNCATED, method="POST"),
    Fault(Kind.HTML, method="POST"),
    Fault(Kind.STATUS, method="GET", status=503),
]


class Shown:
    """Everything that anybody outside could see, by where it was."""

    def __init__(self):
        self.parts = []

    def add(self, where, what):
        self.parts.append((where, what if isinstance(what, str | bytes) else repr(what)))

    @property
    def leaks(self):
        return [(where, value) for where, what in self.parts for value in found(HIDDEN, what)]


@asynccontextmanager
async def running():
    """The stage with keys of our own, its debug logs, and its meters on an admin port."""
    with configured("debug") as lines:
        logging.getLogger().setLevel(logging.DEBUG)
        asyncio.get_running_loop().set_debug(True)
        prometheus = PrometheusMeter(lambda: ["shop"])
        async with Service(email_is_user_id=True) as service:
            holder = Holder(Region.US, Level.PROJECT, "36001", "829000")
            service.pocket.world.keys.add(holder, (API_KEY, SECRET_KEY))
            service.access = replace(service.access, keys=KeyPair(Secret(API_KEY), Secret(SECRET_KEY)))
            yield service, Meters(prometheus, LoggingMeter(structlog.get_logger())), prometheus.registry, lines


async def live(service):
    """Success and every trouble, until each request has been scheduled or has ended."""
    service.pocket.world.people.seed("829000", USERS[0], (int(AMPLITUDE_IDS[0]),))
    for fault in FAULTS:
        service.pocket.misbehave(fault)
        await service.reach(service.tell(*USERS[:4], GHOST, SEVERAL), "scheduled")
    email, amplitude = identity(EMAILS[0], "email"), identity(AMPLITUDE_IDS[1], "amplitude_id")
    await service.reach(service.tell(subject_identities=[email, amplitude, identity(USERS[4])]), "scheduled")
    refuse(service)
    await park(service)
    cancelled = service.tell(USERS[5])
    await service.reach(cancelled, "scheduled")
    service.tell(command="cancel", subject_request_id=cancelled["subject_request_id"], subject_identities=[])
    await service.reach(cancelled, "cancelled")
    for _ in range(24):
        service.clock.advance(days=1)
        await asyncio.sleep(0.05)


def refuse(service):
    """Identities that cannot be asked for, requests that cannot be done, projects that are not there."""
    odd = [identity(EMAILS[1], "fax"), identity(EMAILS[0], "email", "sha256"), identity(USERS[1], "amplitude_id")]
    service.tell(subject_identities=odd)
    service.tell(subject_identities=[identity(f"  {' ' * n}") for n in range(2)])
    service.tell(USERS[0], subject_request_id=EMAILS[1])
    service.tell(USERS[0], subject_request_type="access")
    service.tell(USERS[0], project="elsewhere")
    service.tell(USERS[0], submitted_time=None)
    once = service.tell(USERS[2])
    service.tell(USERS[3], subject_request_id=once["subject_request_id"])


async def park(service):
    """Keys that are refused, then good ones again."""
    good = service.access
    service.access = replace(good, keys=replace(good.keys, secret_key=Secret(WRONG_KEY)))
    record = service.tell(USERS[1])
    await service.until(lambda: any(o.notice for o in service.about(record)))
    service.access = good
    await service.reach(record, "scheduled")


async def failures(service):
    """What the client raises in each kind of trouble, as a traceback would print it."""
    wrong = replace(service.access, keys=replace(service.access.keys, secret_key=Secret(WRONG_KEY)))
    nowhere = replace(service.access, base_url="http://127.0.0.1:9")
    client = AmplitudeClient(service.clock)
    asks = [
        lambda access: client.schedule(access, CALL, lambda: None),
        lambda access: client.jobs(access, "2026-06-01", "2026-07-01", lambda: None),
        lambda access: client.revoke(access, int(AMPLITUDE_IDS[1]), "2026-06-28", lambda: None),
    ]
    for ask in asks:
        for fault in FAULTS:
            service.pocket.world.faults.clear()
            service.pocket.misbehave(replace(fault, method=None, count=1))
            yield await failure(ask(service.access))
        service.pocket.world.faults.clear()
        yield await failure(ask(wrong))
        yield await failure(ask(nowhere))
    await client.close()


async def failure(call):
    try:
        await call
    except CallFailed as failed:
        return failed
    return None


def poisoned():
    """Records that nobody can answer, with a person in their key, value and headers: what became of them."""
    codec = Codec(DirectorySource())
    good = codec.encode(schemas.COMMANDS, {k: v for k, v in fields(JUNK).items() if v is not None})
    turn = Turn({}, 0)
    intake = Intake(codec.decode_command, dict, 1)
    values = [JUNK.encode(), b"\0\0\0\0\1" + JUNK.encode(), good + JUNK.encode(), good[:-9], b""]
    for offset, value in enumerate(values):
        intake.take(turn, Record(Partition(0), offset, JUNK.encode(), value))
    assert {Reason.UNDECODABLE, Reason.UNKNOWN_SCHEMA, Reason.TRAILING_BYTES, Reason.EMPTY_RECORD} == {
        letter.reason for letter in turn.dead
    }
    return turn.dead


async def show(service, meter, registry, lines):
    """Count and report what happened, and gather everything that can be seen of it."""
    shown, codec, dead = Shown(), Codec(DirectorySource()), poisoned()
    tell(service, meter, dead)
    for outcome in service.outcomes:
        shown.add("outcome", json.dumps(outcome_out(outcome), default=str))
        shown.add("outcome's bytes", codec.encode(schemas.OUTCOMES, outcome_out(outcome)))
        shown.add("outcome's headers", cloudevents.headers(outcome, outcome.traceparent))
        shown.add("outcome's repr", outcome)
    for letter in dead:
        shown.add("dead letter's headers", why_dead(letter.record, "dsr.commands", letter.reason, 0))
        shown.add("dead letter's repr", letter)
    raised = [error async for error in failures(service) if error is not None]
    assert {"credentials", "throttled", "unreachable", "rejected", "lost"} == {error.fault.value for error in raised}
    for error in raised:
        shown.add("error", "".join(traceback.format_exception(error)) + repr(error) + repr(error.__dict__))
        structlog.get_logger().error("call", exc_info=error)
        logging.getLogger("anyone").error("call", exc_info=error)
    shown.add("access and call", (service.access, CALL))
    await scrape(shown, registry, probes(service))
    shown.add("log", lines.getvalue())
    return shown


def tell(service, meter, dead):
    for post in service.seen.posts:
        meter.called("shop", "POST", "ok", 0.1)
        meter.batched("shop", len(post))
    for outcome in service.outcomes:
        meter.said(outcome)
    for letter in dead:
        meter.buried(letter.reason)
    meter.committed(0.1, len(service.outcomes))
    meter.restored(1.0)


def probes(service):
    lane = LaneReport("shop", 3, service.clock.now(), 1, 1.0, True, Reason.CREDENTIALS_REFUSED)
    stream = StreamReport(alive=True, turned_at=0.0, halted={0: Reason.TOO_MANY_DEAD_LETTERS}, active=3)
    return Probes(lambda: stream, lambda: [lane], service.clock)


async def scrape(shown, registry, probes):
    async with AdminServer(registry, probes) as server, aiohttp.ClientSession() as session:
        for path in ("/", "/metrics", "/healthz", "/readyz", f"/{quote(USERS[0])}"):
            async with session.get(f"http://127.0.0.1:{server.port}{path}") as answer:
                shown.add(path, await answer.text())
                shown.add(f"{path}'s headers", str(answer.headers))


async def test_nothing_that_the_service_shows_names_a_person_or_a_key(capfd):
    """The promise. What was searched is asserted too: a search through nothing would pass."""
    async with running() as (service, meter, registry, lines):
        await live(service)
        assert not service.pocket.world.faults, "every trouble was met"
        shown = await show(service, meter, registry, lines)
    printed = capfd.readouterr()
    shown.add("stdout", printed.out)
    shown.add("stderr", printed.err)
    said = {o.stage.value for o in service.outcomes} | {o.reason.value for o in service.outcomes if o.reason}
    assert {"scheduled", "done", "cancelled", "refused", "credentials_refused", "unknown_project"} <= said
    assert {"batch sent", "committed", "dead letters", "library"} <= {line["event"] for line in lines.all}
    assert {*USERS, GHOST, SEVERAL, EMAILS[0]} <= set(service.seen.times_sent())
    assert len(shown.parts) > 100
    assert [] == shown.leaks


COPYING = [
    Fault(Kind.STATUS, "DSAR", status=500),
    Fault(Kind.APPLIED_DROP, "DSAR"),
    Fault(Kind.STATUS, "DSAR_GET", status=429),
    Fault(Kind.STATUS, "DSAR_OUTPUT", status=503),
    Fault(Kind.STATUS, "LINK", status=403),
    Fault(Kind.CORRUPT, "LINK"),
    Fault(Kind.CUT, "LINK"),
]


@pytest.mark.parametrize("org_keys", [True, False])
async def test_copies_show_nobody_but_to_the_person(org_keys, capfd):
    """Outcomes, logs, names of files, manifests; the events and the page do name the person, which shows the search."""
    shown, codec = Shown(), Codec(DirectorySource())
    with configured("debug") as lines:
        logging.getLogger().setLevel(logging.DEBUG)
        async with Copying(org_keys=org_keys) as bench:
            bench.pocket.misbehave(*COPYING)
            records = [bench.ask(user) for user in (*USERS, GHOST, SEVERAL)]
            for record in records:
                await bench.reach(record, "delivered", "not_found", seconds=20)
            for outcome in bench.outcomes:
                shown.add("outcome", json.dumps(outcome_out(outcome), default=str) + repr(outcome))
                shown.add("outcome's bytes", codec.encode(schemas.OUTCOMES, outcome_out(outcome)))
                shown.add("outcome's headers", cloudevents.headers(outcome, outcome.traceparent))
            pages = Shown()
            for name in bench.files():
                shown.add("file's name", name)
                text = (bench.folder / name).read_text() if name.endswith((".json", ".html")) else ""
                (pages if name.endswith(".html") else shown).add(name, text)
    shown.add("log", lines.getvalue())
    printed = capfd.readouterr()
    shown.add("printed", printed.out + printed.err)
    assert [] == shown.leaks
    assert {*USERS, SEVERAL} <= {value for _, value in pages.leaks}


@pytest.mark.parametrize("value", HIDDEN)
@pytest.mark.parametrize(
    "leak",
    [
        str,
        str.upper,
        repr,
        json.dumps,
        lambda v: quote(v, safe=""),
        lambda v: v.encode().hex(),
        lambda v: base64.b64encode(v.encode()).decode(),
        lambda v: base64.b64encode(f"k:{v}:more".encode()).decode(),
        lambda v: base64.b64encode(f"k{v}:more".encode()).decode(),
        lambda v: base64.urlsafe_b64encode(f"{v}!".encode()).decode(),
        lambda v: hashlib.sha256(v.encode()).hexdigest(),
        lambda v: repr(v.encode()),
    ],
    ids=[
        "plain",
        "upper",
        "repr",
        "json",
        "url",
        "hex",
        "base64",
        "within-base64",
        "shifted-base64",
        "urlsafe",
        "sha256",
        "bytes",
    ],
)
def test_the_search_finds_each_value_in_each_form(value, leak):
    """Negative control of the search itself."""
    assert value in found(HIDDEN, f'{{"event": "sent", "to": "x{leak(value)}y"}}')


def test_forms_are_long_enough_to_mean_something():
    """A short one would be found by chance, or hide that it is the wrong one."""
    assert all(len(form) >= 9 for value in HIDDEN for form in forms(value))


async def test_a_leak_on_purpose_is_caught(capfd):
    """Negative control of the whole: a log line, a label, a print and an exception, each found where it is."""
    async with running() as (service, meter, registry, lines):
        await service.reach(service.tell(USERS[0]), "scheduled")
        shown = Shown()
        structlog.get_logger().debug("sent", to=USERS[0])
        meter.called("shop", "POST", SECRET_KEY, 0.1)
        print(EMAILS[0].encode().hex())
        shown.add("error", traceback.format_exception(KeyError(AMPLITUDE_IDS[0])))
        shown.add("metrics", generate_latest(registry))
        shown.add("log", lines.getvalue())
    shown.add("stdout", capfd.readouterr().out)
    wanted = {("error", AMPLITUDE_IDS[0]), ("metrics", SECRET_KEY), ("log", USERS[0]), ("log", SECRET_KEY)}
    assert wanted | {("stdout", EMAILS[0])} == set(shown.leaks)
