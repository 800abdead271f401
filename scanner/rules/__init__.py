"""Rules as data: read with `load`, described in README.md beside this file."""

from scanner.rules.model import Example, Pattern, Rule, RuleSet
from scanner.rules.reading import load

__all__ = ["Example", "Pattern", "Rule", "RuleSet", "load"]
