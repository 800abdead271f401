"""`dsr scan`: files, as the scanner's own command; or a project's export, straight from Amplitude, without Kafka."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Annotated

import typer

from consumer.adapters.amplitude.export import ExportClient
from consumer.cli import discoveries
from consumer.cli.options import File, now
from consumer.cli.printing import BAD, DIM, err, plural, remark
from consumer.domain.errors import CallFailed, Fatal, Fault, Reason, Refused
from consumer.domain.hours import Hour, Span
from consumer.domain.retry import SCHEDULES
from consumer.domain.subject import ProjectId
from consumer.ports import Absence, Access
from consumer.settings import Settings, load
from scanner.cli import options, progress
from scanner.cli import scan as scan_files
from scanner.cli.options import EngineName, GradeName
from scanner.cli.printing import errors_told
from scanner.cli.scan import HARMLESS, Telling, origin_of
from scanner.hosted import HostSettings, ScannerHost
from scanner.ports import Scanned
from scanner.rules import load as load_rules
from scanner.secret import secret
from scanner.summary import Summary

TRIES = 3
HOPELESS = frozenset({Fault.CREDENTIALS, Fault.REJECTED})
DAMAGED, TOO_LARGE = "the archive is damaged", "Amplitude does not export that much at once"


def scan(
    context: typer.Context,
    files: options.Files = None,
    project: Annotated[
        str | None,
        typer.Option("--project", "-p", metavar="NAME", help="Scan this project's export instead of files; no Kafka."),
    ] = None,
    first: discoveries.From = None,
    last: discoveries.To = None,
    sample: Annotated[float, typer.Option(metavar="SHARE", help="With --project: of the events.")] = 1.0,
    settings: File = None,
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
    """Say which fields of these files, or of a project's export, hold which kinds of personal data.

    Values are never shown. With --project the hours, those of the newest day
    that is final unless you say else, are streamed from Amplitude straight into
    the scanner: nothing is stored, no Kafka is needed, no inventory is kept.

    \b
    Examples:
      dsr scan export.zip
      dsr scan export.zip -o report.html
      dsr scan *.json.gz --baseline last.json --fail-on confirmed
      dsr scan --text --field note -f jsonl < notes.txt
      dsr scan --project shop --from 2026-06-16 --to 2026-06-17T11 -o it.html

    \b
    JSON of --text, one a finding: {"input","line","data_type","start","end",
    "grade","reasons","via"}; start and end are half-open character offsets.
    Exit codes: 0 clean, 1 findings at or above --fail-on (likely unless you say
    otherwise), 2 wrong usage, or something could not be read; 3 Amplitude
    refuses, or cannot be reached.
    """
    if project is None:
        if first is not None or last is not None or sample != 1:
            raise typer.BadParameter("--from, --to and --sample go with --project")
        scan_files(
            context,
            files=files,
            format=format,
            output=output,
            rules=rules,
            allow=allow,
            baseline=baseline,
            fail_on=fail_on,
            min_grade=min_grade,
            engine=engine,
            processes=processes,
            text=text,
            field=field,
            key_file=key_file,
        )
        return
    if files or text:
        raise typer.BadParameter("name files, or --project, not both")
    told, loaded = Telling(format, output, allow, baseline, fail_on, min_grade), load(settings)
    access, final_after = _access(loaded, project), loaded.discovery.final_after_ms
    span = discoveries.window(first, last, final_after, now())
    if partial := discoveries.unfinished(span, final_after, now()):
        remark(f"{partial}; what has not come by now is not scanned", DIM)
    with errors_told():
        judgement, origin = told.judgement(), origin_of([f"{project}, {span}"])
        host = HostSettings(tuple(rules or []), engine.value, processes, secret(key_file))
        direct = asyncio.run(_scanned(host, access, span, sample))
        code = told.tell(direct.scanned(), load_rules(rules or []), judgement, origin)
    for window, why in direct.refused:
        remark(f"not scanned: {window}: {why}", BAD)
    remark(f"{plural(span.hours, 'hour')}, {direct.empty:,} of them empty", DIM)
    raise typer.Exit(2 if direct.refused else code)


def _access(settings: Settings, project: str) -> Access:
    access = settings.access(ProjectId(project))
    if access is None:
        raise Refused(Reason.UNKNOWN_PROJECT, "the settings do not have it, or not both of its keys")
    return access


async def _scanned(settings: HostSettings, access: Access, span: Span, sample: float) -> Direct:
    host = await ScannerHost.start(settings)
    try:
        async with ExportClient() as export:
            with progress.shown(None, err) as moved:
                direct = Direct(export, host, access, sample, moved)
                await direct.scan(span)
            return direct
    finally:
        await host.close()


class Direct:
    """A scan of hours, a day after the other, in one process; and what became of each hour."""

    def __init__(
        self, export: ExportClient, host: ScannerHost, access: Access, sample: float, moved: Callable[[int, int], None]
    ) -> None:
        self._export, self._host, self._access, self._sample, self._moved = export, host, access, sample, moved
        self._summary, self._began, self._engine = Summary(), time.monotonic(), host.engine
        self.empty = 0
        self.refused: list[tuple[Span, str]] = []

    def scanned(self) -> Scanned:
        """All of it as one scan."""
        return Scanned(self._summary, self._engine, time.monotonic() - self._began)

    async def scan(self, span: Span) -> None:
        """Scan the hours. Raises `Fatal` where Amplitude refuses, or cannot be reached."""
        days = range(span.first, span.last + 1, 24)
        waiting = [Span(Hour(first), Hour(min(first + 23, span.last))) for first in days]
        while waiting:
            window = waiting.pop(0)
            why = await self._patiently(window)
            if why and window.hours > 1:
                waiting[:0] = window.halves()
            elif why:
                self.refused.append((window, why))

    async def _patiently(self, window: Span) -> str:
        """Why the window could not be scanned; empty if it was."""
        why = ""
        for attempt in range(1, TRIES + 1):
            try:
                why = await self._try(window)
            except CallFailed as failure:
                if failure.fault in HOPELESS or attempt == TRIES:
                    raise Fatal(failure.reason, "the export cannot be had") from None
                await asyncio.sleep(SCHEDULES[failure.fault].wait_s(attempt, 1.0, failure.retry_after_s))
            else:
                if why != DAMAGED:
                    return why
        return why

    async def _try(self, window: Span) -> str:
        async with self._export.archive(self._access, window.first, window.last) as found:
            if found is Absence.TOO_LARGE:
                return TOO_LARGE
            if isinstance(found, Absence):
                self.empty += window.hours
                return ""
            scanned = await self._host.scan(found.chunks, sample=self._sample, progress=self._moved)
        if any(incident.fault not in HARMLESS for incident in scanned.incidents):
            return DAMAGED
        self._summary |= scanned.summary
        return ""
