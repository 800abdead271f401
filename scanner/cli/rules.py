"""`rules`: what can be recognised, how, and whether the rules hold what they promise."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any

import typer

from scanner.cli.printing import emit, err, errors_told, remark, say, table, wide
from scanner.cli.wiring import machinery
from scanner.ports import Checked, RuleCheck
from scanner.report.text import plural
from scanner.rules.model import Example, Pattern, Rule

app = typer.Typer(no_args_is_help=True, help="The rules: list, show one, check them all, yours included.")

AsJson = Annotated[bool, typer.Option("--json", help="JSON for programs: one object a line.")]
Extra = Annotated[
    list[Path] | None,
    typer.Option("--rules", "-r", metavar="FILE", exists=True, dir_okay=False, help="Your rules, beside ours."),
]
Yours = Annotated[
    list[Path] | None, typer.Argument(metavar="FILE", exists=True, dir_okay=False, help="Your rules, beside ours.")
]
Group = Annotated[str, typer.Option(help="Only this group, like national_id.")]
Country = Annotated[str, typer.Option(help="Only this country, like ES.")]
Kind = Annotated[str, typer.Option("--type", help="Only this data type, like EMAIL.")]


@app.command("list")
def list_rules(
    context: typer.Context,
    group: Group = "",
    country: Country = "",
    kind: Kind = "",
    rules: Extra = None,
    json: AsJson = False,
) -> None:
    """List what can be recognised.

    \b
    Examples:
      dsr rules list --country ES
      dsr rules list --group payment --json

    \b
    JSON, one a rule: {"id","type","name","group","country","patterns",
    "examples"}.
    Exit codes: 0.
    """
    with errors_told():
        every = machinery(context).load_rules(rules or []).rules
    asked = (group.casefold(), country.casefold(), kind.casefold())
    some = [rule for rule in every if _fits(asked, (rule.group, rule.country, rule.data_type))]
    if json:
        for rule in some:
            emit(_brief(rule))
        return
    filled = table("id", "type", "name", "group", "country")
    for rule in some:
        filled.add_row(rule.id, rule.data_type, rule.name, rule.group, rule.country)
    wide().print(filled)
    say(f"{plural(len(some), 'rule')}, {plural(len({rule.data_type for rule in some}), 'data type')}", "dim")


@app.command("show")
def show(
    context: typer.Context,
    rule_id: Annotated[str, typer.Argument(metavar="ID", help="As `rules list` shows it.")],
    rules: Extra = None,
    json: AsJson = False,
) -> None:
    """Show one rule: its patterns, what must be near, and its examples.

    \b
    Example:
      dsr rules show es.nie

    \b
    Exit codes: 0; 2 there is no such rule.
    """
    with errors_told():
        every = {rule.id: rule for rule in machinery(context).load_rules(rules or []).rules}
    if rule_id not in every:
        raise typer.BadParameter(f"there is no such rule; {_meant(rule_id, every)}", param_hint="ID")
    rule = every[rule_id]
    if json:
        emit(_whole(rule))
        return
    say(f"{rule.data_type}: {rule.name}", "bold")
    filled = table("", "")
    filled.show_header = False
    for name, value in _told(rule):
        filled.add_row(name, value)
    wide().print(filled)


@app.command("check")
def check(context: typer.Context, files: Yours = None, json: AsJson = False) -> None:
    """Prove that the fast engine misses nothing that the rules find, and run every example.

    \b
    Examples:
      dsr rules check
      dsr rules check mine.toml

    \b
    JSON, one a rule: {"id","patterns","proved","examples","passed","faults"};
    faults are sentences. Takes about a minute.
    Exit codes: 0 all holds; 1 a rule does not hold what it promises;
    2 a file is no rule file.
    """
    with errors_told(), err.status("Proving the anchors and running the examples of every rule: about a minute"):
        checked = machinery(context).check_rules(files or [])
    if json:
        for rule in checked.rules:
            emit({**_counts(rule), "faults": list(rule.faults)})
    else:
        _show_check(checked)
    raise typer.Exit(0 if checked.fine else 1)


def _meant(rule_id: str, every: Iterable[str]) -> str:
    near = get_close_matches(rule_id, every, n=3)
    return f"did you mean {' or '.join(near)}?" if near else "`rules list` shows them all"


def _fits(asked: tuple[str, ...], words: tuple[str, ...]) -> bool:
    return all(one in {"", word.casefold()} for one, word in zip(asked, words, strict=True))


def _show_check(checked: Checked) -> None:
    """The rules that do not hold, and the sums of all."""
    rules, broken = checked.rules, [rule for rule in checked.rules if rule.faults]
    if broken:
        _show_broken(broken)
        say(f"{len(broken):,} of {plural(len(rules), 'rule')} do not hold.", "bold red")
    else:
        say(f"{plural(len(rules), 'rule')}, and every one holds.", "bold")
    patterns, proved = sum(rule.patterns for rule in rules), sum(rule.proved for rule in rules)
    examples, passed = sum(rule.examples for rule in rules), sum(rule.passed for rule in rules)
    told = f"{proved:,} of {plural(patterns, 'pattern')} proved, {passed:,} of {plural(examples, 'example')} passed"
    say(told, "dim")
    if checked.states:
        say(f"{plural(checked.states, 'state')} in the automaton that every value goes through", "dim")


def _show_broken(rules: Sequence[RuleCheck]) -> None:
    counts = ("patterns", "proved", "examples", "passed")
    filled = table("rule", *counts, right=counts)
    for rule in rules:
        filled.add_row(*map(str, _counts(rule).values()))
    wide().print(filled)
    for rule in rules:
        for fault in rule.faults:
            remark(fault if fault.startswith(rule.rule_id) else f"{rule.rule_id}: {fault}", "red")


def _counts(rule: RuleCheck) -> dict[str, Any]:
    return {
        "id": rule.rule_id,
        "patterns": rule.patterns,
        "proved": rule.proved,
        "examples": rule.examples,
        "passed": rule.passed,
    }


def _brief(rule: Rule) -> dict[str, Any]:
    return {
        "id": rule.id,
        "type": rule.data_type,
        "name": rule.name,
        "group": rule.group,
        "country": rule.country,
        "patterns": len(rule.patterns),
        "examples": len(rule.examples) + len(rule.counter_examples),
    }


def _whole(rule: Rule) -> dict[str, Any]:
    return {
        **_brief(rule),
        "priority": rule.priority,
        "column": rule.column,
        "context": list(rule.context),
        "keys": list(rule.keys),
        "veto": list(rule.veto),
        "patterns": [_pattern(pattern) for pattern in rule.patterns],
        "examples": [_example(example) for example in rule.examples],
        "counter_examples": [_example(example) for example in rule.counter_examples],
    }


def _pattern(pattern: Pattern) -> dict[str, Any]:
    return {
        "regex": pattern.regex,
        "validator": pattern.validator,
        "alone": pattern.alone.word if pattern.alone else "none",
        "with_context": pattern.with_context.word,
        "whole": pattern.whole,
    }


def _example(example: Example) -> dict[str, str]:
    return {"text": example.text, "field": example.field}


def _grades(pattern: Pattern) -> str:
    where = ", the whole value" if pattern.whole else ""
    if pattern.alone is None:
        return f"{pattern.with_context.word}, only with context{where}"
    if pattern.alone is pattern.with_context:
        return f"{pattern.alone.word}{where}"
    return f"{pattern.alone.word}, with context {pattern.with_context.word}{where}"


def _told(rule: Rule) -> list[tuple[str, str]]:
    lines = [("id", rule.id), ("group", rule.group), ("country", rule.country), ("priority", str(rule.priority))]
    for pattern in rule.patterns:
        lines.append(("pattern", pattern.regex))
        lines.append(("", _grades(pattern)))
        lines.append(("", f"checked by {pattern.validator}" if pattern.validator else ""))
    lines += [("context", ", ".join(rule.context)), ("own key", ", ".join(rule.keys)), ("veto", ", ".join(rule.veto))]
    lines.append(("column", rule.column))
    for name, examples in (("found", rule.examples), ("not found", rule.counter_examples)):
        lines += [(name, f"{one.text}{f'  (in {one.field})' if one.field else ''}") for one in examples]
    return [(name, value) for name, value in lines if value]
