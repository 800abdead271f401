"""Names of rules' validators → functions. One module for each family.

A validator gets the matched text and answers how many of its leading characters are accepted; 0 refuses the match. It
is pure and never raises.

    email                     a name of a module's VALIDATORS
    phone:GB,DE               a number of these regions, or an international one
    phone:US:possible         of a possible length there, whether or not it was ever assigned
    stdnum:es.nie             a module of python-stdnum that has `is_valid`, given the text as it stands
    stdnum:es.nie:compact     the same, given the text's letters and digits only
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

from scanner.errors import BadRules, Fault
from scanner.validators import americas, basic, devices, europe, health, secrets, world
from scanner.validators.numbers import standard_number
from scanner.validators.phone import phone_number

Validator = Callable[[str], int]

_NAMED: dict[str, Validator] = {
    name: check
    for module in (basic, devices, secrets, health, europe, americas, world)
    for name, check in module.VALIDATORS.items()
}
_FAMILIES: dict[str, Callable[[str, str], Validator | None]] = {"stdnum": standard_number, "phone": phone_number}


@lru_cache(maxsize=1024)
def lookup(name: str) -> Validator:
    """The validator of that name. Raises `BadRules(RULE_SYNTAX)` for a name that is not known."""
    if found := _NAMED.get(name):
        return found
    family, _, of = name.partition(":")
    subject, _, option = of.partition(":")
    made = _FAMILIES[family](subject, option) if family in _FAMILIES else None
    if made is None:
        raise BadRules(Fault.RULE_SYNTAX, f"{name} is not a known validator")
    return made
