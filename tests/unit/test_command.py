"""What a producer may ask for."""

import pytest

from consumer.domain.command import CLOCK_SKEW_MS, MAX_IDENTITIES, CommandKind, IdentityKind, ProjectRule, judge, parse
from consumer.domain.errors import Reason, Refused
from consumer.domain.subject import Subject
from tests.fakes.commands import NOW, RULE, fields, identity


def test_a_submit_is_parsed_with_its_deadline():
    """A valid command carries everything the flow needs."""
    command = parse(fields("u-1001", "u-1002"), NOW)
    assert command.kind is CommandKind.SUBMIT
    assert command.deadline > NOW
    assert [Subject("u-1001"), Subject("u-1002")] == [value for _, value, _ in command.identities]


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"command": "unknown"}, Reason.UNSUPPORTED_REQUEST_TYPE),
        ({"command_id": ""}, Reason.MISSING_FIELD),
        ({"subject_request_id": None}, Reason.MISSING_FIELD),
        ({"subject_request_id": "not-a-uuid"}, Reason.INVALID_REQUEST_ID),
        ({"project": None}, Reason.MISSING_FIELD),
        ({"scope": "org"}, Reason.CONTRADICTORY_COMMAND),
        ({"scope": "org", "project": None}, Reason.MISSING_FIELD),
        ({"submitted_time": None}, Reason.SUBMITTED_TIME_MISSING),
        ({"submitted_time": NOW + CLOCK_SKEW_MS + 1}, Reason.SUBMITTED_TIME_IN_FUTURE),
        ({"subject_request_type": None}, Reason.UNSUPPORTED_REQUEST_TYPE),
        ({"subject_request_type": "rectification"}, Reason.UNSUPPORTED_REQUEST_TYPE),
        ({"regulation": "lgpd"}, Reason.UNSUPPORTED_REQUEST_TYPE),
        ({"expires_time": NOW}, Reason.EXPIRED_COMMAND),
        ({"deadline": 1}, Reason.CONTRADICTORY_COMMAND),
        ({"subject_identities": []}, Reason.NO_IDENTITIES),
        ({"subject_identities": [identity("u")] * (MAX_IDENTITIES + 1)}, Reason.TOO_MANY_IDENTITIES),
    ],
)
def test_a_command_that_cannot_be_carried_out_is_refused_with_its_reason(changed, reason):
    """Bad input has a clear typed error. Negative control: unchanged, it is accepted."""
    with pytest.raises(Refused) as caught:
        parse(fields("u-1001", **changed), NOW)
    assert caught.value.reason is reason
    assert parse(fields("u-1001"), NOW)


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        (identity("jane.roe@example.com", "email"), Reason.EMAIL_IS_NOT_USER_ID),
        (identity("ab12", form="sha256"), Reason.UNSUPPORTED_IDENTITY),
        (identity("6D92078A", "ios_advertising_id"), Reason.UNSUPPORTED_IDENTITY),
        (identity("  "), Reason.EMPTY_IDENTITY),
        (identity("12x", "amplitude_id"), Reason.INVALID_AMPLITUDE_ID),
        (identity("٣٤", "amplitude_id"), Reason.INVALID_AMPLITUDE_ID),
    ],
)
def test_an_identity_that_amplitude_cannot_be_asked_for_is_refused_alone(given, reason):
    """Its neighbours go on; a command with nobody else in it is refused as a whole."""
    both = judge(parse(fields("u", subject_identities=[given, identity("u-1001")]), NOW).identities, RULE)
    assert [reason, None] == [i.refused for i in both]
    with pytest.raises(Refused) as caught:
        judge(parse(fields("u", subject_identities=[given]), NOW).identities, RULE)
    assert caught.value.reason is reason


def test_an_email_is_a_user_id_only_where_the_settings_say_so():
    """Amplitude has no look-up by e-mail."""
    command = parse(fields("u", subject_identities=[identity("jane.roe@example.com", "email")]), NOW)
    (one,) = judge(command.identities, ProjectRule("shop", "acme", email_is_user_id=True))
    assert one.refused is None
    assert one.kind is IdentityKind.USER_ID


def test_user_ids_are_taken_exactly_as_they_are():
    """Amplitude's user ids are case-sensitive, and blanks at their ends count."""
    command = parse(fields(" U-1001 "), NOW)
    assert [Subject(" U-1001 ")] == [i.value for i in judge(command.identities, RULE)]


def test_the_body_digest_tells_a_duplicate_from_a_conflict():
    """The same body again has the same digest, whatever the command id; any other body has another."""
    record = fields("u-1001")
    digest = parse(record, NOW).body_digest
    assert digest == parse(record | {"command_id": "again", "issued_time": NOW + 1}, NOW).body_digest
    for change in ({"regulation": "ccpa"}, {"subject_identities": [identity("u-1002")]}, {"submitted_time": NOW - 1}):
        assert digest != parse(record | change, NOW).body_digest


def test_a_refusal_does_not_quote_what_it_refuses():
    """Not even a malformed request id, which may be an e-mail address."""
    with pytest.raises(Refused) as caught:
        parse(fields("u", subject_request_id="jane.roe@example.com"), NOW)
    assert "jane" not in f"{caught.value!r} {caught.value}"
