"""Rules as data: read with `load`, described in README.md beside this file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from scanner.rules.model import Example, Pattern, Rule, RuleSet

__all__ = ["Example", "Pattern", "Rule", "RuleSet", "load"]


def load(extra: Sequence[Path] = (), *, shipped: bool = True, trusting: bool = True) -> RuleSet:
    """The shipped rules and those of the files in `extra`, as `scanner.rules.reading.load` says.

    Whoever only speaks of rules, like every `--help`, does not wait for the validators and their libraries.
    """
    from scanner.rules.reading import load as read  # noqa: PLC0415

    return read(extra, shipped=shipped, trusting=trusting)
