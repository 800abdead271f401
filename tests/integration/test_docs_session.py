"""The commands of README.md and docs/ as one session: typed in the pages' order, on a sandbox with the embedded broker.

They are run as they stand there, in a folder with the files that they name. What serves or follows runs beside the
others until the end, and then ends well on Ctrl-C. An id in a page stands for the one that was printed last. What is
not run stands in a table with the reason; `tests/unit/test_docs_commands.py` parses it all the same.
"""

import os
import re
import shlex
import signal
import subprocess
import time
from contextlib import contextmanager
from itertools import count

import pytest
from confluent_kafka import Producer

from consumer.domain.routing import partition_of
from consumer.settings import load
from tests.fakes.reader import furnish
from tests.pages import blocks, commands, told

PATIENCE_S = 60
UUID = re.compile(r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b")

ITSELF = "this is one of its tests"
MINUTES = "takes minutes; has its own target in the Makefile"
INSTALLS = "needs the package index"
REPLICAS = "the embedded broker cannot describe its topics; tests/integration/test_ledger_command.py has it on Kafka"
PROOFS = "proves all rules anew, which takes a minute; tests/unit/test_scanner_cli.py has it on fewer"
ONLY_PARSED = {
    "make demo": INSTALLS,
    "make test": ITSELF,
    "make chaos": MINUTES,
    "make chaos-copies": MINUTES,
    "make chaos-discovery": MINUTES,
    "make bench": MINUTES,
    "python3 -m venv .venv && .venv/bin/pip install -c constraints.txt .": INSTALLS,
    ".venv/bin/dsr ledger verify": REPLICAS,
    ".venv/bin/dsr ledger export": REPLICAS,
    ".venv/bin/dsr ledger import": REPLICAS,
    ".venv/bin/dsr rules check mine.toml": PROOFS,
    ".venv/bin/dsr scan shop.json.gz --rules mine.toml": PROOFS,
}
"""Beginnings of commands that are not run here, and why."""

BESIDE = {
    "sandbox": "Ctrl-C closes it",
    "run": '"started"',
    "discover": '"started"',
    "watch": "",
}
"""Commands that serve or follow until Ctrl-C, and what they print once they are there."""

FOUND = 1
ENDS = {"scan": FOUND, "inventory": FOUND}
"""Exit codes other than 0: personal data was found, as it should be."""


def bare(text):
    """Without the remark behind it."""
    return re.split(r"\s+#", text)[0].strip()


def subcommand(text):
    """Of the last `dsr` in the line; None for another program."""
    found = re.findall(r"\.venv/bin/dsr (\w+)", text)
    return found[-1] if found else None


def why_not(text):
    """Why a command is only parsed, if it is."""
    return next((why for beginning, why in ONLY_PARSED.items() if text.startswith(beginning)), None)


@contextmanager
def terminal(typed):
    """A terminal to read from: whoever asks before it does something gets this answer."""
    person, program = os.openpty()
    try:
        os.write(person, typed)
        yield program
    finally:
        os.close(person)
        os.close(program)


class Session:
    """One terminal after the other, in one folder."""

    def __init__(self, folder):
        self.folder = folder
        self.beside = {}
        self.last_id = None

    def type(self, command):
        """Run it to its end, or start it, if it is of those that have none."""
        text = bare(command.text)
        if self.last_id is not None:
            text = UUID.sub(self.last_id, text)
        kind = subcommand(text)
        if kind in BESIDE:
            self.start(kind, text)
        else:
            self.finish(command, text, ENDS.get(kind, 0))

    def start(self, kind, text):
        """Once: a second member would need another name."""
        key = text if kind == "watch" else kind
        if key in self.beside:
            return
        out, err = (self.folder / f"{len(self.beside)}.{end}" for end in ("out", "err"))
        own = os.environ | {"DSR_KAFKA__REPLICA": f"terminal-{len(self.beside)}"}
        # Joined in order: a redirection that the page shows, comes after ours and wins.
        line = f"exec >{shlex.quote(str(out))} 2>{shlex.quote(str(err))}; exec {text}"
        self.beside[key] = (subprocess.Popen(["/bin/sh", "-c", line], cwd=self.folder, env=own), text, out, err)
        self.await_words(key, BESIDE[kind])

    def await_words(self, key, words):
        process, text, out, err = self.beside[key]
        until = time.monotonic() + PATIENCE_S
        while words not in (printed := out.read_text() + err.read_text() if err.exists() else ""):
            assert process.poll() is None, (text, printed)
            assert time.monotonic() < until, (text, printed)
            time.sleep(0.05)

    def finish(self, command, text, code):
        with terminal(b"y\n") as keys:
            done = subprocess.run(
                ["/bin/sh", "-c", text], cwd=self.folder, stdin=keys, capture_output=True, text=True, timeout=PATIENCE_S
            )
        assert (code, False) == (done.returncode, "Traceback" in done.stderr), (str(command), done.stdout, done.stderr)
        if " submit " in text:
            self.last_id = UUID.search(done.stdout)[0]

    def end(self):
        """Ctrl-C in each terminal, the last one first; each ends well, and whoever followed has seen something."""
        for process, text, out, err in reversed(self.beside.values()):
            process.send_signal(signal.SIGINT)
            assert 0 == process.wait(30), (text, err.read_text())
            assert " watch " not in text or out.read_text(), text

    def kill(self):
        for process, *_ in self.beside.values():
            process.kill()
            process.wait()


@pytest.fixture
def session(tmp_path, monkeypatch):
    """The reader's folder, and no settings from outside."""
    for name in [name for name in os.environ if name.startswith("DSR_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    monkeypatch.setenv("DSR_ADMIN__PORT", "0")
    furnish(tmp_path)
    typed = Session(tmp_path)
    yield typed
    typed.kill()


def break_a_producer(session):
    """So many records that nobody can read that intake halts, in a partition in which nothing else is asked."""
    kafka = load(session.folder / "dsr.toml").kafka
    ours = partition_of("acme", kafka.partitions)
    key = next(str(n) for n in count() if partition_of(str(n), kafka.partitions) != ours)  # also when they are redriven
    own = {"bootstrap.servers": kafka.bootstrap_servers, "partitioner": "murmur2_random", "log_level": 0}
    producer = Producer(own)
    for _ in range(120):
        producer.produce(kafka.commands, b"jane", key)
    assert 0 == producer.flush(10)


def test_all_commands_of_the_pages_do_what_they_say(session):
    """Each ends with its exit code; dead letters, a halt, a package and an inventory are there when they are asked for."""
    every = [command for path in told() for block in blocks(path) for command in commands(block)]
    broken = False
    for command in every:
        if why_not(bare(command.text)):
            continue
        session.type(command)
        if "run" in session.beside and not broken:
            break_a_producer(session)
            broken = True
    session.end()
    assert len(every) > 30
    assert {"sandbox", "run", "discover"} < session.beside.keys()


def test_no_row_of_the_table_is_left_over():
    """Each is the beginning of a command of some page, and most commands are run."""
    every = [bare(command.text) for path in told() for block in blocks(path) for command in commands(block)]
    assert all(any(text.startswith(beginning) for text in every) for beginning in ONLY_PARSED)
    assert sum(why_not(text) is not None for text in every) < len(every) / 2
