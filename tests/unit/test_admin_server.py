"""The admin port, over a real socket."""

import socket
import threading
from contextlib import asynccontextmanager
from dataclasses import replace

import aiohttp
import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as read_openmetrics
from prometheus_client.parser import text_string_to_metric_families as read_text
from prometheus_client.registry import Collector
from structlog.testing import capture_logs

from consumer.adapters.admin_server import AdminServer
from consumer.adapters.gauges import Gauges
from consumer.adapters.metrics import PrometheusMeter
from consumer.adapters.probes import TURN_LIMIT_S, Probes
from consumer.domain.errors import Fatal, Reason
from tests.fakes.reports import WORKING, Member


@asynccontextmanager
async def admin(**given):
    """A member, and a function that asks its admin port: (status, body as JSON or text, content type)."""
    member = Member(**given)
    server = AdminServer(PrometheusMeter(lambda: ["shop"]).registry, member.probes, gauges=Gauges(member.probes))
    async with server, aiohttp.ClientSession() as session:

        async def ask(path, **headers):
            async with session.get(f"http://127.0.0.1:{server.port}{path}", headers=headers) as answer:
                is_json = answer.content_type == "application/json"
                body = await (answer.json() if is_json else answer.text())
                return answer.status, body, answer.headers["Content-Type"]

        yield member, ask


async def test_metrics_come_in_the_format_that_the_scraper_prefers():
    """Both parse, and both carry counters and gauges."""
    async with admin() as (_, ask):
        for accept, read, wanted in [
            ("text/plain", read_text, "text/plain; version=0.0.4"),
            (
                "application/openmetrics-text; version=1.0.0",
                read_openmetrics,
                "application/openmetrics-text; version=1",
            ),
        ]:
            status, body, content_type = await ask("/metrics", Accept=accept)
            assert (status, content_type[: len(wanted)]) == (200, wanted)
            names = {family.name.removesuffix("_total") for family in read(body)}
            assert {"dsr_dead_letters", "dsr_ready", "dsr_project_up", "process_resident_memory_bytes"} <= names


async def test_lanes_are_asked_in_the_event_loop_and_the_text_is_made_elsewhere():
    """Lanes belong to the loop; a thousand projects' text would keep their calls waiting."""
    asked, encoding = [], []
    meter, member = PrometheusMeter(lambda: ["shop"]), Member()
    probes = Probes(lambda: WORKING, lambda: asked.append(threading.current_thread()) or [], member)

    class Late(Collector):
        def collect(self):
            encoding.append(threading.current_thread())
            return []

    meter.registry.register(Late())
    encoding.clear()
    async with (
        AdminServer(meter.registry, probes, gauges=Gauges(probes)) as server,
        aiohttp.request("GET", f"http://127.0.0.1:{server.port}/metrics") as answer,
    ):
        assert answer.status == 200
    assert {threading.main_thread()} == set(asked)
    assert encoding
    assert threading.main_thread() not in encoding


async def test_the_index_names_the_three_and_there_is_nothing_else():
    """For a person with a browser."""
    async with admin() as (_, ask):
        status, body, _ = await ask("/")
        assert status == 200
        for path in ("/metrics", "/healthz", "/readyz"):
            assert path in body
            assert (await ask(path))[0] == 200
        assert (await ask("/debug"))[0] == 404


async def test_healthy_while_the_kafka_thread_turns():
    """A thread that is stuck, or has ended, is what a restart cures."""
    async with admin() as (member, ask):
        member.monotonic_s += TURN_LIMIT_S - 1
        assert (await ask("/healthz"))[0] == 200
        member.monotonic_s += 1
        status, body, _ = await ask("/healthz")
        assert (status, body["alive"], body["failed"]) == (503, False, ["kafka_thread_stuck"])
        member.stream = replace(WORKING, turned_at=member.monotonic_s, alive=False)
        assert ["kafka_thread_ended"] == (await ask("/healthz"))[1]["failed"]


async def test_health_does_not_depend_on_anybody_else():
    """Out of the group, without a transaction, paused, parked: a restart would mend none of it."""
    lonely = replace(WORKING, joined=False, proven_at=None, restoring=(1,), intake=Reason.REGISTRY_UNAVAILABLE)
    async with admin(stream=lonely) as (member, ask):
        assert (await ask("/healthz"))[0] == 200
        member.stream = None
        assert (await ask("/healthz"))[0] == 200
        member.monotonic_s += TURN_LIMIT_S
        assert (await ask("/healthz"))[0] == 503


@pytest.mark.parametrize(
    ("stream", "failed"),
    [
        (None, ["not_in_the_group"]),
        (replace(WORKING, joined=False), ["not_in_the_group"]),
        (replace(WORKING, restoring=(2,)), ["restoring"]),
        (replace(WORKING, alive=False), ["kafka_thread_ended"]),
        (replace(WORKING, owned=()), []),
        (WORKING, []),
    ],
)
async def test_ready_when_in_the_group_and_restored(stream, failed):
    """A spare member without partitions is ready too."""
    async with admin(stream=stream) as (_, ask):
        status, body, _ = await ask("/readyz")
        assert (200 if not failed else 503, failed, not failed) == (status, body["failed"], body["ready"])


async def test_not_ready_from_the_moment_it_is_asked_to_end():
    """And still alive: it has a turn to finish."""
    async with admin() as (member, ask):
        member.probes.drain()
        assert ["stopping"] == (await ask("/readyz"))[1]["failed"]
        assert (await ask("/healthz"))[0] == 200


async def test_halted_and_parked_is_ready_and_said():
    """Taking the member out of the group would not help anybody."""
    halted = replace(WORKING, halted={7: Reason.TOO_MANY_DEAD_LETTERS}, intake=Reason.BACKLOG_FULL)
    async with admin(stream=halted) as (_, ask):
        status, body, _ = await ask("/readyz")
        assert status == 200
        assert {"7": "too_many_dead_letters"} == body["halted"]
        assert ["backlog_full", "too_many_dead_letters"] == body["intake_paused"]
        assert {"shop": "credentials_refused"} == body["parked"]


async def test_a_port_that_is_taken_is_a_sentence():
    """With the settings' exit code, and the socket's own error not shown."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        server = AdminServer(PrometheusMeter(list).registry, Member().probes, port=port)
        with pytest.raises(Fatal) as failed:
            await server.start()
    assert failed.value.reason is Reason.INVALID_SETTINGS
    assert failed.value.detail == f"the admin port {port} is in use; give another one, or 0 for any that is free"
    assert failed.value.__cause__ is None


async def test_the_chosen_port_is_logged_and_closed_at_the_end():
    """Port 0 would be of no use otherwise."""
    with capture_logs() as lines:
        async with AdminServer(PrometheusMeter(list).registry, Member().probes) as server:
            port = server.port
    (line,) = lines
    assert ("admin port open", "127.0.0.1", port) == (line["event"], line["host"], line["port"])
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", port))
