"""Rule files → `RuleSet`. Every mistake of every file is told at once, with file, rule and key."""

from __future__ import annotations

import hashlib
import json
import re
import tomllib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from re import _parser  # type: ignore[attr-defined]  # the only one who knows how short a match can be
from typing import Any

from scanner import validators
from scanner.errors import BadRules, Fault
from scanner.findings import Grade
from scanner.rules.model import Pattern, Rule, RuleSet
from scanner.rules.table import Table

MEANING = 1
"""Raised whenever the engine finds something else with the same rules; part of the digest."""

GROUPS = (
    *("contact", "payment", "network", "device", "credential", "crypto", "personal"),
    *("health", "vehicle", "national_id", "tax_id", "travel", "location"),
)
_ID = re.compile(r"[a-z0-9_]+(?:\.[a-z0-9_]+)*")
_TYPE = re.compile(r"[A-Z][A-Z0-9_]*")
_POSITION = re.compile(r"at line (\d+), column (\d+)")


def load(extra: Sequence[Path] = (), *, shipped: bool = True, trusting: bool = True) -> RuleSet:
    """The shipped rules (unless `shipped` is false), then those of the files in `extra`.

    The regexes of shipped files are taken as they are, unless `trusting` is false.

    Raises `BadRules(RULE_SYNTAX)` with one line for each mistake.
    """
    faults: list[str] = []
    rules: list[Rule] = []
    fields: dict[str, str] = {}
    ours = _shipped() if shipped else []
    for file in (*ours, *extra):
        document = Table(file.name, _document(file, faults), faults, trusted=trusting and file in ours)
        rules += _rules(document)
        fields |= _fields(document)
        document.finish()
    faults += [f"{name}: id: is used {n} times" for name, n in Counter(rule.id for rule in rules).items() if n > 1]
    if faults:
        raise BadRules(Fault.RULE_SYNTAX, "\n".join(faults))
    return RuleSet(tuple(rules), fields, _digest(rules, fields))


@lru_cache(maxsize=4096)
def compiled(regex: str) -> re.Pattern[str]:
    """The regex as every part of the scanner reads it: `[A-Za-z]`-like meanings of `\\w`, `\\b` and `(?i:)`."""
    return re.compile(regex, re.ASCII)


def _shipped() -> list[Traversable]:
    files = [file for file in resources.files("scanner.rules").iterdir() if file.name.endswith(".toml")]
    return sorted(files, key=lambda file: file.name)


def _document(file: Traversable | Path, faults: list[str]) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError:
        faults.append(f"{file.name}: cannot be read")
    except UnicodeDecodeError:
        faults.append(f"{file.name}: is not UTF-8")
    except tomllib.TOMLDecodeError as error:
        position = _POSITION.search(str(error))
        place = f"line {position[1]}, column {position[2]}" if position else "at its end"
        faults.append(f"{file.name}: is not TOML ({place})")
    return {}


def _fields(document: Table) -> dict[str, str]:
    document.taken.add("fields")
    fields = document.content.get("fields", {})
    if not isinstance(fields, dict):
        document.fault("fields", "must be a table")
        return {}
    for pointer, data_type in fields.items():
        if not pointer.startswith("/") or not isinstance(data_type, str) or not _TYPE.fullmatch(data_type):
            document.fault("fields", f'"{pointer}" must be a JSON pointer to a top-level field, its value a data type')
    return fields


def _rules(document: Table) -> list[Rule]:
    return [rule for table in document.tables("rule", "rule") if (rule := _rule(table, document.place))]


def _rule(table: Table, file: str) -> Rule | None:
    before = len(table.faults)
    name = table.take("id", "", required=True)
    if name:
        table.place = f"{file}: {name}"
    rule = Rule(
        id=name,
        data_type=table.take("type", "", required=True),
        name=table.take("name", "", required=True),
        group=table.take("group", "", required=True),
        patterns=tuple(_pattern(each) for each in table.tables("pattern", "pattern")),
        country=table.take("country", ""),
        priority=table.take("priority", 50),
        context=table.texts("context"),
        keys=table.texts("keys"),
        veto=table.texts("veto"),
        examples=table.examples("examples"),
        counter_examples=table.examples("counter_examples"),
        column=table.take("column", ""),
    )
    table.finish()
    for key, what in _contradictions(rule):
        table.fault(key, what)
    return rule if len(table.faults) == before else None


def _contradictions(rule: Rule) -> Iterator[tuple[str, str]]:
    """(key, what is wrong) of a rule whose keys have the right types."""
    if rule.id and not _ID.fullmatch(rule.id):
        yield "id", "must be lower-case words with dots between them"
    if rule.data_type and not _TYPE.fullmatch(rule.data_type):
        yield "type", "must be upper-case words with _ between them"
    if rule.group and rule.group not in GROUPS:
        yield "group", f"must be one of {', '.join(GROUPS)}"
    if rule.column not in {"", "noisy"}:
        yield "column", "must be noisy, or be left out"
    if not rule.patterns:
        yield "pattern", "is missing"
    if not rule.examples:
        yield "examples", "is missing: a rule must show what it finds"
    if not (rule.context or rule.keys) and any(pattern.alone is None for pattern in rule.patterns):
        yield "context", "is missing: a pattern with alone = none is found through context only"


def _pattern(table: Table) -> Pattern:
    pattern = Pattern(
        regex=table.take("regex", "", required=True),
        alone=table.grade("alone", may_be_none=True),
        with_context=table.grade("with_context") or Grade.POSSIBLE,
        whole=table.take("whole", False),
        validator=table.take("validator", ""),
        anchor=table.take("anchor", ""),
    )
    table.finish()
    if not table.trusted:
        _check_regex(table, pattern.regex)
    if pattern.alone is not None and pattern.with_context < pattern.alone:
        table.fault("with_context", "is less than alone")
    if pattern.validator:
        _check_validator(table, pattern.validator)
    return pattern


def _check_regex(table: Table, regex: str) -> None:
    try:
        least, _ = _parser.parse(regex, re.ASCII).getwidth()
        compiled(regex)
    except (re.error, OverflowError, RecursionError) as error:
        place = getattr(error, "pos", None)
        table.fault("regex", "is not a regular expression" + ("" if place is None else f" (at character {place + 1})"))
        return
    if regex and least == 0:
        table.fault("regex", "can match the empty text")


def _check_validator(table: Table, name: str) -> None:
    try:
        validators.lookup(name)
    except BadRules as error:
        table.fault("validator", str(error))


def _digest(rules: Iterable[Rule], fields: dict[str, str]) -> str:
    """SHA-256 (hex) over what can change a finding: not names, groups and examples; not the libraries of validators."""
    patterns = ("regex", "alone", "with_context", "whole", "validator")
    judged = ("id", "data_type", "priority", "context", "keys", "veto", "column")
    content = [
        [[getattr(rule, key) for key in judged], [[getattr(form, key) for key in patterns] for form in rule.patterns]]
        for rule in rules
    ]
    text = json.dumps([MEANING, content, sorted(fields.items())], ensure_ascii=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
