"""Intake that stops by itself on Apache Kafka: too many dead letters, a registry that is down, wrong topics."""

import time
from collections import Counter

import pytest
from confluent_kafka import Producer

from consumer.adapters.kafka.topics import REQUESTS
from consumer.adapters.kafka.transaction import Transactor
from consumer.domain.errors import Deferred, Fatal, Reason
from consumer.domain.halt import HALT_KEY, MOST_IN_WINDOW
from consumer.domain.routing import partition_of
from consumer.service import verify_topics
from consumer.settings import KafkaSettings, Settings
from tests.integration import intake_worker
from tests.integration.test_intake_on_kafka import PARTITIONS, Rehearsal, encoded

HOME = partition_of("org-3", PARTITIONS)


class Threads(Rehearsal):
    """Members as threads of this process, where a test looks inside."""

    def start(self, name, **changed):
        self.members[name] = intake_worker.stream(self.bootstrap, name, self.prefix, PARTITIONS, **changed)
        self.members[name].start()
        return self.members[name]

    def end(self, name):
        member = self.members.pop(name)
        member.stop()
        member.join(30)
        assert member.failure is None

    def stop(self):
        for name in list(self.members):
            self.end(name)

    def lift(self, partition):
        """What `dsr resume` does."""
        producer = Producer({"bootstrap.servers": self.bootstrap, "enable.idempotence": True})
        producer.produce(self.topics.ledger, None, HALT_KEY, partition=partition)
        assert producer.flush(30) == 0

    def dead(self):
        return len(self.read(self.topics.dead_letters))


@pytest.fixture
def members(kafka_bootstrap):
    members = Threads(kafka_bootstrap)
    yield members
    members.stop()


def until(true, seconds=60):
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        time.sleep(0.1)


def test_too_many_dead_letters_halt_the_partition_until_a_person_lifts_it_over_a_restart(members):
    """Not one more record of it is taken; another partition flows on; nothing is lost when it goes on."""
    members.start("a")
    members.send([b"\0poison"] * 300, partition=HOME)
    until(lambda: members.dead() > MOST_IN_WINDOW)
    _, good = encoded(project="p3")
    members.send([good], partition=HOME)
    n, away = next((n, p) for n in range(20) if (p := partition_of(f"org-{n}", PARTITIONS)) != HOME)
    other, value = encoded(project=f"p{n}")
    members.send([value], partition=away)
    (outcome,) = members.wait_for(1)
    assert outcome["subject_request_id"] == other["subject_request_id"]
    assert members.dead() == MOST_IN_WINDOW + 1
    members.end("a")
    members.start("b")
    time.sleep(3)
    assert members.dead() == MOST_IN_WINDOW + 1
    members.lift(HOME)
    until(lambda: members.dead() > 2 * MOST_IN_WINDOW)
    assert members.dead() == 2 * (MOST_IN_WINDOW + 1)
    members.lift(HOME)
    assert len(members.wait_for(2)) == 2
    assert members.dead() == 300


def test_a_registry_that_is_down_stops_its_partition_and_dead_letters_nothing(members):
    """The record waits and is read again; what came before it in the same batch is answered at once."""
    down = {"now": True}

    def decode(value):
        if down["now"] and value == good_later:
            raise Deferred(Reason.REGISTRY_UNAVAILABLE, retry_after_s=0.2)
        return intake_worker.codec.decode_command(value)

    (first, good), (_, good_later), (_, good_last) = (encoded(project="p3") for _ in range(3))
    members.send([good, good_later, good_last], partition=HOME)
    members.start("a", decode=decode)
    (outcome,) = members.wait_for(1)
    assert outcome["subject_request_id"] == first["subject_request_id"]
    time.sleep(1)
    assert len(members.outcomes()) == 1
    down["now"] = False
    assert len(members.wait_for(3)) == 3
    assert members.dead() == 0


class Slow(Transactor):
    """A broker under load."""

    def commit(self, turn, offsets, group):
        if turn.outcomes:
            time.sleep(0.5)
        return super().commit(turn, offsets, group)


def test_a_record_that_is_deferred_for_less_time_than_the_commit_takes_is_read_again(members):
    """Nor is it passed over by the records that come after it."""
    tries = Counter()

    def decode(value):
        tries[value] += 1
        if tries[value] < 3 and value == second:
            raise Deferred(Reason.REGISTRY_UNAVAILABLE, retry_after_s=0.05)
        return intake_worker.codec.decode_command(value)

    told, (first, second, third) = zip(*(encoded(project="p3") for _ in range(3)), strict=True)
    members.send([first, second], partition=HOME)
    members.start("a", decode=decode, transactor=Slow)
    until(lambda: tries[first])
    members.send([third], partition=HOME)
    outcomes = members.wait_for(3, seconds=20)
    assert sorted(o["subject_request_id"] for o in outcomes) == sorted(each["subject_request_id"] for each in told)
    assert tries[second] == 3


def test_a_registry_that_is_down_at_the_start_delays_the_start(members):
    """Nothing is read before there is an id to answer with."""
    tries = []

    def prepare():
        tries.append(1)
        if len(tries) < 4:
            raise Deferred(Reason.REGISTRY_UNAVAILABLE, retry_after_s=0.1)

    _, value = encoded()
    members.send([value])
    members.start("a", prepare=prepare)
    assert len(members.wait_for(1)) == 1
    assert len(tries) == 4


def told(members, **changed):
    names = members.topics
    kafka = {"commands": names.commands, "outcomes": names.outcomes, "dead_letters": names.dead_letters}
    given = {"bootstrap_servers": members.bootstrap, "partitions": PARTITIONS, "ledger": names.ledger} | kafka
    return Settings(kafka=KafkaSettings(**given | changed.pop("kafka", {})), **changed)


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"kafka": {"partitions": PARTITIONS + 1}}, Reason.PARTITIONS_DIFFER),
        ({"kafka": {"ledger": "nowhere"}}, Reason.TOPIC_MISSING),
        ({"dedupe_days": 20}, Reason.DEDUPE_TOO_SHORT),
    ],
)
def test_the_service_refuses_topics_that_would_lose_or_repeat_a_command(members, changed, reason):
    """Checked before it joins the group; lesser flaws are only logged."""
    with pytest.raises(Fatal) as refused:
        verify_topics(told(members, **changed), REQUESTS)
    assert refused.value.reason is reason
    verify_topics(told(members), REQUESTS)
