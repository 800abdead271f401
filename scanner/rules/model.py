"""A rule: one data type that can be recognised, as data. What the words mean is in `scanner/rules/README.md`."""

from __future__ import annotations

from dataclasses import dataclass, field

from scanner.findings import Grade


@dataclass(frozen=True, slots=True)
class Example:
    """A text and the field it stands in; a positive example holds the rule's type at `likely` or more."""

    text: str
    field: str = ""


@dataclass(frozen=True, slots=True)
class Pattern:
    """One form in which a rule's value is written.

    `alone` is the grade without any context; None means that only context makes it a finding. `whole` patterns must
    match the whole value (blanks around it apart) and so are never found in prose. A group named `value` narrows the
    finding to that group. `anchor` is a hand-written necessary condition where the derived one is not selective; like
    the derived ones it is proved.
    """

    regex: str
    alone: Grade | None
    with_context: Grade
    whole: bool = False
    validator: str = ""
    anchor: str = ""


@dataclass(frozen=True, slots=True)
class Rule:
    """One data type. `context` are phrases on the key path or within 40 characters before a match, `keys` phrases of
    the value's own key only, `veto` phrases of its own key that lower the grade to `possible`."""

    id: str
    data_type: str
    name: str
    group: str
    patterns: tuple[Pattern, ...]
    country: str = ""
    priority: int = 50
    context: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()
    veto: tuple[str, ...] = ()
    examples: tuple[Example, ...] = ()
    counter_examples: tuple[Example, ...] = ()
    column: str = ""
    """`noisy`: a field where few values pass is noise, so its findings are lowered to `possible`."""


@dataclass(frozen=True, slots=True)
class RuleSet:
    """All rules of one scan. `digest` is the SHA-256 (hex) of everything that can change a finding."""

    rules: tuple[Rule, ...]
    fields: dict[str, str] = field(default_factory=dict)
    """Top-level JSON pointer of a known field → the data type it holds whatever its values."""
    digest: str = ""
