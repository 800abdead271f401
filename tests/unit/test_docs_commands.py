"""Every command of the pages that teach can be read by the program that it is for. The session runs them: see there."""

import importlib
import re
import shlex

import pytest
import typer

from consumer.cli import app
from tests.fakes.reader import furnish
from tests.pages import ROOT, blocks, commands, told

EVERY = [command for path in told() for block in blocks(path) for command in commands(block)]
TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
UsageError = typer.BadParameter.__base__  # which typer does not export
OPERATORS = ("|", "&&", ";", ">", ">>", "<")


def simple(text):
    """The simple commands of a line, each as its words; of a redirection the file is a command's last word no more."""
    words = shlex.shlex(text, posix=True, punctuation_chars=True)
    words.whitespace_split = True
    found, into = [[]], False
    for word in words:
        if word in OPERATORS:
            into = word in (">", ">>", "<")
            found += [] if into else [[]]
        elif into:
            into = False
        else:
            found[-1].append(word)
    return found


def dsr(arguments):
    """As the command line reads them, without doing anything. Wrong ones raise the usage error."""
    command, context, rest = typer.main.get_command(app), None, list(arguments)
    while hasattr(command, "commands") and rest and not rest[0].startswith("-"):
        context = type(command).context_class(command, parent=context, info_name=command.name)
        command = command.commands[rest.pop(0)]
    command.make_context(command.name, rest, parent=context)


def make(arguments):
    """Targets exist."""
    assert set(arguments) <= TARGETS


def python(arguments):
    """Modules exist."""
    assert arguments[0] == "-m"
    assert importlib.util.find_spec(arguments[1])


def pip(arguments):
    """Files that are named exist."""
    assert arguments[0] == "install"
    assert all((ROOT / word).exists() for word in arguments[1:] if not word.startswith("-"))


def deploy(arguments):
    """Files of ours exist; what follows `dsr` is a command of ours, as in the image."""
    assert all((ROOT / word).exists() for word in arguments if word.startswith("deploy/"))
    if "dsr" in arguments[:-1]:
        last = len(arguments) - arguments[::-1].index("dsr")
        dsr(arguments[last:])


def anything(arguments):
    """Words to be printed."""
    assert arguments


PROGRAMS = {
    ".venv/bin/dsr": dsr,
    ".venv/bin/pip": pip,
    "python3": python,
    "make": make,
    "echo": anything,
    "docker": deploy,
    "helm": deploy,
    "kubectl": deploy,
}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Where the reader is."""
    furnish(tmp_path)
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("command", EVERY, ids=str)
def test_a_command_is_understood_by_its_program(command, folder):
    """Sub-commands and options exist, values are of their type, targets and files are there."""
    understood(command.text)


def understood(text):
    for program, *arguments in simple(text):
        PROGRAMS[program](arguments)


@pytest.mark.parametrize(
    "text",
    [
        ".venv/bin/dsr submit erase -p shop --users ids.txt",
        ".venv/bin/dsr dlq shown 1",
        ".venv/bin/dsr cancel --since",
        ".venv/bin/dsr submit erase -p shop --regulation mars",
        ".venv/bin/dsr scan nowhere.zip",
        "make tests",
        "docker compose -f deploy/nowhere.yaml up",
        "docker compose exec dsr dsr submit erase --nobody",
        "python3 -m nowhere",
        "echo x | .venv/bin/dsr scan --texts",
    ],
)
def test_a_command_that_is_wrong_is_noticed(text, folder):
    """An option, a sub-command, a value that is missing or of another type, a file, a target, a module; in a pipe."""
    with pytest.raises((AssertionError, KeyError, UsageError)):
        understood(text)


def test_there_are_commands_on_the_pages_that_show_some():
    """A reader that finds none would let everything pass."""
    pages = {command.block.page for command in EVERY}
    assert {"README.md", *(f"docs/{name}.md" for name in ("operations", "copies", "scanning", "discovery"))} <= pages
    assert len(EVERY) > 30
