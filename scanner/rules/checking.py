"""Whether the rules find what their examples promise."""

from __future__ import annotations

from dataclasses import dataclass

from scanner.confirm import Meaning
from scanner.context import field_path
from scanner.findings import Grade
from scanner.rules.model import Example, RuleSet


@dataclass(frozen=True, slots=True)
class ExampleFailure:
    """`ordinal` counts a rule's examples, or its counter-examples, from 1; `found` are types with their best grades."""

    rule_id: str
    ordinal: int
    wanted: bool
    data_type: str
    found: tuple[str, ...]

    def __str__(self) -> str:
        kind, what = ("example", "not found") if self.wanted else ("counter-example", "found")
        seen = ", ".join(self.found) or "nothing"
        return f"{self.rule_id}: {kind} {self.ordinal}: {self.data_type} was {what} at likely or more (found: {seen})"


def examples_failing(ruleset: RuleSet) -> list[ExampleFailure]:
    """The examples whose type is not found at `likely` or more, and the counter-examples whose type is."""
    meaning = Meaning(ruleset)
    return [
        ExampleFailure(rule.id, ordinal, wanted, rule.data_type, found)
        for rule in ruleset.rules
        for wanted, examples in ((True, rule.examples), (False, rule.counter_examples))
        for ordinal, example in enumerate(examples, 1)
        for is_found, found in (_judged(meaning, example, rule.data_type),)
        if is_found is not wanted
    ]


def _judged(meaning: Meaning, example: Example, data_type: str) -> tuple[bool, tuple[str, ...]]:
    hits = meaning.read(example.text, meaning.contexts.of(field_path(example.field)))
    best: dict[str, Grade] = {}
    for hit in hits:
        best[hit.data_type] = max(hit.grade, best.get(hit.data_type, hit.grade))
    found = tuple(f"{name} {grade.word}" for name, grade in sorted(best.items()))
    return best.get(data_type, Grade.POSSIBLE) >= Grade.LIKELY, found
