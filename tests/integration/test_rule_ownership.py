"""Rules 2 and 3: who may still write about a partition, and when a new owner has read all of it."""

import queue
import time

import pytest
from confluent_kafka import Producer

from consumer.adapters.kafka import assignment
from consumer.adapters.kafka.restore import Restore
from consumer.domain import erasure
from consumer.domain.entry import ledger_key
from consumer.domain.routing import partition_of
from consumer.domain.statement import speak
from consumer.turn import Proposal
from tests.integration import intake_worker
from tests.integration.test_intake_on_kafka import PARTITIONS, Rehearsal, encoded

HOME = {name: partition_of(rule.org, PARTITIONS) for name, rule in intake_worker.RULES.items()}


class Threads(Rehearsal):
    """Members as threads of this process: their assignments can be watched and proposals handed in."""

    def start(self, name):
        followers = Assignments()
        member = intake_worker.stream(self.bootstrap, name, self.prefix, PARTITIONS, followers=followers)
        self.members[name] = member
        member.start()
        return member, followers

    def stop(self):
        for member in self.members.values():
            member.stop()
        for member in self.members.values():
            member.join(30)


class Assignments(intake_worker.Nobody):
    """What is open, and every opening with its epoch in order."""

    def __init__(self):
        self.open, self.openings = {}, queue.SimpleQueue()

    def opened(self, partition, epoch, states, watched):
        self.open[partition] = epoch
        self.openings.put(partition)

    def closed(self, partition):
        self.open.pop(partition, None)

    def wait_for(self, count, seconds=60):
        """Until so many partitions are open."""
        until = time.monotonic() + seconds
        while len(self.open) != count:
            assert time.monotonic() < until, self.open
            time.sleep(0.02)


@pytest.fixture
def threads(kafka_bootstrap):
    threads = Threads(kafka_bootstrap)
    yield threads
    threads.stop()


def ask(member, partition, epoch, decide):
    """Hand in a proposal and wait for what became of it."""
    done = queue.SimpleQueue()
    member.propose(Proposal(partition, epoch, decide, done.put))
    return done.get(timeout=30)


def lose_a_partition(threads, *, epoch_checked=True):
    """A live member decides that a request is cancelled; before it can write that, a rebalance moves the partition to
    another member, which writes the same. Then the first hands its result in. Was it taken; how often was it said?"""
    first, its = threads.start("first")
    its.wait_for(PARTITIONS)
    sent = {name: encoded(project=name) for name in HOME}
    threads.send(value for _, value in sent.values())
    threads.wait_for(len(sent))
    assigned = dict(its.open)
    second, others = threads.start("second")
    others.wait_for(PARTITIONS // 2)
    its.wait_for(PARTITIONS // 2)
    name = next(name for name, home in HOME.items() if home in others.open)
    home, key = HOME[name], ledger_key(sent[name][0]["subject_request_id"], name)
    outcomes = []

    def cancel(turn):
        before = turn.get(home, key)
        after, said = speak(before, erasure.cancel(before, "c-1"), None, turn.now, 0)
        turn.entries[home, key] = after
        turn.outcomes.append(said)
        outcomes.append(said)

    assert ask(second, home, others.open[home], cancel)
    if not epoch_checked:
        first.owns = lambda partition, epoch: True
    taken = ask(first, home, assigned[home], lambda turn: turn.outcomes.append(outcomes[0]))
    return taken, [o["outcome_id"] for o in threads.outcomes()].count(str(outcomes[0].outcome_id))


def test_a_result_for_a_partition_that_was_lost_is_dropped(threads):
    """Rule 2: membership is not ownership; the epoch tells."""
    assert lose_a_partition(threads) == (False, 1)


def test_without_the_epoch_such_a_result_is_committed_validly(threads):
    """Rule 2, negative control: Kafka itself sees nothing wrong with it."""
    assert lose_a_partition(threads, epoch_checked=False) == (True, 2)


class StopsAtTheLastStableOffset(Restore):
    """Takes the end that a `read_committed` reader sees for the end of the ledger."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self._marks_config |= {"isolation.level": "read_committed"}


def delay_a_marker(threads):
    """A transaction that stays open stands in the ledger before an entry that is committed. Until its marker is
    written, no `read_committed` reader gets as far as the entry. Returns the entry's command, and the open producer."""
    straggler = Producer({"bootstrap.servers": threads.bootstrap, "transactional.id": f"{threads.prefix}-straggler"})
    straggler.init_transactions(30)
    first, its = threads.start("first")
    its.wait_for(PARTITIONS)
    straggler.begin_transaction()
    straggler.produce(threads.topics.ledger, None, b"nothing", partition=HOME["p3"])
    straggler.flush(30)
    _, value = encoded(project="p3")
    threads.send([value])
    threads.wait_for(1)
    first.stop()
    first.join(30)
    assert len(threads.outcomes()) == 1
    return value, straggler


def test_a_new_owner_waits_for_a_marker_that_is_late_and_opens_its_other_partitions_meanwhile(threads):
    """Rule 3: restored is what reaches the high watermark, not what reaches the last stable offset."""
    value, straggler = delay_a_marker(threads)
    threads.send([value])
    _, heirs = threads.start("heir")
    heirs.wait_for(PARTITIONS - 1)
    before_the_marker = set(heirs.open)
    straggler.commit_transaction(30)
    heirs.wait_for(PARTITIONS)
    assert set(range(PARTITIONS)) - before_the_marker == {HOME["p3"]}
    first, second = threads.wait_for(2)
    assert (first["stage"], second["kind"], second["duplicate_of"]) == ("accepted", "reply", first["command_id"])


def test_a_restore_that_stops_at_the_last_stable_offset_forgets_a_request(threads, monkeypatch):
    """Rule 3, negative control: the same command is accepted a second time."""
    value, straggler = delay_a_marker(threads)
    monkeypatch.setattr(assignment, "Restore", StopsAtTheLastStableOffset)
    _, heirs = threads.start("heir")
    heirs.wait_for(PARTITIONS)
    straggler.commit_transaction(30)
    threads.send([value])
    first, second = threads.wait_for(2)
    assert [("accepted", "stage")] * 2 == [(o["stage"], o["kind"]) for o in (first, second)]
    assert first["outcome_id"] == second["outcome_id"]
