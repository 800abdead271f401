"""Whom a submission is about: from options, or from a file with one id a line."""

from __future__ import annotations

import sys
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class IdType(StrEnum):
    """What the lines of a file are."""

    USER_ID = "user-id"
    AMPLITUDE_ID = "amplitude-id"
    EMAIL = "email"


OPENDSR = {
    IdType.USER_ID: "controller_customer_id",
    IdType.AMPLITUDE_ID: "amplitude_id",
    IdType.EMAIL: "email",
}


Kind = Annotated[
    IdType,
    typer.Option("--type", "-t", metavar="TYPE", help=f"What the file's lines are: {', '.join(IdType)}."),
]


@dataclass(frozen=True, slots=True)
class Person:
    """The identities of one request in OpenDSR's words, and the line of the file it came from (0: from options)."""

    line: int
    identities: list[dict[str, str]] = field(repr=False)


def given(users: Sequence[str], amplitude_ids: Sequence[str], emails: Sequence[str]) -> list[Person]:
    """One request about everybody who was named in options: they are taken for one person."""
    by_type = ((IdType.USER_ID, users), (IdType.AMPLITUDE_ID, amplitude_ids), (IdType.EMAIL, emails))
    identities = [_identity(kind, value) for kind, values in by_type for value in values]
    return [Person(0, identities)] if identities else []


def listed(path: str, kind: IdType, *, together: bool) -> list[Person]:
    """One request for each line, or one for all lines. Empty lines are left out; ids are taken exactly as they are."""
    lines = [(number, line) for number, line in enumerate(read_lines(path), 1) if line.strip()]
    if together:
        return [Person(0, [_identity(kind, line) for _, line in lines])] if lines else []
    return [Person(number, [_identity(kind, line)]) for number, line in lines]


def read_lines(path: str) -> list[str]:
    """The lines of a file, or of stdin for `-`, without their ends. Usage error when it cannot be read as UTF-8."""
    try:
        data = sys.stdin.buffer.read() if path == "-" else Path(path).read_bytes()
        text = data.decode("utf-8-sig")
    except OSError as error:
        raise typer.BadParameter(_UNREADABLE.get(type(error), "the file cannot be read")) from None
    except UnicodeDecodeError:
        raise typer.BadParameter("the file is not UTF-8 text") from None
    return [line.removesuffix("\r") for line in text.split("\n")]


_UNREADABLE: dict[type[OSError], str] = {
    FileNotFoundError: "the file does not exist",
    IsADirectoryError: "that is a directory, not a file",
    PermissionError: "this user may not read the file",
}


def oddity(value: str) -> str | None:
    """Why this is hardly an id, although the service would take it for one: a command, or something garbled."""
    if value.lstrip().startswith("{"):
        return "looks like a DsrCommand, and ids are asked for here"
    if any(unicodedata.category(character) in _UNPRINTABLE for character in value):
        return "holds a control character (a tab?), which no id has"
    return None


_UNPRINTABLE = {"Cc", "Zl", "Zp"}


def _identity(kind: IdType, value: str) -> dict[str, str]:
    return {"identity_type": OPENDSR[kind], "identity_value": value, "identity_format": "raw"}
