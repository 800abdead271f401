"""Whether rules keep their promises: every example found, every anchor proved, the automata within their budget."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from scanner import automaton
from scanner.automaton import Proof
from scanner.errors import BadRules
from scanner.ports import Checked, RuleCheck
from scanner.rules import load
from scanner.rules.checking import examples_failing
from scanner.rules.model import Rule


def check_rules(files: Sequence[Path]) -> Checked:
    """Try and prove the shipped rules and those of the files. Takes a minute. Raises BadRules for broken files."""
    rules = load(files, trusting=False)
    proofs: defaultdict[str, list[Proof]] = defaultdict(list)
    for proof in automaton.prove_anchors(rules, automaton.anchors(rules)):
        proofs[proof.rule].append(proof)
    failures: defaultdict[str, list[str]] = defaultdict(list)
    for failure in examples_failing(rules):
        failures[failure.rule_id].append(str(failure))
    checked = [_checked(rule, proofs[rule.id], failures[rule.id]) for rule in rules.rules]
    if any(not proof.proved for of_rule in proofs.values() for proof in of_rule):
        return Checked(tuple(checked), 0)
    try:
        states = automaton.build(rules).states["main"]
    except BadRules as error:
        return Checked((*checked, RuleCheck("all together", 0, 0, 0, 0, (str(error),))), 0)
    return Checked(tuple(checked), states)


def _checked(rule: Rule, proofs: Sequence[Proof], failures: Sequence[str]) -> RuleCheck:
    examples = len(rule.examples) + len(rule.counter_examples)
    unproved = [f"{rule.id}: {proof.what}: not proved" for proof in proofs if not proof.proved]
    return RuleCheck(
        rule.id,
        patterns=len(rule.patterns),
        proved=len(rule.patterns) - len(unproved),
        examples=examples,
        passed=examples - len(failures),
        faults=(*failures, *unproved),
    )
