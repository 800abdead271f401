"""Rule 4: nothing is asked of Amplitude before the ledger durably says that it may have been asked."""

import signal
import time

import pytest

import schemas
from consumer.sandbox.amplitude.knobs import Knobs
from consumer.sandbox.amplitude.server import PocketAmplitude
from consumer.sandbox.amplitude.thread import PocketThread
from consumer.sandbox.clock import ScaledClock
from tests.conftest import missing
from tests.fakes.commands import fields
from tests.integration import intake_worker
from tests.integration.seams import Watch
from tests.integration.test_rule_lease import APP, WholeMembers
from tests.integration.whole import Whole
from tests.kafka.local_kafka import LocalKafka, Unavailable
from tests.kafka.proxy import FaultProxy, Mode


class WriteAhead(Watch):
    """Strikes once, at an instant of the transaction that writes `dispatching`: no command is in it. What followed
    is in `story`, in order."""

    def __init__(self, instant, strike):
        self._instant, self._strike, self._in_it, self.story = instant, strike, False, []

    def closing(self, moved, topics):
        if not moved and any(topic.endswith(".ledger") for topic in topics):
            self._in_it = True
            self._at("closing")

    def committing(self):
        self._at("committing")

    def ended(self, committed, began):
        self._at("committed" if committed else "aborted")

    def sent(self, method, access):
        self.story.append(method)

    def _at(self, instant):
        if self._in_it:
            self.story.append(instant)
            if instant == self._instant and self._strike is not None:
                self._strike, strike = None, self._strike
                strike()


@pytest.mark.slow
def test_while_the_broker_is_down_nothing_is_sent_that_is_not_written(dedicated_kafka):
    """Rule 4: SIGKILL of the broker between the write-ahead and its commit; the next life of the member sends once."""
    now = int(time.time() * 1000)
    with PocketThread(PocketAmplitude(ScaledClock(now), Knobs(gate_s=0.0))) as server:
        members = WholeMembers(dedicated_kafka.bootstrap, server.pocket)
        try:
            members.start("one", freeze_at="ahead")
            record = fields("u-1001", submitted_time=now, issued_time=now)
            members.send([intake_worker.codec.encode(schemas.COMMANDS, record)])
            members.hear("one", "frozen")
            dedicated_kafka.kill9()
            members.members["one"].send_signal(signal.SIGCONT)
            members.hear("one", "woken")
            time.sleep(3)
            assert not server.pocket.seen(APP).posts
            members.kill("one")
            dedicated_kafka.start()
            members.start("one")
            said = members.wait_for(3)
        finally:
            members.stop()
        assert ["accepted", "dispatching", "scheduled"] == [o["stage"] for o in said]
        assert {"u-1001": 1} == server.pocket.seen(APP).times_sent()


@pytest.fixture
def stalling():
    """A broker that is reached through a proxy."""
    with FaultProxy(0) as proxy:
        try:
            kafka = LocalKafka(advertised_port=proxy.port)
        except Unavailable as reason:
            missing(reason)
        proxy._upstream_port = kafka.port
        kafka.start()
        yield kafka, proxy
        proxy.mode = Mode.PASS
        kafka.stop()


async def test_a_commit_that_timed_out_is_asked_for_again_and_never_aborted(stalling, monkeypatch):
    """Rule 4: a commit in doubt may have happened; only asking again can tell."""
    kafka, proxy = stalling
    watch = WriteAhead("committing", lambda: setattr(proxy, "mode", Mode.STALL))
    async with Whole(kafka.bootstrap, monkeypatch, watch=watch) as whole:
        whole.start()
        record = await whole.tell("u-1001")
        await whole.until(lambda: watch.story.count("committing") == 2)
        assert not whole.seen.posts
        proxy.mode = Mode.PASS
        await whole.reach(record, "scheduled")
        assert ["closing", "committing", "committing", "committed", "POST"] == watch.story[:5]
        assert ["accepted", "dispatching", "scheduled"] == await whole.stages(record)
