"""`scan`: what personal data do these files hold?"""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import typer
from rich.console import Console

from scanner.baseline import AllowList, read_allow_list, read_baseline
from scanner.cli import lines, options, progress
from scanner.cli.options import EngineName, Format, GradeName
from scanner.cli.printing import PIPE_COLUMNS, err, errors_told, remark, wide
from scanner.cli.wiring import machinery
from scanner.errors import BadInput, Fault
from scanner.ports import STDIN, Scanned, Wanted
from scanner.report import human, machine, page
from scanner.report.model import Judgement, Origin, Report, report
from scanner.report.text import plural
from scanner.rules.model import RuleSet
from scanner.secret import secret

WRITERS: dict[Format, Callable[[Report], str]] = {
    Format.JSON: machine.as_json,
    Format.JSONL: machine.as_jsonl,
    Format.CSV: machine.as_csv,
    Format.HTML: page.as_html,
}
MOST_LINES = 40
"""Of findings on a terminal; a file or a pipe gets all of them."""

HARMLESS = {Fault.OVERSIZED_LINE, Fault.WRONG_TYPE}
"""Left unread on purpose, told in the report. Any other incident means that the answer may be incomplete."""


def scan(
    context: typer.Context,
    files: options.Files = None,
    format: options.FormatOption = None,  # noqa: A002 (the option's name)
    output: options.Output = None,
    rules: options.Rules = None,
    allow: options.Allow = None,
    baseline: options.BaselineFile = None,
    fail_on: options.FailOn = GradeName.LIKELY,
    min_grade: options.MinGrade = GradeName.POSSIBLE,
    engine: options.EngineOption = EngineName.AUTO,
    processes: options.Processes = None,
    text: options.Text = False,
    field: options.FieldName = "",
    key_file: options.KeyFile = None,
) -> None:
    """Say which fields of these files hold which kinds of personal data. Values are never shown.

    \b
    Examples:
      dsr scan export.zip
      dsr scan export.zip -o report.html
      dsr scan *.json.gz --baseline last.json --fail-on confirmed
      dsr scan --text --field note -f jsonl < notes.txt

    \b
    JSON of --text, one a finding: {"input","line","data_type","start","end",
    "grade","reasons","via"}; start and end are half-open character offsets.
    Exit codes: 0 clean, 1 findings at or above --fail-on (likely unless you say
    otherwise), 2 wrong usage, or something could not be read.
    """
    names = files or ([STDIN] if text else [])
    if not names:
        raise typer.BadParameter("name a FILE to scan, or - for standard input; only --text reads that by itself")
    told = Telling(format, output, allow, baseline, fail_on, min_grade)
    with errors_told():
        with err.status("Getting the rules ready; new ones take a minute, once"):
            ruleset = machinery(context).load_rules(rules or [])
            wanted = Wanted(ruleset, engine.value, processes or os.cpu_count() or 1, secret(key_file))
            ready = machinery(context).make_engine(wanted)
        if text:
            asked = lines.Asked(field, min_grade.grade, fail_on.grade)
            raise typer.Exit(lines.scan(ready, names, asked, told.written, output))
        judgement, origin = told.judgement(), origin_of(names)
        with progress.shown(progress.size_of(names), err) as moved:
            scanned = ready.scan_sources(names, moved)
        code = told.tell(scanned, ruleset, judgement, origin)
    raise typer.Exit(code)


class Telling(NamedTuple):
    """How a report is judged and written: the options that every command with a report has."""

    format: Format | None
    output: Path | None
    allow: Path | None
    baseline: Path | None
    fail_on: GradeName
    min_grade: GradeName

    @property
    def written(self) -> Format:
        """The format that was asked for, or that the output's name tells."""
        return options.written_as(self.format, self.output)

    def judgement(self) -> Judgement:
        """Allow-list and baseline, read before anything is scanned. Raises what is wrong with them."""
        allowed = read_allow_list(self.allow) if self.allow else AllowList()
        if expired := allowed.expired(datetime.now(UTC).date()):
            entries = plural(expired, "entry", "entries")
            remark(f"{entries} of the allow-list no longer hold: their day has passed", "yellow")
        known = read_baseline(self.baseline) if self.baseline else None
        return Judgement(allowed, known, self.min_grade.grade)

    def tell(self, scanned: Scanned, rules: RuleSet, judgement: Judgement, origin: Origin) -> int:
        """Write the report; the exit code."""
        told = report(scanned, rules, judgement, origin)
        _write(told, self.written, self.output)
        return _code(told, self.fail_on)


def origin_of(names: Iterable[str]) -> Origin:
    """Of a report on these inputs, begun now."""
    inputs = tuple("(standard input)" if name == STDIN else Path(name).name for name in names)
    return Origin(options.own_version(), datetime.now(UTC), inputs)


def _write(told: Report, written: Format, output: Path | None) -> None:
    if written is Format.HUMAN and output is None:
        console = wide()
        human.write(told, console, MOST_LINES if console.is_terminal else None)
        return
    content = WRITERS[written](told) if written in WRITERS else _plain(told)
    put(content, output)


def put(content: str, output: Path | None) -> None:
    """Write to the file, or to stdout. Raises BadInput where the operating system refuses."""
    if output is None:
        sys.stdout.write(content)
        sys.stdout.flush()
        return
    try:
        output.write_text(content, "utf-8", newline="")
    except OSError:
        raise BadInput(Fault.UNREADABLE, f"{output.name} cannot be written") from None
    remark(f"wrote {output}")


def _plain(told: Report) -> str:
    text = io.StringIO()
    human.write(told, Console(file=text, width=PIPE_COLUMNS))
    return text.getvalue()


def _code(told: Report, fail_on: GradeName) -> int:
    if told.unaccounted or any(incident.fault not in HARMLESS for incident in told.scanned.incidents):
        return 2
    return 1 if told.failing(fail_on.grade) else 0
