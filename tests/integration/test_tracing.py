"""Traces of a whole service on the embedded broker and the pocket Amplitude, as a collector receives them."""

import asyncio
import os
import socket
import subprocess
import sys
import time
from contextlib import asynccontextmanager

import pytest
from confluent_kafka import Consumer, Producer

import schemas
from consumer.adapters.avro.codec import Codec
from consumer.adapters.avro.source import DirectorySource
from consumer.adapters.tracing import open_tracer
from consumer.domain.errors import Fatal, Reason
from consumer.lanes import LanePolicy
from consumer.sandbox.amplitude.knobs import Knobs
from consumer.sandbox.amplitude.server import PocketAmplitude
from consumer.sandbox.broker import EmbeddedBroker
from consumer.sandbox.clock import ManualClock
from consumer.service import RequestsStage
from consumer.settings import AdminSettings, KafkaSettings, ProjectSettings, Settings
from tests.fakes.commands import fields
from tests.fakes.copying import Copying
from tests.fakes.log_capture import configured
from tests.fakes.search import found
from tests.fakes.service import Service
from tests.integration.collector import collecting, told

CODEC = Codec(DirectorySource())
SAMPLED, OTHER, UNSAMPLED = (
    f"00-{digit * 32}-{'b' * 16}-{flag}" for digit, flag in (("a", "01"), ("c", "01"), ("d", "00"))
)
USERS = ("quetzal.möbius", "ottoline@kumquat.example")
TOPICS = {"dsr.commands": 1, "dsr.outcomes": 1, "dsr.commands.dlq": 1, "dsr.ledger": 1}
FAST = LanePolicy(linger_s=0.4, requester="dsr", least_interval_s=0.02, poll_every_ms=3_600_000)
AMPLITUDE_ID, DSAR = 4815162342108, "/api/2/dsar/requests"
ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"


@pytest.fixture(autouse=True)
def environment(monkeypatch):
    """Nothing of the caller's collector; spans leave soon."""
    for name in [name for name in os.environ if name.startswith("OTEL_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "100")
    return monkeypatch


class Running:
    """One project, `shop`, that may be asked for by e-mail."""

    def __init__(self, broker, pocket, clock):
        access = pocket.access("829000")
        self.pocket, self.clock, self.keys = (
            pocket,
            clock,
            [access.keys.api_key.reveal(), access.keys.secret_key.reveal()],
        )
        keys = dict(zip(("api_key", "secret_key"), self.keys, strict=True))
        kafka = KafkaSettings(bootstrap_servers=broker.bootstrap, partitions=1, verify_topics=False)
        projects = {"shop": ProjectSettings(base_url=access.base_url, **keys)}
        settings = Settings(kafka=kafka, projects=projects, admin=AdminSettings(port=None))
        self.stage = RequestsStage(settings, clock, FAST)
        self.task = asyncio.create_task(self.stage.run())
        self.producer = Producer({"bootstrap.servers": broker.bootstrap})
        self.reader = Consumer(
            {"bootstrap.servers": broker.bootstrap, "group.id": "reader", "auto.offset.reset": "earliest"}
        )
        self.reader.subscribe(["dsr.outcomes"])
        self.read = []

    def tell(self, *users, trace=None, value=None):
        now = self.clock.now()
        record = fields(*users, submitted_time=now, issued_time=now)
        headers = {"traceparent": trace} if trace else {}
        value = value or CODEC.encode(schemas.COMMANDS, record)
        self.producer.produce("dsr.commands", value, b"key-xylograph", partition=0, headers=headers)
        assert self.producer.flush(10) == 0
        return record["subject_request_id"]

    async def said(self, request, stage):
        """The headers of the request's outcomes, up to the one that says the stage."""

        def there():
            message = self.reader.poll(0)
            if message is not None and message.error() is None:
                outcome = CODEC.decode(schemas.OUTCOMES, message.value())
                self.read.append((outcome, dict(message.headers())))
            ours = [(o, h) for o, h in self.read if o["subject_request_id"] == request]
            return any(o["stage"] == stage for o, _ in ours) and [headers for _, headers in ours]

        return await self.until(there)

    async def until(self, true):
        until = time.monotonic() + 20
        while not (found := true()):
            if self.task.done():
                await self.task
            assert time.monotonic() < until, "it never came"
            await asyncio.sleep(0.02)
        return found

    async def end(self):
        self.stage.stop()
        await self.task
        self.reader.close()


@asynccontextmanager
async def running():
    clock = ManualClock(int(time.time() * 1000))
    pocket = PocketAmplitude(clock, Knobs(gate_s=0.0))
    await pocket.start()
    try:
        with EmbeddedBroker(TOPICS) as broker:
            service = Running(broker, pocket, clock)
            try:
                yield service
            finally:
                await service.end()
    finally:
        await pocket.stop()


def context(headers):
    return headers["traceparent"].decode().split("-")


async def test_a_command_is_followed_from_its_producer_to_its_outcomes(environment):
    """One trace; the call that joins two of them is linked to both; nobody's name is in any byte of it."""
    async with collecting() as collector:
        environment.setenv(ENDPOINT, collector.url)
        with configured() as lines:
            async with running() as service:
                one = service.tell(USERS[0], trace=SAMPLED)
                two = service.tell(USERS[1], trace=OTHER)
                junk = service.tell(value=USERS[0].encode(), trace=SAMPLED)
                first, second = await service.said(one, "scheduled"), await service.said(two, "scheduled")
        assert 1 == lines.getvalue().count("http/protobuf")
    assert "amplitude-dsr" == collector.service
    assert {"a" * 32} == {context(headers)[1] for headers in first}
    assert {"c" * 32} == {context(headers)[1] for headers in second}
    assert len(first) == len({context(headers)[2] for headers in first}) >= 3
    taken = collector.named("process dsr.commands")
    assert [("a" * 32, "b" * 16), ("c" * 32, "b" * 16)] == [
        (span.trace_id.hex(), span.parent_span_id.hex()) for span in taken[:2]
    ]
    assert "undecodable" == told(taken[2])["error.type"]
    wanted = {"messaging.system": "kafka", "messaging.operation.type": "process", "messaging.operation.name": "process"}
    assert wanted.items() <= told(taken[0]).items()
    created = {span.span_id.hex(): span for span in collector.named("create dsr.outcomes")}
    assert {context(headers)[2] for headers in first + second} <= created.keys()
    parents = {span.span_id for span in taken}
    assert {True} == {span.parent_span_id in parents for span in created.values()}
    [post] = collector.named("POST /api/2/deletions/users")
    assert {"a" * 32, "c" * 32} == {link.trace_id.hex() for link in post.links}
    assert {"http.request.method", "url.template", "http.response.status_code", "server.address"} == told(post).keys()
    assert 200 == told(post)["http.response.status_code"]
    assert collector.named("commit dsr.commands")
    hidden = [*USERS, *service.keys, one, two, junk, "key-xylograph"]
    assert [] == found(hidden, collector.raw)
    assert found(hidden, collector.raw + USERS[1].encode())


async def test_what_was_not_sampled_stays_so_and_what_is_no_context_is_dropped(environment):
    """The flag that came in decides; a header that means nothing fails nothing and goes nowhere."""
    async with collecting() as collector:
        environment.setenv(ENDPOINT, collector.url)
        async with running() as service:
            quiet = await service.said(service.tell("u-1", trace=UNSAMPLED), "scheduled")
            odd = await service.said(service.tell("u-2", trace="jane@kumquat.example"), "scheduled")
    assert {("d" * 32, "00")} == {(context(headers)[1], context(headers)[3]) for headers in quiet}
    assert not [span for span in collector.spans if span.trace_id.hex() == "d" * 32]
    assert [] == found(["jane@kumquat.example"], collector.raw + repr(odd).encode())
    [taken] = collector.named("process dsr.commands")
    assert b"" == taken.parent_span_id
    assert {taken.trace_id.hex()} == {context(headers)[1] for headers in odd}


@asynccontextmanager
async def traced(environment, bench):
    """A rehearsal whose spans go to a collector; they are all there at the end."""
    async with collecting() as collector:
        environment.setenv(ENDPOINT, collector.url)
        bench.tracer = open_tracer(os.environ, "group")
        async with bench:
            yield collector
        await asyncio.to_thread(bench.tracer.close)


@pytest.mark.parametrize(
    ("org_keys", "templates"),
    [
        (True, {f"POST {DSAR}", f"GET {DSAR}/{{request_id}}", f"GET {DSAR}/{{request_id}}/outputs/{{output_id}}"}),
        (False, {"GET /api/2/usersearch", "GET /api/2/useractivity"}),
    ],
)
async def test_calls_for_a_copy_are_children_of_its_command_and_name_no_number(environment, org_keys, templates):
    """By Amplitude's DSAR API and without it: the numbers of jobs, files and people are left out of the path."""
    bench = Copying(org_keys=org_keys)
    async with traced(environment, bench) as collector:
        await bench.reach(bench.ask("u-1", trace=SAMPLED), "delivered")
    assert templates == {span.name for span in collector.spans}
    assert {("a" * 32, "b" * 16)} == {(s.trace_id.hex(), s.parent_span_id.hex()) for s in collector.spans}
    assert {200, 202, 302} >= {told(span)["http.response.status_code"] for span in collector.spans}


async def test_a_revocation_belongs_to_the_request_that_is_revoked(environment):
    """Its path holds an Amplitude ID and a day; its span holds neither."""
    bench = Service()
    async with traced(environment, bench) as collector:
        bench.pocket.world.people.seed("829000", "u-1", (AMPLITUDE_ID,))
        record = bench.tell("u-1", trace=SAMPLED)
        await bench.reach(record, "scheduled")
        bench.cancel(record)
        await bench.reach(record, "cancelled")
    [delete] = collector.named("DELETE /api/2/deletions/users/{amplitude_id}/{day}")
    assert "a" * 32 == delete.trace_id.hex()
    assert [] == found([str(AMPLITUDE_ID)], collector.raw)


@pytest.mark.parametrize("answers", [True, False], ids=["a collector that never answers", "nobody"])
async def test_a_dead_collector_neither_slows_nor_breaks_the_service(environment, answers):
    """It is said once, without a word of the library's."""
    with socket.socket() as dead:
        dead.bind(("127.0.0.1", 0))
        port = dead.getsockname()[1]
        if answers:
            dead.listen(50)
        environment.setenv(ENDPOINT, f"http://127.0.0.1:{port}")
        environment.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "30" if answers else "0.3")
        with configured() as lines:
            async with running() as service:
                began = time.monotonic()
                headers = await service.said(service.tell("u-1", trace=SAMPLED), "scheduled")
                assert time.monotonic() - began < 10
                assert "a" * 32 == context(headers[0])[1]
                if not answers:
                    await service.until(lambda: "traces are lost" in lines.getvalue())
        assert (0 if answers else 1) == lines.getvalue().count("traces are lost")
        assert str(port) not in lines.getvalue()
        assert "opentelemetry" not in lines.getvalue()


def test_the_end_waits_for_a_silent_collector_for_two_seconds_at_most(environment):
    """The spans that are left are lost; a pod's grace period is not."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        environment.setenv(ENDPOINT, f"http://127.0.0.1:{silent.getsockname()[1]}")
        tracer = open_tracer(os.environ, "group")
        with tracer.calling("GET", None, ""):
            pass
        began = time.monotonic()
        tracer.close()
        assert 1.5 < time.monotonic() - began < 3


def test_a_variable_that_opentelemetry_does_not_take_stops_the_start(environment):
    """As a wrong setting of ours does; its value is not repeated."""
    environment.setenv(ENDPOINT, "http://127.0.0.1:9")
    environment.setenv("OTEL_SPAN_LINK_COUNT_LIMIT", "jane")
    with pytest.raises(Fatal) as stopped:
        open_tracer(os.environ, "group")
    assert stopped.value.reason is Reason.INVALID_SETTINGS
    assert "jane" not in str(stopped.value)
    assert stopped.value.__cause__ is None


async def test_it_is_off_unless_asked_for_and_contexts_still_travel():
    """Unchanged, as they came."""
    async with running() as service:
        headers = await service.said(service.tell("u-1", trace=SAMPLED), "scheduled")
    assert {SAMPLED.encode()} == {each["traceparent"] for each in headers}


PROGRAM = """
import os, sys
if os.environ["WITHOUT"] == "yes":
    sys.modules["opentelemetry"] = None
from consumer.adapters.tracing import open_tracer
import consumer.service
print(type(open_tracer(os.environ, "group")).__name__, any(n.startswith("opentelemetry.") for n in sys.modules))
"""


@pytest.mark.parametrize(
    ("asked", "without", "tracer"),
    [
        ({}, "no", "NoTracer False"),
        ({ENDPOINT: "http://127.0.0.1:9"}, "yes", "NoTracer False"),
        ({ENDPOINT: "http://127.0.0.1:9", "OTEL_TRACES_EXPORTER": "none"}, "no", "NoTracer False"),
        ({ENDPOINT: "http://127.0.0.1:9", "OTEL_SDK_DISABLED": "true"}, "no", "NoTracer False"),
        ({"OTEL_TRACES_EXPORTER": "otlp"}, "no", "OtlpTracer True"),
    ],
)
def test_nothing_of_opentelemetry_is_imported_unless_it_is_used(asked, without, tracer):
    """Not asked for, not installed, or switched off."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("OTEL_")}
    environ |= {"WITHOUT": without} | asked
    done = subprocess.run([sys.executable, "-c", PROGRAM], env=environ, capture_output=True, text=True, timeout=60)
    assert tracer == done.stdout.splitlines()[-1], done.stderr
    assert (without == "yes") == ("amplitude-dsr[tracing]" in done.stdout + done.stderr)
