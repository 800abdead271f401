"""The options of `scan`, and what they are made into."""

from __future__ import annotations

from enum import StrEnum
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Annotated

import typer

from scanner.findings import Grade
from scanner.ports import STDIN
from scanner.secret import KEY_VARIABLE


class Format(StrEnum):
    """How a report is written."""

    HUMAN = "human"
    JSON = "json"
    JSONL = "jsonl"
    CSV = "csv"
    HTML = "html"


class EngineName(StrEnum):
    """Which engine runs."""

    AUTO = "auto"
    NATIVE = "native"
    REFERENCE = "reference"


class GradeName(StrEnum):
    """A grade on the command line."""

    POSSIBLE = "possible"
    LIKELY = "likely"
    CONFIRMED = "confirmed"

    @property
    def grade(self) -> Grade:
        """What it stands for."""
        return Grade[self.name]


def _file(*names: str, help: str) -> typer.models.OptionInfo:  # noqa: A002 (typer's word)
    option: typer.models.OptionInfo = typer.Option(
        *names, metavar="FILE", exists=True, dir_okay=False, readable=True, help=help
    )
    return option


def _source(name: str) -> str:
    if name != STDIN and not Path(name).is_file():
        raise typer.BadParameter("there is no such file")
    return name


Files = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="FILE", parser=_source, help="zip, gz or jsonl; - is standard input, which --text reads without a FILE."
    ),
]
FormatOption = Annotated[
    Format | None,
    typer.Option("--format", "-f", help="What to write; else told by the name of --output, else human."),
]
Output = Annotated[
    Path | None, typer.Option("--output", "-o", metavar="FILE", dir_okay=False, help="Where to write; else stdout.")
]
Rules = Annotated[list[Path] | None, _file("--rules", "-r", help="A TOML file of your rules, beside ours; repeatable.")]
Allow = Annotated[Path | None, _file("--allow", help="Allow-list (TOML): what somebody answers for.")]
BaselineFile = Annotated[
    Path | None, _file("--baseline", help="JSON report of an earlier run: only new findings count for --fail-on.")
]
FailOn = Annotated[GradeName, typer.Option(help="Exit code 1 if there is a finding of this grade or a higher one.")]
MinGrade = Annotated[GradeName, typer.Option(help="Leave lower findings out of the report; they are only counted.")]
EngineOption = Annotated[
    EngineName, typer.Option("--engine", help="auto: native where it was built, else the slow reference.")
]
Processes = Annotated[int | None, typer.Option(min=1, max=256, help="Scanner processes; else one for each core.")]
Text = Annotated[bool, typer.Option("--text", help="The inputs are plain text: tell the findings of each line.")]
FieldName = Annotated[str, typer.Option("--field", metavar="NAME", help="With --text: the field the lines come from.")]
KeyFile = Annotated[
    Path | None,
    _file("--key-file", help=f"Secret that fingerprints are made with; else ${KEY_VARIABLE}, else random."),
]


def written_as(chosen: Format | None, output: Path | None) -> Format:
    """The format that was chosen, or that the name of the output tells, or `human`."""
    if chosen or output is None:
        return chosen or Format.HUMAN
    ending = {".htm": "html"}.get(output.suffix.lower(), output.suffix.lower().removeprefix("."))
    return Format(ending) if ending in set(Format) else Format.HUMAN


def own_version() -> str:
    """The version of the distribution that the scanner came with."""
    try:
        return version("amplitude-dsr")
    except PackageNotFoundError:
        return "unknown"
