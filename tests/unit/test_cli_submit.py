"""`dsr submit` and its kin: the records that they write, on the embedded broker. Nothing is claimed of Kafka."""

import json
import re
import subprocess
import sys
from dataclasses import replace
from uuid import uuid4

import pytest
from confluent_kafka import Producer

import schemas
from consumer.adapters.avro.codec import Codec
from consumer.adapters.avro.source import DirectorySource
from consumer.adapters.kafka import reading
from consumer.adapters.kafka.reading import TopicReader
from consumer.adapters.wire import entry_out
from consumer.cli import main
from consumer.cli.connection import reach
from consumer.cli.identities import Person
from consumer.cli.submission import _report
from consumer.domain.command import ProjectRule, parse
from consumer.domain.errors import Fatal
from consumer.domain.lifecycle import Stage
from consumer.sandbox.broker import EmbeddedBroker
from consumer.settings import KafkaSettings, load
from tests.fakes.commands import accepted

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


REQUEST = "6f0c6a52-5d0e-4c1c-9a0b-3b6f2f0a7d11"
EVERYWHERE = [
    ("cancel", "-p", "nope", "--since", "1h", "--yes"),
    ("cancel", REQUEST, "-p", "nope"),
    ("approve", "-p", "nope"),
    ("pause", "nope"),
    ("resume", "nope"),
    ("status", "-p", "nope"),
    ("status", REQUEST, "-p", "nope"),
    ("watch", "-p", "nope"),
    ("submit", "erase", "-p", "nope", "-u", "u-1"),
]


@pytest.mark.parametrize("arguments", EVERYWHERE, ids=" ".join)
def test_a_project_that_nobody_knows_is_refused_in_the_same_words(dsr, arguments):
    """Mistyped names: neither "nothing was asked yet" nor a watch that never says anything."""
    assert "unknown_project" in dsr(*arguments, code=1).err
    assert [] == dsr.written()


def ledger_holds(dsr, project, stage=None):
    """A request in the ledger, as the service writes it."""
    entry = accepted("u-1", project=project, rule=ProjectRule(project, "acme"))
    if stage is not None:
        entry = entry._replace(identities=tuple(replace(identity, stage=stage) for identity in entry.identities))
    value = Codec(DirectorySource()).encode(schemas.LEDGER, entry_out(entry))
    producer = Producer({"bootstrap.servers": dsr.bootstrap, "log_level": 0})
    producer.produce("dsr.ledger", value, entry.key, partition=0)
    assert producer.flush(10) == 0
    return entry


def test_a_project_that_was_removed_is_still_found_in_the_ledger(dsr):
    """Its requests are shown, and can be cancelled by a service that still has it; that is said."""
    entry = ledger_holds(dsr, "gone")
    assert ["gone"] == [row["project"] for row in dsr("status", "-p", "gone", "--json")[0]["projects"]]
    assert "these settings have no such project any more" in dsr("cancel", entry.request_id).err
    dsr("cancel", "-p", "gone", "--since", "2020-01-01", "--yes")
    assert [("gone", entry.request_id)] * 2 == [(c["project"], c["subject_request_id"]) for _, c in dsr.written()]


def test_nothing_is_cancelled_that_nobody_confirmed(dsr):
    """Without a terminal there is nobody to ask."""
    ledger_holds(dsr, "shop")
    assert "nothing was sent; use --yes" in dsr("cancel", "-p", "shop", "--since", "2020-01-01", code=1).err
    assert [] == dsr.written()


def test_what_has_ended_is_not_cancelled(dsr):
    """The ledger knows; nothing is sent."""
    entry = ledger_holds(dsr, "shop", Stage.CANCELLED)
    assert "already cancelled; nothing was sent" in dsr("cancel", entry.request_id, code=1).err
    assert [] == dsr.written()


def test_the_next_step_can_be_copied(dsr):
    """The request's own, or the project's from a minute ago."""
    assert f"`dsr watch {REQUEST}`" in dsr("cancel", REQUEST, "-p", "shop").err
    assert "`dsr watch -p shop --since 1m`" in dsr("pause", "shop").err


@pytest.mark.parametrize("command", [*EVERYWHERE[2:3], *EVERYWHERE[5:6], ("topics", "check"), ("dlq", "list")])
def test_a_kafka_that_is_not_there_is_said_in_the_same_words(dsr, command, monkeypatch):
    """Before anything is produced, with the address."""
    monkeypatch.setattr(reading, "PROBE_S", 1)
    dsr.file.write_text('[kafka]\nbootstrap_servers = "127.0.0.1:1"\n', "utf-8")
    said = dsr(*command, code=3).err
    assert "broker_unreachable: no connection to 127.0.0.1:1 within 1 s; nothing was sent\n" in said


def test_a_default_address_is_called_one(monkeypatch, capsys):
    """Who named none does not know where it comes from."""
    monkeypatch.setattr(reading, "PROBE_S", 1)
    unnamed = KafkaSettings.model_construct(set(), bootstrap_servers="127.0.0.1:1")
    with pytest.raises(Fatal, match=r"127\.0\.0\.1:1"):
        reach(load().model_copy(update={"kafka": unnamed}))
    assert "is the default" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("delivered", "said"),
    [
        ([False], "the request may or may not have arrived. "),
        ([True, False], "1 of 2 requests may or may not have arrived; the others have. "),
        ([False, False], "2 of 2 requests may or may not have arrived. "),
    ],
)
def test_what_is_in_doubt_is_named_with_its_id(delivered, said, capsys):
    """Asking again with it cannot ask twice; ids on stdout are of what has arrived."""
    commands = [{"subject_request_id": f"id-{n}"} for n in range(len(delivered))]
    with pytest.raises(Fatal, match=re.escape(said) + "Repeating it with `--request-id`"):
        _report(commands, [Person(n + 1, []) for n in range(len(delivered))], delivered, json=False)
    printed = capsys.readouterr()
    for number, there in enumerate(delivered):
        assert there == (f"id-{number}" in printed.out)
        assert there != (f"in doubt: id-{number} (line {number + 1})" in printed.err)


@pytest.mark.parametrize("verb", ["check", "create"])
def test_a_broker_that_cannot_describe_its_topics_is_not_asked(dsr, verb):
    """At once: there is nothing at that address."""
    dsr.file.write_text('[kafka]\nbootstrap_servers = "127.0.0.1:1"\nverify_topics = false\n', "utf-8")
    assert "nothing to check" in dsr("topics", verb).err


def test_a_watch_ends_well_on_sigterm(dsr):
    """A supervisor's way to end it is as good as Ctrl-C."""
    command = [sys.executable, "-c", "from consumer.cli import main; main()", "watch", "-s", str(dsr.file)]
    watching = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    try:
        assert "following" in watching.stderr.readline()
        watching.terminate()
        assert (0, "") == (watching.wait(30), watching.stderr.read())
    finally:
        watching.kill()
        watching.wait()
        watching.stderr.close()
