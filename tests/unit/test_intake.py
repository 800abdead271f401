"""From a record to its first answer."""

import json

import pytest

from consumer.domain.command import ProjectRule
from consumer.domain.entry import ledger_key
from consumer.domain.errors import Poison, Reason
from consumer.domain.lifecycle import Stage
from consumer.domain.project import ProjectState
from consumer.domain.routing import MAX_HOPS, partition_of
from consumer.domain.statement import Kind
from consumer.ledger.copies import OpenCopies
from consumer.requests import REROUTED, Intake
from consumer.turn import Record, Turn
from tests.fakes.commands import NOW, fields, identity

PARTITIONS = 6
HOME = partition_of("acme", PARTITIONS)
RULES = {
    "shop": ProjectRule("shop", "acme", daily_cap=3),
    "app": ProjectRule("app", "acme", email_is_user_id=True),
    "other": ProjectRule("other", "globex"),
}


class DictMemory:
    """A partition's ledger as two dictionaries."""

    def __init__(self):
        self.entries, self.projects, self.halt = {}, {}, None
        self.copies = OpenCopies()

    def get(self, key):
        return self.entries.get(key)

    def put(self, entry, value=None):
        self.entries[entry.key] = entry
        self.copies.put(entry.key.encode(), entry)

    def copying(self, org, identity):
        return self.copies.of(org, identity)

    def remove(self, key):
        del self.entries[key]

    def project(self, project):
        return self.projects.get(project) or ProjectState(project)

    def put_project(self, state):
        self.projects[state.project] = state

    def put_halt(self, halt):
        self.halt = halt


def decode(value):
    if value == b"poison":
        raise Poison(Reason.UNDECODABLE)
    return json.loads(value)


class Bench:
    """Runs commands through intake, one turn each unless told otherwise."""

    def __init__(self):
        self.memory = {p: DictMemory() for p in range(PARTITIONS)}
        self.intake = Intake(decode, lambda: RULES, PARTITIONS)
        self.now = NOW

    def turn(self, *values, partition=HOME, headers=(), keep=True):
        turn = Turn(self.memory, self.now)
        for value in values:
            raw = value if isinstance(value, bytes) else json.dumps(value).encode()
            self.intake.take(turn, Record(partition, 0, None, raw, headers))
        if keep:
            turn.keep()
        return turn

    def say(self, value):
        (outcome,) = self.turn(value).outcomes
        return outcome

    def entry(self, record, project="shop"):
        return self.memory[HOME].get(ledger_key(record["subject_request_id"], project))


@pytest.fixture
def bench():
    return Bench()


def follow_up(record, kind, **changed):
    return fields(command=kind, subject_request_id=record["subject_request_id"], **changed)


def test_a_submit_is_accepted_and_remembered(bench):
    """The ledger holds it from the same transaction on."""
    record = fields("u-1001")
    outcome = bench.say(record)
    assert (outcome.kind, outcome.stage, outcome.status) == (Kind.STAGE, Stage.ACCEPTED, "pending")
    assert bench.entry(record).stage is Stage.ACCEPTED


def test_a_turn_that_is_not_kept_leaves_nothing(bench):
    """Memory changes only after the commit."""
    record = fields("u-1001")
    bench.turn(record, keep=False)
    assert bench.entry(record) is None
    assert not bench.memory[HOME].projects


def test_the_same_command_again_is_answered_and_never_carried_out(bench):
    """In another turn as well as within one, and whatever has become of the request."""
    record = fields("u-1001")
    first, second = bench.turn(record, record).outcomes
    third = bench.say(record)
    assert first.stage is Stage.ACCEPTED
    assert [second.kind, third.kind] == [Kind.REPLY] * 2
    assert second.duplicate_of == third.duplicate_of == record["command_id"]
    assert bench.memory[HOME].project("shop").counted == 1


def test_the_same_request_under_a_new_command_id_is_a_duplicate_or_a_conflict(bench):
    """By its body: the same one is answered, another is refused and changes nothing."""
    record = fields("u-1001")
    bench.say(record)
    same = bench.say(record | {"command_id": "c-2"})
    assert same.duplicate_of == record["command_id"]
    before = bench.entry(record)
    other = bench.say(record | {"command_id": "c-3", "subject_identities": [identity("u-1002")]})
    assert (other.kind, other.stage, other.reason) == (Kind.REPLY, Stage.REFUSED, Reason.CONFLICTING_DUPLICATE)
    assert before == bench.entry(record)


def test_a_conflict_is_noticed_even_after_the_request_was_forgotten(bench):
    """Two bytes of digest are left; the first 200 other bodies here all differ from them."""
    record = fields("u-1001")
    bench.turn(record, follow_up(record, "cancel"))
    assert bench.entry(record).identities[0].value is None
    assert bench.say(record | {"command_id": "c-2"}).duplicate_of == record["command_id"]
    reasons = {
        bench.say(record | {"command_id": f"c-{n}", "subject_identities": [identity(f"v-{n}")]}).reason
        for n in range(3, 203)
    }
    assert reasons == {Reason.CONFLICTING_DUPLICATE}


def test_a_submit_and_its_cancel_in_one_batch_end_cancelled_and_forgotten(bench):
    """Reads see the turn's own writes."""
    record = fields("u-1001")
    outcomes = bench.turn(record, follow_up(record, "cancel")).outcomes
    assert [o.stage for o in outcomes] == [Stage.ACCEPTED, Stage.CANCELLED]
    assert bench.entry(record).closed == NOW


@pytest.mark.parametrize("kind", ["cancel", "resubmit"])
def test_a_command_about_an_unknown_request_is_refused(bench, kind):
    """There is nothing to cancel or to do again."""
    outcome = bench.say(follow_up(fields("u-1"), kind, subject_identities=[identity("u-1")]))
    assert (outcome.stage, outcome.reason) == (Stage.REFUSED, Reason.UNKNOWN_REQUEST)


def test_an_open_request_cannot_be_resubmitted_and_an_ended_one_starts_a_new_run(bench):
    """The old request id, a new run, sequences from one."""
    record = fields("u-1001")
    bench.say(record)
    again = record | {"command": "resubmit", "command_id": "c-2"}
    assert bench.say(again).reason is Reason.STILL_OPEN
    bench.say(follow_up(record, "cancel"))
    outcome = bench.say(again | {"command_id": "c-3"})
    assert (outcome.stage, outcome.entry.run, outcome.sequence) == (Stage.ACCEPTED, 2, 1)


def test_a_cancelled_request_cannot_be_cancelled_again(bench):
    """It has ended."""
    record = fields("u-1001")
    bench.turn(record, follow_up(record, "cancel"))
    assert bench.say(follow_up(record, "cancel")).reason is Reason.ALREADY_ENDED


def test_above_the_daily_cap_requests_are_held_until_the_project_is_approved(bench):
    """A producer's bug must not erase a user base; an approval does not open the way for the next burst."""
    burst = [fields(f"u-{n}") for n in range(5)]
    assert [bench.say(r).stage for r in burst] == [Stage.ACCEPTED] * 3 + [Stage.HELD] * 2
    held = bench.entry(burst[4])
    assert held.held is Reason.DAILY_CAP
    assert held.ready(NOW) == ()
    bench.say(fields(command="approve", subject_request_id=None))
    state = bench.memory[HOME].project("shop")
    assert held.ready(NOW, state.approved)
    bench.now += 1
    more = [bench.say(fields(f"w-{n}")).stage for n in range(4)]
    assert more == [Stage.ACCEPTED] * 3 + [Stage.HELD]
    assert bench.say(fields("w", project="app")).stage is Stage.ACCEPTED


def test_one_held_request_can_be_approved_by_itself(bench):
    """Its neighbours stay held."""
    burst = [fields(f"u-{n}") for n in range(5)]
    bench.turn(*burst)
    bench.say(follow_up(burst[3], "approve"))
    assert bench.entry(burst[3]).ready(NOW)
    assert not bench.entry(burst[4]).ready(NOW)


def test_a_new_day_has_a_count_of_its_own(bench):
    """The cap is daily, in UTC."""
    bench.turn(*(fields(f"u-{n}") for n in range(3)))
    bench.now += 86_400_000
    assert bench.say(fields("u-9")).stage is Stage.ACCEPTED


def test_pause_and_resume_are_remembered_and_answered_once(bench):
    """The same command again changes nothing."""
    pause = fields(command="pause", subject_request_id=None)
    bench.say(pause)
    assert bench.memory[HOME].project("shop").paused
    bench.say(fields(command="resume", subject_request_id=None))
    assert bench.say(pause).duplicate_of == pause["command_id"]
    assert not bench.memory[HOME].project("shop").paused


def test_scope_org_is_one_request_for_each_project_of_the_org(bench):
    """Each has an answer of its own, also when one of them refuses."""
    record = fields("u", project=None, scope="org", org="acme", subject_identities=[identity("j@example.com", "email")])
    outcomes = {o.project: o for o in bench.turn(record).outcomes}
    assert set(outcomes) == {"shop", "app"}
    assert (outcomes["shop"].stage, outcomes["shop"].reason) == (Stage.REFUSED, Reason.EMAIL_IS_NOT_USER_ID)
    assert outcomes["app"].stage is Stage.ACCEPTED


def test_a_request_with_one_refused_identity_answers_for_every_position(bench):
    """The good one goes on."""
    record = fields(subject_identities=[identity("u-1"), identity("j@example.com", "email")])
    outcome = bench.say(record)
    assert outcome.stage is Stage.ACCEPTED
    assert [i.reason for i in outcome.entry.identities] == [None, Reason.EMAIL_IS_NOT_USER_ID]


def test_a_record_in_the_wrong_partition_is_produced_again_to_its_orgs(bench):
    """Unchanged, and nothing else is written."""
    wrong = (HOME + 1) % PARTITIONS
    turn = bench.turn(fields("u-1"), partition=wrong)
    assert [(wrong, HOME)] == [(r.record.partition, r.partition) for r in turn.rerouted]
    assert not turn.outcomes
    assert not turn.entries


def test_members_that_disagree_about_an_org_cannot_send_a_record_in_circles(bench):
    """After three hops it is dead-lettered."""
    wrong = (HOME + 1) % PARTITIONS
    turn = bench.turn(fields("u-1"), partition=wrong, headers=((REROUTED, b"1"),) * MAX_HOPS)
    assert [d.reason for d in turn.dead] == [Reason.ROUTING_LOOP]
    assert not turn.rerouted


def test_poison_is_buried_and_its_neighbours_go_on(bench):
    """One bad record costs nobody else."""
    turn = bench.turn(fields("u-1"), b"poison", fields("u-2"))
    assert [d.reason for d in turn.dead] == [Reason.UNDECODABLE]
    assert [o.stage for o in turn.outcomes] == [Stage.ACCEPTED] * 2


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"project": "nowhere"}, Reason.UNKNOWN_PROJECT),
        ({"subject_request_type": "access"}, Reason.COPIES_NOT_CONFIGURED),
        ({"submitted_time": None}, Reason.SUBMITTED_TIME_MISSING),
        ({"subject_identities": []}, Reason.NO_IDENTITIES),
    ],
)
def test_a_refused_submit_is_answered_and_leaves_nothing_in_the_ledger(bench, changed, reason):
    """Bad input cannot grow the ledger."""
    turn = bench.turn(fields("u-1", **changed))
    (outcome,) = turn.outcomes
    assert (outcome.kind, outcome.stage, outcome.reason) == (Kind.STAGE, Stage.REFUSED, reason)
    assert not turn.entries


@pytest.mark.parametrize("kind", ["pause", "cancel"])
def test_a_command_about_an_unknown_project_is_answered_and_no_request_is_said_to_be_refused(bench, kind):
    """Only a request that never began has the stage of a refusal. Negative control: a submit is one."""
    outcome = bench.say(fields(command=kind, project="nowhere"))
    assert (outcome.kind, outcome.reason) == (Kind.REPLY, Reason.UNKNOWN_PROJECT)
    assert bench.say(fields("u-1", project="nowhere")).kind is Kind.STAGE


def test_a_refused_command_about_an_open_request_does_not_say_that_the_request_is_refused(bench):
    """It is a reply; the request goes on in its stage."""
    record = fields("u-1")
    bench.say(record)
    outcome = bench.say(follow_up(record, "cancel", expires_time=NOW - 1))
    assert (outcome.kind, outcome.reason) == (Kind.REPLY, Reason.EXPIRED_COMMAND)
    assert bench.entry(record).stage is Stage.ACCEPTED


def test_a_record_does_not_print_what_it_holds():
    """A log line with a record in it is still clean."""
    assert "jane" not in repr(Record(0, 1, b"jane", b"jane", (("jane", b"jane"),)))


def test_a_refused_command_about_an_ended_request_does_not_make_it_look_failed(bench):
    """The reply is refused; the request's own OpenDSR status stays what it was. Nor has a cancelled one any slack."""
    record = fields("u-1001")
    bench.say(record)
    cancelled = bench.say(follow_up(record, "cancel"))
    assert (cancelled.status, cancelled.slack_ms) == ("cancelled", None)
    again = bench.say(follow_up(record, "cancel"))
    assert (again.stage, again.status) == (Stage.REFUSED, "cancelled")
