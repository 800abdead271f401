"""What travels in headers: CloudEvents, trace context, and nothing that names a person."""

import re

import pytest

from consumer.adapters.cloudevents import headers
from consumer.domain.errors import Reason
from tests.fakes.commands import fields
from tests.unit.test_intake import Bench

TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


def said(record, given):
    (outcome,) = Bench().turn(record, headers=[("traceparent", given)]).outcomes
    return dict(headers(outcome, outcome.traceparent))


def test_an_outcome_is_a_cloudevent_of_its_request():
    """Binary mode: the value stays Avro."""
    record = fields("jane-roe")
    told = said(record, TRACE.encode())
    assert told["ce_specversion"] == b"1.0"
    assert told["ce_type"] == b"dsr.outcome.stage"
    assert told["ce_source"] == b"/amplitude-dsr/projects/shop"
    assert told["ce_subject"] == record["subject_request_id"].encode()
    assert told["content-type"] == b"application/avro"
    assert told["ce_time"].endswith(b"+00:00")
    assert told["traceparent"] == TRACE.encode()


ZEROS = [re.sub("4bf[0-9a-f]{29}", "0" * 32, TRACE), re.sub("00f0[0-9a-f]{12}", "0" * 16, TRACE), f"ff{TRACE[2:]}"]
ODD = [b"jane@example.com", TRACE.upper().encode(), TRACE.encode() + b"\n", b"", None, *(z.encode() for z in ZEROS)]


@pytest.mark.parametrize("given", ODD)
def test_what_is_no_trace_context_is_not_passed_on(given):
    """A producer's mistake must not become a leak."""
    assert "traceparent" not in said(fields("u-1"), given)


def test_a_later_outcome_still_belongs_to_the_trace_that_began_it_and_an_answer_to_its_own():
    """The ledger keeps it; a command that moves nothing answers in its own trace."""
    bench, record = Bench(), fields("u-1")
    bench.turn(record, headers=[("traceparent", TRACE.encode())])
    assert bench.entry(record).traceparent == TRACE
    other = TRACE.replace("4bf9", "ffff")
    (answer,) = bench.turn(record, headers=[("traceparent", other.encode())]).outcomes
    assert dict(headers(answer, answer.traceparent))["traceparent"] == other.encode()


def test_a_project_that_is_not_ours_is_not_repeated_in_a_header():
    """It is a producer's free text."""
    (outcome,) = Bench().turn(fields("u-1", project="jane@example.com")).outcomes
    assert outcome.reason is Reason.UNKNOWN_PROJECT
    assert not [value for _, value in headers(outcome, outcome.traceparent) if b"jane" in value]
