"""What the command line and the service need of an engine, and what it hands over."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Protocol

from scanner.errors import Fault
from scanner.findings import Finding
from scanner.rules.model import RuleSet
from scanner.summary import Summary

STDIN = "-"
"""The name of standard input among sources."""


class Incident(NamedTuple):
    """Something that could not be read: in which source (its name), and our sentence about where and why."""

    source: str
    fault: Fault
    message: str


@dataclass(frozen=True, slots=True)
class Scanned:
    """What a scan of whole sources gives. `engine` is `native` or `reference`, `seconds` is wall time.

    `summary.tally.account` has the counters that `scanner.report.model` names.
    """

    summary: Summary
    engine: str
    seconds: float
    processes: int = 1
    incidents: tuple[Incident, ...] = ()


class Progress(Protocol):
    """Told now and then, from the thread that scans."""

    def __call__(self, input_bytes: int, text_bytes: int) -> None:
        """So many more bytes of the sources were read, so many more of text scanned, since the last call."""


class Engine(Protocol):
    """Rules made ready to scan with."""

    def scan_sources(self, sources: Sequence[str], progress: Progress) -> Scanned:
        """Scan files (zip, gzip, JSON lines; told by their first bytes) and standard input (`STDIN`).

        What cannot be read is an incident and the rest goes on. Raises `ScanError` if nothing can.
        """

    def scan_text(self, text: str, field: str = "") -> Sequence[Finding]:
        """The findings in one text that stands in a field of that name or path."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What kind of engine. `engine` is `auto`, `native` or `reference`; `key` is the secret of the fingerprints."""

    rules: RuleSet
    engine: str
    processes: int
    key: bytes


@dataclass(frozen=True, slots=True)
class RuleCheck:
    """What the check of one rule gave: `proved` patterns have a proved anchor, `passed` are examples of both kinds."""

    rule_id: str
    patterns: int
    proved: int
    examples: int
    passed: int
    faults: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Checked:
    """What the check of a rule set gave. `states` is the size of its automata."""

    rules: tuple[RuleCheck, ...]
    states: int

    @property
    def fine(self) -> bool:
        """Whether every rule holds what it promises."""
        return not any(rule.faults for rule in self.rules)


@dataclass(frozen=True, slots=True)
class Machinery:
    """The parts that the command line is wired to. Each raises `ScanError`, `BadRules` above all.

    `load_rules` and `check_rules` take rule files that are used beside the shipped ones.
    """

    make_engine: Callable[[Wanted], Engine]
    load_rules: Callable[[Sequence[Path]], RuleSet]
    check_rules: Callable[[Sequence[Path]], Checked]
