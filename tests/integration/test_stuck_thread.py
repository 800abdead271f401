"""A call into the Kafka client that never returns must end the process, for a supervisor to start it again."""

import asyncio
import threading

import pytest

import consumer.service
from consumer.adapters.kafka.producing import Aborted
from consumer.adapters.kafka.transaction import Transactor
from consumer.domain.errors import Fatal, Reason
from consumer.sandbox.broker import EmbeddedBroker
from consumer.service import RequestsStage
from consumer.settings import AdminSettings, KafkaSettings, Settings


async def test_a_kafka_thread_that_does_not_come_back_is_fatal(monkeypatch):
    """Seen of `send_offsets_to_transaction` after a broker was killed: its time-out does not end it."""
    let_go = threading.Event()

    class Stuck(Transactor):
        def commit(self, *_):
            let_go.wait()
            raise Aborted

    monkeypatch.setattr(consumer.service, "Transactor", Stuck)
    with EmbeddedBroker({"dsr.commands": 1, "dsr.ledger": 1}) as broker:
        kafka = KafkaSettings(bootstrap_servers=broker.bootstrap, partitions=1, verify_topics=False)
        stage = RequestsStage(Settings(kafka=kafka, admin=AdminSettings(port=None)), stuck_s=3)
        asyncio.get_running_loop().call_later(6, let_go.set)  # the test's own thread must not outlive it
        with pytest.raises(Fatal) as fatal:
            await stage.run()
        assert fatal.value.reason is Reason.BROKER_UNREACHABLE
