"""The life-cycle table."""

import itertools

import pytest

from consumer.domain.lifecycle import COPY_NEXT, ENDS, NEXT, OPENDSR_STATUS, Stage, may_follow, mermaid, overall

TABLES = pytest.mark.parametrize("table", [NEXT, COPY_NEXT], ids=["erasure", "copy"])


@TABLES
def test_every_stage_leads_to_an_end(table):
    """Nothing may stay open for ever: from each stage some end can be reached."""
    for start in table:
        reached, frontier = {start}, [start]
        while frontier:
            for follow in table[frontier.pop()] - reached:
                reached.add(follow)
                frontier.append(follow)
        assert reached & ENDS, start


@TABLES
def test_the_table_has_no_way_back(table):
    """A stage never moves backwards: the table is free of cycles."""

    def walk(stage, seen):
        assert stage not in seen, (stage, seen)
        for follow in table[stage]:
            walk(follow, seen | {stage})

    walk(Stage.ACCEPTED, frozenset())


def test_ends_are_exactly_the_stages_without_a_successor():
    """The set of ends and the tables agree."""
    assert {s for table in (NEXT, COPY_NEXT) for s, follow in table.items() if not follow} == ENDS


def test_data_that_was_erased_is_never_said_to_be_cancelled_or_failed():
    """Once the data is unreachable the only truth left is that the backups go too."""
    assert NEXT[Stage.ERASED] == {Stage.DONE}


def test_staying_in_a_stage_is_allowed_and_leaving_an_end_is_not():
    """An end has no successor but itself."""
    for table in (NEXT, COPY_NEXT):
        for end, other in itertools.product(ENDS & table.keys(), table):
            assert may_follow(end, other, table) == (end == other)


@pytest.mark.parametrize(
    ("stages", "expected"),
    [
        ([Stage.DONE, Stage.DISPATCHING], Stage.DISPATCHING),
        ([Stage.SCHEDULED, Stage.NOT_FOUND], Stage.SCHEDULED),
        ([Stage.DONE, Stage.NOT_FOUND], Stage.DONE),
        ([Stage.DONE, Stage.FAILED], Stage.FAILED),
        ([Stage.CANCELLED, Stage.TOO_LATE], Stage.TOO_LATE),
        ([Stage.REFUSED, Stage.DONE], Stage.REFUSED),
        ([Stage.NOT_FOUND], Stage.NOT_FOUND),
        ([Stage.READY, Stage.REQUESTED, Stage.FAILED], Stage.REQUESTED),
        ([Stage.DELIVERED, Stage.FAILED], Stage.DELIVERED),
        ([Stage.EXPIRED, Stage.FAILED, Stage.NOT_FOUND], Stage.EXPIRED),
    ],
)
def test_a_request_is_as_far_as_its_least_advanced_identity(stages, expected):
    """Whatever the order of the identities."""
    assert expected == overall(stages) == overall(reversed(stages))


def test_a_request_about_nobody_cannot_exist():
    """No stage can be told for no identity."""
    with pytest.raises(ValueError, match="at least one"):
        overall([])


def test_a_legal_step_of_one_identity_never_moves_its_request_backwards_into_dispatch():
    """For every pair of identities: once past dispatch, a request never returns to it."""
    early = [Stage.ACCEPTED, Stage.HELD, Stage.DISPATCHING]
    for a, b in itertools.product(NEXT, repeat=2):
        for step in NEXT[a]:
            before, after = overall([a, b]), overall([step, b])
            if before not in early:
                assert after not in early


def test_every_stage_has_an_opendsr_status():
    """Outcomes carry OpenDSR's word beside ours."""
    assert set(OPENDSR_STATUS) == set(Stage)
    assert set(OPENDSR_STATUS.values()) == {"pending", "in_progress", "completed", "cancelled", "failed"}


def test_the_diagram_shows_every_arrow_of_the_table():
    """The picture is generated from the table, so it cannot lie."""
    text = mermaid()
    for before, follow in NEXT.items():
        for after in follow:
            assert f"{before} --> {after}" in text
