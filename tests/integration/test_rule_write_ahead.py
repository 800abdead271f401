"""Rule 4: nothing is asked of Amplitude before the ledger durably says that it may have been asked."""

import asyncio

import pytest

from tests.integration.seams import Watch
from tests.integration.whole import Whole
from tests.kafka.local_kafka import LocalKafka, Unavailable, free_port
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


@pytest.mark.parametrize("instant", ["closing", pytest.param("committing", marks=pytest.mark.slow)])
async def test_while_the_broker_is_down_nothing_is_sent_that_is_not_written(instant, dedicated_kafka, monkeypatch):
    """Rule 4: SIGKILL of the broker between the write-ahead and its commit."""
    watch = WriteAhead(instant, dedicated_kafka.kill9)
    async with Whole(dedicated_kafka.bootstrap, monkeypatch, watch=watch) as whole:
        whole.start()
        record = await whole.tell("u-1001")
        await whole.until(lambda: instant in watch.story)
        await asyncio.sleep(1)
        assert not whole.seen.posts
        assert "committed" not in watch.story
        await asyncio.to_thread(dedicated_kafka.start)
        await whole.reach(record, "scheduled")
        assert watch.story.index("committed") < watch.story.index("POST")
        assert ["accepted", "dispatching", "scheduled"] == await whole.stages(record)
        assert {"u-1001": 1} == whole.seen.times_sent()


@pytest.fixture
def stalling():
    """A broker that is reached through a proxy."""
    try:
        port = free_port()
        kafka = LocalKafka(advertised_port=port)
    except Unavailable as reason:
        pytest.skip(str(reason))
    with FaultProxy(kafka.port, port) as proxy:
        kafka.start()
        yield kafka, proxy
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
