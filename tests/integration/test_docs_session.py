"""The commands of README.md and docs/ as one session: typed in the page's order, on a sandbox with the embedded broker.

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
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import count
from threading import Lock

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
BACKUPS = "needs an age key and an empty ledger; tests/integration/test_ledger_command.py has it on Kafka"
PROOFS = "proves all rules anew, which takes a minute; tests/unit/test_scanner_cli.py has it on fewer"
NO_DOCKER = "needs a Docker engine"
NO_CLUSTER = "needs a cluster"
ONLY_PARSED = {
    "docker ": NO_DOCKER,
    "helm ": NO_CLUSTER,
    "kubectl ": NO_CLUSTER,
    "make demo": INSTALLS,
    "make test": ITSELF,
    "make chaos": MINUTES,
    "make chaos-copies": MINUTES,
    "make chaos-discovery": MINUTES,
    "make bench": MINUTES,
    "python3 -m venv .venv && .venv/bin/pip install -c constraints.txt .": INSTALLS,
    ".venv/bin/dsr ledger export": BACKUPS,
    ".venv/bin/dsr ledger import": BACKUPS,
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

WITHOUT_REQUESTS = {"discovery.md", "scanning.md", "scanner-rules.md"}
"""Pages that nothing in the README can disturb, such as the taking back of all that was asked."""

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


def printed(*files):
    return "".join(file.read_text() for file in files if file.exists())


def wait_for(true):
    until = time.monotonic() + PATIENCE_S
    while not true():
        assert time.monotonic() < until
        time.sleep(0.05)


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
    """Terminals in one folder: those in which something runs beside, and one for each page that is read."""

    def __init__(self, folder):
        self.folder = folder
        self.beside = {}
        self._one_at_a_time = Lock()

    def read(self, path):
        """Type the commands of one page, in its order."""
        last_id = None
        for command in (command for block in blocks(path) for command in commands(block)):
            text = bare(command.text)
            if why_not(text):
                continue
            kind = subcommand(text)
            if kind in BESIDE:
                self.start(kind, text)
                continue
            said = self.finish(str(command), UUID.sub(last_id, text) if last_id else text, ENDS.get(kind, 0))
            last_id = UUID.search(said)[0] if kind == "submit" else last_id

    def start(self, kind, text):
        """Once: a second member would need another name."""
        key = text if kind == "watch" else kind
        with self._one_at_a_time:
            if key in self.beside:
                return
            out, err = (self.folder / f"{len(self.beside)}.{end}" for end in ("out", "err"))
            own = os.environ | {"DSR_KAFKA__REPLICA": f"terminal-{len(self.beside)}"}
            # in this order: a redirection that the page shows comes after ours and wins
            line = f"exec >{shlex.quote(str(out))} 2>{shlex.quote(str(err))}; exec {text}"
            process = subprocess.Popen(["/bin/sh", "-c", line], cwd=self.folder, env=own)
            self.beside[key] = (process, text, out, err)
            wait_for(lambda: BESIDE[kind] in printed(out, err) or process.poll() is not None)
            assert process.poll() is None, (text, printed(out, err))

    def finish(self, name, text, code):
        """What a command that ends has printed."""
        with terminal(b"y\n") as keys:
            line = ["/bin/sh", "-c", text]
            done = subprocess.run(line, cwd=self.folder, stdin=keys, capture_output=True, text=True, timeout=PATIENCE_S)
        assert (code, False) == (done.returncode, "Traceback" in done.stderr), (name, done.stdout, done.stderr)
        return done.stdout

    def end(self):
        """Ctrl-C in each terminal, the last one first; each ends well, and whoever followed has seen something."""
        for process, text, out, err in reversed(self.beside.values()):
            process.send_signal(signal.SIGINT)
            assert 0 == process.wait(30), (text, err.read_text())
            assert " watch " not in text or out.read_text(), text

    def kill(self):
        """Whatever is left of a session that went wrong."""
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
    monkeypatch.setenv("DSR_DISCOVERY__GRACE_S", "0")  # no slot ever moves here
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
    """The README from its beginning; each other page in a terminal of its own, once there is what it needs.

    Each command ends with its exit code; dead letters, a halt, a package and an inventory are there when asked for.
    """
    readme, *pages = told()
    with ThreadPoolExecutor(len(pages) + 1) as readers:
        tried_out = readers.submit(session.read, readme)
        wait_for(lambda: "run" in session.beside or tried_out.done())
        break_a_producer(session)
        reading = [readers.submit(session.read, page) for page in pages if page.name in WITHOUT_REQUESTS]
        tried_out.result()
        reading += [readers.submit(session.read, page) for page in pages if page.name not in WITHOUT_REQUESTS]
        for page in reading:
            page.result()
    session.end()
    assert {"sandbox", "run", "discover"} < session.beside.keys()


def test_no_row_of_the_table_is_left_over():
    """Each is the beginning of a command of some page, and most commands are run."""
    every = [bare(command.text) for path in told() for block in blocks(path) for command in commands(block)]
    assert all(any(text.startswith(beginning) for text in every) for beginning in ONLY_PARSED)
    assert sum(why_not(text) is not None for text in every) < len(every) / 2


def test_a_command_that_does_not_end_as_it_should_is_noticed(session):
    """By its exit code, or by a traceback."""
    assert "said\n" == session.finish("", "read -r answer; test $answer = y && echo said", 0)
    for text in ("exit 3", "echo Traceback >&2", ".venv/bin/dsr status --settings nowhere.toml"):
        with pytest.raises(AssertionError):
            session.finish("", text, 0)
