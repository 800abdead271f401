"""Rules made ready to scan with: which engine runs, on how many processes, and what comes of it."""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from scanner import automaton, pool
from scanner.archive import Account
from scanner.confirm import Meaning
from scanner.context import field_path
from scanner.errors import BadInput, Fault
from scanner.findings import Finding
from scanner.kernel import NATIVE
from scanner.native import NativeEngine
from scanner.plain import ReferenceEngine
from scanner.pool import Source
from scanner.ports import STDIN, Incident, Progress, Scanned, Wanted
from scanner.sampling import Sampled, without_sample
from scanner.sketch import Fingerprints
from scanner.summary import INCIDENTS, Summary

LineEngine = NativeEngine | ReferenceEngine

BUFFER = 16 << 20
"""Bytes of compressed members that wait for each scanner process."""

SENTENCES = {
    Fault.TRUNCATED: "it is cut off",
    Fault.DAMAGED: "it is damaged",
    Fault.UNSUPPORTED: "it is encrypted, or packed by a method that is not read here",
    Fault.WRONG_TYPE: "it does not hold JSON lines",
    Fault.OVERSIZED_LINE: "it has lines that are too long",
    Fault.BOMB: "it unpacks to far more than it holds",
    Fault.NOT_AN_ARCHIVE: "it is of no kind that is read here",
    Fault.UNREADABLE: "it cannot be read",
}


class ScanEngine:
    """One rule set, one engine. Build it once; it may scan again and again, and remembers decided values."""

    def __init__(self, wanted: Wanted) -> None:
        self._wanted, self._meaning = wanted, Meaning(wanted.rules)
        self.fingerprints = Fingerprints(wanted.key)
        self._native = _is_native(wanted.engine)
        self.name = "native" if self._native else "reference"
        tables = automaton.load(wanted.rules).packed if self._native else b""
        self.lines = line_engine(self._meaning, self.fingerprints, tables)

    def scan_sources(self, sources: Sequence[str], progress: Progress) -> Scanned:
        """Scan files (zip, gzip, JSON lines; told by their first bytes) and standard input (`-`).

        What cannot be read is an incident and the rest goes on. Raises `ScanError` if nothing can.
        """
        inputs = [Source.stream(sys.stdin.buffer) if name == STDIN else Source.path(Path(name)) for name in sources]
        return self.scan(inputs, ["(standard input)" if n == STDIN else Path(n).name for n in sources], progress)

    def scan(self, inputs: Sequence[Source], names: Sequence[str], progress: Progress, sample: float = 1.0) -> Scanned:
        """Scan inputs of any kind; `names` is what they are called in incidents. Of the events, a `sample`.

        As `scan_sources`; an exception of an input passes, and nothing counts.
        """
        began = time.perf_counter()
        try:
            scan = pool.scan(
                inputs,
                engine=self._factory(sample),
                processes=self._wanted.processes,
                progress=_moved(progress),
                buffer=BUFFER,
            )
        except BaseException:
            self.lines.take()  # whatever was counted here of what does not count
            raise
        digests = [stream.sha256 for stream in scan.streams if stream.size]  # nothing arrived: nothing counts twice
        if len(set(digests)) < len(digests):
            raise BadInput(Fault.SAME_INPUT, "two of the inputs have the same content, which would be counted twice")
        tally = replace(scan.result, account=without_sample(counters(scan.account), scan.result.account))
        summary = Summary(frozenset(digests), self._wanted.rules.digest, self.fingerprints.name, tally)
        seconds = time.perf_counter() - began
        return Scanned(summary, self.name, seconds, self._wanted.processes, incidents(scan.account, names))

    def scan_text(self, text: str, field: str = "") -> Sequence[Finding]:
        """The findings in one text that stands in a field of that name or path."""
        context = self._meaning.contexts.of(field_path(field))
        nominate = self.lines.mask if isinstance(self.lines, NativeEngine) else None
        return [hit.finding for hit in self._meaning.read(text, context, nominate)]

    def _factory(self, sample: float) -> Callable[[], LineEngine | Sampled]:
        """In a forked process, or in this one, the engine that is ready here; in a spawned one a new one."""
        return partial(_engine_of, self._wanted, _Ready(self.lines), sample)


class _Ready:
    """An engine that stays behind when it is pickled: a spawned process builds its own."""

    def __init__(self, engine: LineEngine | None = None) -> None:
        self.engine = engine

    def __reduce__(self) -> tuple[type[_Ready], tuple[()]]:
        return _Ready, ()


def _engine_of(wanted: Wanted, ready: _Ready, sample: float) -> LineEngine | Sampled:
    engine = ready.engine or ScanEngine(wanted).lines
    return Sampled(engine, sample) if sample < 1 else engine


def make_engine(wanted: Wanted) -> ScanEngine:
    """An engine. Raises BadInput(ENGINE_MISSING) for a native one that was not built, BadRules for rules that cannot be
    proved. Automata of other than the shipped rules take a minute once; then they are cached."""
    return ScanEngine(wanted)


def line_engine(meaning: Meaning, fingerprints: Fingerprints, tables: bytes) -> LineEngine:
    """Counts lines: natively with the tables of the automata, else plainly."""
    plain = ReferenceEngine(meaning, fingerprints)
    return NativeEngine(NATIVE, meaning, tables, fingerprints, plain) if tables and NATIVE else plain


def _is_native(engine: str) -> bool:
    if engine == "native" and NATIVE is None:
        raise BadInput(Fault.ENGINE_MISSING, "the native engine was not built: there was no C compiler at installation")
    return NATIVE is not None and engine != "reference"


def _moved(progress: Progress) -> Callable[[pool.Progress], None]:
    before = [0, 0]

    def told(now: pool.Progress) -> None:
        read = max(before[0], now.read)  # what is read ahead is only then known to wait
        progress(read - before[0], now.text - before[1])
        before[:] = read, now.text

    return told


def counters(account: Account) -> dict[str, int]:
    """The account under the names that reports use (`scanner.report.model`)."""
    text, split = account.text, account.split
    told = {
        "lines": account.lines,
        "text_bytes": text.inflated,
        "text_scanned": text.delivered,
        "lines_skipped.oversized_line": text.long_lines,
        "input_bytes": split.size,
        "input_overhead": split.overhead,
        "input_unpacked": split.read,
    }
    told |= {f"text_skipped.{fault}": size for fault, size in text.skipped.items()}
    told |= {f"input_skipped.{fault}": size for fault, size in split.skipped.items()}
    told |= Counter(f"{INCIDENTS}{trouble.fault}" for trouble in account.troubles)
    return {name: number for name, number in told.items() if number}


def incidents(account: Account, names: Sequence[str]) -> tuple[Incident, ...]:
    """What was not read, in our words: members by their number, never by their name."""
    return tuple(
        Incident(
            names[trouble.source],
            trouble.fault,
            f"member {trouble.member + 1}: {SENTENCES.get(trouble.fault, trouble.fault)}"
            + (f", after {trouble.at:,} bytes of text" if trouble.at else ""),
        )
        for trouble in account.troubles
    )
