"""A member that only takes commands in: `python -m tests.integration.intake_worker BOOTSTRAP NAME PREFIX PARTITIONS`.

It is the real Kafka thread with a desk and nobody behind it, in a process that can be killed.
"""

import sys
import time

import schemas
from consumer.adapters.avro.codec import Codec
from consumer.adapters.avro.source import DirectorySource
from consumer.adapters.kafka.stream import Stream
from consumer.adapters.kafka.transaction import Encoders, Topics, Transactor
from consumer.adapters.ledger_codec import ledger_codec
from consumer.adapters.wire import halt_out, outcome_out, project_out
from consumer.desk import RequestDesk
from consumer.domain.command import ProjectRule
from consumer.ledger import Shard
from consumer.requests import Intake

RULES = {f"p{n}": ProjectRule(f"p{n}", f"org-{n}") for n in range(20)}
codec = Codec(DirectorySource())
ledger = ledger_codec(codec)


class RealClock:
    """The machine's clocks."""

    def now(self):
        return int(time.time() * 1000)

    def monotonic(self):
        return time.monotonic()


class Nobody:
    """Followers that follow nothing."""

    def opened(self, partition, epoch, states, watched):
        pass

    def project_changed(self, partition, states):
        pass

    def settling(self, partition):
        pass

    def busy(self, partition):
        return False

    def closed(self, partition):
        pass

    def changed(self, partition, entries):
        pass


def shard_of():
    return Shard(ledger, 60 * 86_400_000)


def topics(prefix):
    return Topics(f"{prefix}.commands", f"{prefix}.outcomes", f"{prefix}.dlq", f"{prefix}.ledger")


def stream(
    bootstrap, name, prefix, partitions, transactor=Transactor, decode=codec.decode_command, followers=None, **more
):
    encoders = Encoders(
        entry=ledger.encode,
        project=lambda s: codec.encode(schemas.LEDGER, project_out(s)),
        halt=lambda h: codec.encode(schemas.LEDGER, halt_out(h)),
        outcome=lambda o: codec.encode(schemas.OUTCOMES, outcome_out(o)),
    )
    config = {
        "bootstrap.servers": bootstrap,
        "group.id": f"{prefix}-group",
        "partition.assignment.strategy": "cooperative-sticky",
        "session.timeout.ms": 6000,
        "heartbeat.interval.ms": 500,
        "fetch.queue.backoff.ms": 20,
    }
    producer = {
        "bootstrap.servers": bootstrap,
        "transactional.id": f"{prefix}-{name}",
        "transaction.timeout.ms": 10_000,
        "linger.ms": 1,
    }
    names = topics(prefix)
    desk = RequestDesk(Intake(decode, lambda: RULES, partitions), followers or Nobody())
    return Stream(
        config=config,
        producer_config=producer,
        transactor=lambda c: transactor(c, names, encoders),
        desk=desk,
        shard_of=shard_of,
        clock=RealClock(),
        topics=names,
        **more,
    )


if __name__ == "__main__":
    bootstrap, name, prefix, partitions = sys.argv[1:5]
    member = stream(bootstrap, name, prefix, int(partitions))
    member.start()
    member.join()
    sys.exit(3 if member.failure else 0)
