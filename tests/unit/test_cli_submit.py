"""`dsr submit` and its kin: the records that they write, on the embedded broker. Nothing is claimed of Kafka."""

import json
import sys
from uuid import uuid4

import pytest

import schemas
from consumer.adapters.avro.codec import Codec
from consumer.adapters.avro.source import DirectorySource
from consumer.adapters.kafka.reading import TopicReader
from consumer.cli import main
from consumer.domain.command import parse
from consumer.sandbox.broker import EmbeddedBroker

SETTINGS = """
[kafka]
bootstrap_servers = "{bootstrap}"
[projects.shop]
org = "acme"
api_key = "a"
secret_key = "b"
[projects.mail]
api_key = "a"
secret_key = "b"
email_is_user_id = true
"""
TOPICS = {"dsr.commands": 3, "dsr.outcomes": 1, "dsr.ledger": 3, "dsr.commands.dlq": 1}


class Desk:
    """Runs commands in this process; `written` is what the commands' topic holds, decoded, with its key."""

    def __init__(self, bootstrap, file, monkeypatch, capsys):
        self.bootstrap, self.file, self._monkeypatch, self._capsys = bootstrap, file, monkeypatch, capsys

    def __call__(self, *arguments, code=0):
        self._monkeypatch.setattr(sys, "argv", ["dsr", *arguments, "-s", str(self.file)])
        with pytest.raises(SystemExit) as ended:
            main()
        printed = self._capsys.readouterr()
        assert code == ended.value.code, printed
        return [json.loads(line) for line in printed.out.splitlines()] if "--json" in arguments else printed

    def written(self):
        codec = Codec(DirectorySource())
        with TopicReader({"bootstrap.servers": self.bootstrap}, "dsr.commands") as reader:
            return [(r.key, codec.decode(schemas.COMMANDS, r.value)) for r in reader.to_end()]


@pytest.fixture
def dsr(tmp_path, monkeypatch, capsys):
    with EmbeddedBroker(TOPICS) as broker:
        (tmp_path / "dsr.toml").write_text(SETTINGS.format(bootstrap=broker.bootstrap), "utf-8")
        yield Desk(broker.bootstrap, tmp_path / "dsr.toml", monkeypatch, capsys)


def values(command):
    return [identity["identity_value"] for identity in command["subject_identities"]]


def test_a_command_is_whole_and_keyed_by_org(dsr):
    """Everything that was said, in the record's words; the org's key takes one hop less."""
    request = str(uuid4())
    told = ("--regulation", "ccpa", "--submitted", "2026-06-01", "--deadline", "2026-07-01T12:00")
    people = ("-u", "u-1", "-u", "u-2", "-a", "7")
    dsr("submit", "erase", "-p", "shop", *people, *told, "--requested-by", "desk", "--request-id", request)
    ((key, command),) = dsr.written()
    assert (request, ["u-1", "u-2", "7"]) == (command["subject_request_id"], values(command))
    assert (b"acme", "shop", "ccpa", "desk") == (
        key,
        command["project"],
        command["regulation"],
        command["requested_by"],
    )
    assert (1_780_272_000_000, 1_782_907_200_000) == (command["submitted_time"], command["deadline"])
    assert "erasure" == parse(command, command["issued_time"]).request_type


def test_a_file_is_a_request_for_each_line_and_together_one(dsr, tmp_path):
    """Each with an id of its own; which line it was is told to programs."""
    (tmp_path / "ids").write_text("u-1\n\nu-2\n", "utf-8")
    file = ("-f", str(tmp_path / "ids"))
    apart = dsr("submit", "erase", "-p", "shop", *file, "--json")
    assert [1, 3] == [each["line"] for each in apart]
    (one,) = dsr("submit", "erase", "-p", "shop", *file, "--together", "--json")
    found = {command["subject_request_id"]: values(command) for _, command in dsr.written()}
    assert {
        apart[0]["request_id"]: ["u-1"],
        apart[1]["request_id"]: ["u-2"],
        one["request_id"]: ["u-1", "u-2"],
    } == found


def test_a_whole_org_is_one_command(dsr):
    """With an org and no project."""
    dsr("submit", "erase", "--scope-org", "--org", "acme", "-u", "u-1")
    ((key, command),) = dsr.written()
    assert (b"acme", "org", None) == (key, command["scope"], command["project"])
    assert "unknown_project" in dsr("submit", "erase", "--scope-org", "--org", "nobody", "-u", "u-1", code=1).err


def test_an_e_mail_is_taken_where_it_is_the_user_id(dsr):
    """By the service's own judge."""
    dsr("submit", "erase", "-p", "mail", "-e", "a@example.com")
    refused = dsr("submit", "erase", "-p", "shop", "-e", "a@example.com", code=1)
    assert "email_is_not_user_id" in refused.err
    assert "example.com" not in refused.err + refused.out
    assert [["a@example.com"]] == [values(command) for _, command in dsr.written()]


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("-u", " "), "empty_identity"),
        (("-a", "12x"), "invalid_amplitude_id"),
        (("-u", "u", "--submitted", "2999-01-01"), "submitted_time_in_future"),
        (("-u", "u", "--submitted", "1d", "--deadline", "2d"), "contradictory_command"),
    ],
)
def test_what_the_service_would_refuse_is_not_sent(dsr, arguments, reason):
    """Unless it is sent unchecked."""
    assert reason in dsr("submit", "erase", "-p", "shop", *arguments, code=1).err
    assert [] == dsr.written()
    dsr("submit", "erase", "-p", "shop", *arguments, "--unchecked")
    assert 1 == len(dsr.written())


def test_a_thousand_is_the_most_that_goes_together(dsr, tmp_path):
    """One more is refused, and nothing is sent."""
    (tmp_path / "ids").write_text("\n".join(f"u-{n}" for n in range(1_001)), "utf-8")
    file = ("-f", str(tmp_path / "ids"))
    assert "too_many_identities" in dsr("submit", "erase", "-p", "shop", *file, "--together", code=1).err
    assert 1_001 == len(dsr("submit", "erase", "-p", "shop", *file, "--json"))


def test_commands_about_projects_and_requests_carry_no_body(dsr):
    """Pause and resume name a project; approve and cancel a request too, if it is one."""
    request = str(uuid4())
    for arguments in (
        ("pause", "shop"),
        ("resume", "shop"),
        ("approve", "-p", "shop"),
        ("approve", request, "-p", "shop"),
    ):
        (sent,) = dsr(*arguments, "--json")
        assert (arguments[0], "shop") == (sent["command"], sent["project"])
    (sent,) = dsr("cancel", request, "-p", "shop", "--json")
    assert request == sent["request_id"]
    assert "unknown_project" in dsr("pause", "mars", code=1).err
    found = sorted(
        (c["command"], c["subject_request_id"] or "", len(c["subject_identities"])) for _, c in dsr.written()
    )
    expected = [
        ("approve", "", 0),
        ("approve", request, 0),
        ("cancel", request, 0),
        ("pause", "", 0),
        ("resume", "", 0),
    ]
    assert expected == found


def test_a_producers_machine_needs_no_projects(dsr):
    """Then only the service can judge; that is said."""
    dsr.file.write_text(f'[kafka]\nbootstrap_servers = "{dsr.bootstrap}"\n', "utf-8")
    assert "only the service can tell" in dsr("submit", "erase", "-p", "shop", "-u", "u-1").err
    assert [b"shop"] == [key for key, _ in dsr.written()]


@pytest.mark.parametrize("odd", ['{"command": "submit"}', ' {"a', "u-1\tshop", "u\x00"])
def test_a_line_that_is_hardly_an_id_is_not_sent(dsr, tmp_path, odd):
    """A file of commands, or of columns, given by mistake; the lines are named and never quoted."""
    (tmp_path / "ids").write_text(f"{odd}\n{odd}\nu-2\n{odd}", "utf-8")
    file = ("submit", "erase", "-p", "shop", "-f", str(tmp_path / "ids"))
    refused = dsr(*file, code=1)
    assert "lines 1-2, 4: " in refused.err
    assert "3 requests objected to; nothing was sent" in refused.err
    assert odd not in refused.err
    assert [] == dsr.written()
    dsr(*file, "--unchecked")
    assert 4 == len(dsr.written())


def test_who_asked_is_not_an_address(dsr):
    """It stands in every outcome."""
    told = ("submit", "erase", "-p", "shop", "-u", "u-1", "--requested-by", "jane@example.com")
    refused = dsr(*told, code=2)
    assert "not a person's address" in " ".join(refused.err.replace("│", " ").split())
    assert "jane" not in refused.err
