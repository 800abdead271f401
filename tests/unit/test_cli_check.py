"""`dsr check` and `dsr schemas`: over real sockets, a hint for everything that is wrong, no secret in print."""

import asyncio
import json
import sys
import threading
from contextlib import contextmanager

import pytest

import schemas
from consumer.cli import main
from consumer.cli.check import next_step
from consumer.cli.connection import Connection, registry_of
from consumer.domain.errors import Fatal
from consumer.ports import CredentialVerdict, Region
from consumer.sandbox.amplitude import faults
from consumer.sandbox.amplitude.server import PocketAmplitude
from consumer.sandbox.amplitude.thread import PocketThread
from consumer.sandbox.clock import ManualClock
from consumer.settings import KafkaSettings, RegistrySettings, Settings
from tests.fakes.commands import NOW, fields
from tests.kafka.registry import Registry, serving


@pytest.fixture
def pocket():
    with PocketThread(PocketAmplitude(ManualClock(NOW))) as running:
        yield running.pocket


@pytest.fixture
def dsr(monkeypatch, capsys):
    """Run a command in this process: its exit code, the JSON objects or the text it printed, and its remarks."""

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["dsr", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        printed = capsys.readouterr()
        assert "Traceback" not in printed.err
        told = [json.loads(line) for line in printed.out.splitlines()] if "--json" in arguments else printed.out
        return ended.value.code, told, printed.err

    return run


def project(pocket, name, *, secret_key=None, region="us", extra=""):
    access = pocket.access(name)
    secret = secret_key or f'secret_key = "{access.keys.secret_key.reveal()}"'
    url = pocket.url_of(Region(region))
    key = access.keys.api_key.reveal()
    return f'[projects.{name}]\napi_key = "{key}"\n{secret}\nbase_url = "{url}"\nregion = "{region}"\n{extra}\n'


def test_every_key_pair_is_tried_and_the_bad_ones_get_a_hint(dsr, pocket, tmp_path):
    """A refused pair, a file that is not there, an empty one, one throttled and one good."""
    (tmp_path / "empty").write_text("\n", "utf-8")
    pocket.misbehave(faults.Fault(faults.Kind.STATUS, method="GET", app="busy", count=None, status=429))
    parts = [
        project(pocket, "good"),
        project(pocket, "busy"),
        project(pocket, "wrong", secret_key='secret_key = "hunter2"'),
        project(pocket, "lost", secret_key=f'secret_key_file = "{tmp_path}/nowhere"'),
        project(pocket, "empty", secret_key=f'secret_key_file = "{tmp_path}/empty"'),
    ]
    (tmp_path / "dsr.toml").write_text("".join(parts), "utf-8")
    code, told, _ = dsr("check", "-s", tmp_path / "dsr.toml", "--json")
    usable = {each["project"]: each["usable"] for each in told}
    hints = {each["project"]: each["hint"] for each in told}
    assert 1 == code
    assert {"good": True, "busy": True, "wrong": False, "lost": False, "empty": False} == usable
    assert hints["good"] is None
    assert "SECRET key" in hints["wrong"]
    assert "projects.lost.secret_key_file" in hints["lost"]
    assert "projects.empty.secret_key_file" in hints["empty"]
    code, text, remarks = dsr("check", "-s", tmp_path / "dsr.toml")
    assert "hunter2" not in text + remarks
    assert "lost: projects.lost.secret_key_file" in remarks


def test_all_good_is_zero_and_no_project_is_one(dsr, pocket, tmp_path):
    """A check of nothing proves nothing."""
    file = tmp_path / "dsr.toml"
    file.write_text(project(pocket, "good"), "utf-8")
    assert 0 == dsr("check", "-s", file)[0]
    file.write_text("", "utf-8")
    code, text, remarks = dsr("check", "-s", file)
    assert (1, True, True) == (code, "no projects" in text, "[projects.NAME]" in remarks)


@contextmanager
def registry_in_a_thread(registry):
    """The registry on a loop of its own: the command has its own too. Yields the URL."""
    started, found, loop = threading.Event(), [], asyncio.new_event_loop()
    ended = asyncio.Event()

    async def serve():
        async with serving(registry) as url:
            found.append(url)
            started.set()
            await ended.wait()

    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()), daemon=True)
    thread.start()
    assert started.wait(10)
    try:
        yield found[0]
    finally:
        loop.call_soon_threadsafe(ended.set)
        thread.join(10)
        loop.close()


def test_schemas_are_registered_by_the_topics_names(dsr, tmp_path):
    """First one may register them, then they are, and a second time changes nothing."""
    file = tmp_path / "dsr.toml"
    file.write_text('[kafka]\ncommands = "my.commands"\n', "utf-8")
    with registry_in_a_thread(Registry()) as url:
        where = ("--registry", url, "-s", file, "--json")
        code, told, _ = dsr("schemas", "check", *where)
        assert (1, {"compatible"}) == (code, {each["verdict"] for each in told})
        public = {"my.commands", "dsr.outcomes", "dsr.discovery.commands", "dsr.discovery.outcomes", "dsr.inventory"}
        assert {f"{topic}-value" for topic in public | {"dsr.ledger"}} == {each["subject"] for each in told}
        code, first, _ = dsr("schemas", "register", *where)
        assert (0, {"registered"}) == (code, {each["verdict"] for each in first})
        assert (0, first) == dsr("schemas", "register", *where)[:2]
        assert (0, first) == dsr("schemas", "check", *where)[:2]


def test_a_subject_that_somebody_else_uses_is_found(dsr, tmp_path):
    """Not compatible: exit code 1, and a remark about which."""
    other = Registry()
    other.add("dsr.ledger-value", '{"type": "record", "name": "Theirs", "fields": []}')
    with registry_in_a_thread(other) as url:
        code, text, remarks = dsr("schemas", "check", "--registry", url, "-s", tmp_path / "dsr.toml")
        assert 2 == code  # the settings file that was named does not exist
        (tmp_path / "dsr.toml").write_text("", "utf-8")
        code, text, remarks = dsr("schemas", "check", "--registry", url, "-s", tmp_path / "dsr.toml")
        assert (1, True) == (code, "not compatible" in text)
        assert "dsr.ledger-value: somebody registered another" in remarks
        assert 1 == dsr("schemas", "register", "--registry", url, "-s", tmp_path / "dsr.toml")[0]


def test_a_registry_that_is_not_there_is_three(dsr, tmp_path):
    """Nothing is wanting as far as is known."""
    (tmp_path / "dsr.toml").write_text("", "utf-8")
    code, _, remarks = dsr("schemas", "check", "--registry", "http://127.0.0.1:1", "-s", tmp_path / "dsr.toml")
    assert (3, True) == (code, "registry_unavailable" in remarks)
    assert 2 == dsr("schemas", "check", "-s", tmp_path / "dsr.toml")[0]


def test_a_schema_is_printed_as_it_is(dsr):
    """Ready for anybody's own code."""
    assert [schemas.load(schemas.OUTCOMES)] == dsr("schemas", "show", schemas.OUTCOMES, "--json")[1]
    ids = [row["id"] for row in dsr("schemas", "list", "--json")[1]]
    assert sorted(map(int, schemas.index())) == sorted(ids)
    assert 2 == dsr("schemas", "show", "nothing")[0]


@pytest.mark.parametrize(("region", "other"), [(Region.US, "eu"), (Region.EU, "us")])
def test_a_region_that_is_mixed_up_is_named_with_the_setting_that_mends_it(region, other):
    """Keys exist in one region only, and the other one calls them wrong."""
    assert f'projects.shop.region = "{other}"' in next_step(CredentialVerdict.WRONG_REGION, "shop", region)


def test_every_verdict_that_is_not_good_has_a_next_step():
    """Nobody is left with a word."""
    without = {verdict for verdict in CredentialVerdict if next_step(verdict, "shop", Region.US) is None}
    assert {CredentialVerdict.VALID} == without


def test_with_a_registry_in_the_settings_records_travel_under_its_ids(tmp_path):
    """Asked on a loop of its own, because the commands are not coroutines; the topics' names are the subjects'."""
    (tmp_path / "password").write_text("hunter2\n", "utf-8")
    registry = Registry()
    number = registry.add("my.commands-value", json.dumps(schemas.load(schemas.COMMANDS)))
    with registry_in_a_thread(registry) as url:
        told = RegistrySettings(url=url, user="desk", password_file=tmp_path / "password")
        settings = Settings(kafka=KafkaSettings(commands="my.commands"), schema_registry=told)
        with Connection(settings).codec() as codec:
            value = codec.encode(schemas.COMMANDS, fields("u-1"))
            assert b"\0" + number.to_bytes(4, "big") == value[:5]
            assert "shop" == codec.decode(schemas.COMMANDS, value)["project"]


def test_the_registry_of_the_settings_is_optional_and_its_password_prints_as_stars(tmp_path):
    """A password file that is not there is said to be."""
    assert registry_of(Settings()) is None
    (tmp_path / "password").write_text("hunter2", "utf-8")
    told = RegistrySettings(url="http://r", user="desk", password_file=tmp_path / "password")
    assert "hunter2" not in repr(registry_of(Settings(schema_registry=told)))
    gone = told.model_copy(update={"password_file": tmp_path / "nowhere"})
    with pytest.raises(Fatal, match="password file"):
        registry_of(Settings(schema_registry=gone))
