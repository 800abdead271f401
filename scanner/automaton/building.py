"""Rule set → tables: derive the anchors, prove them, build the automata; and keep what was built.

The tables of the shipped rules come with the package. Those of other rule sets are built once and kept in a cache
directory. Both are files of one form: magic, SHA-256 of the rest, then compressed: the key of what was built, the
tables. A file that does not check out is built anew, so neither damage nor another version's file can do harm.
"""

from __future__ import annotations

import hashlib
import lzma
import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import suppress
from importlib import resources
from pathlib import Path

from scanner.automaton.anchors import Anchors, Bits, anchors, bits_of
from scanner.automaton.banks import Bank, RuleTooLarge, banks_of
from scanner.automaton.gate import DIGIT, LETTER, gate
from scanner.automaton.nodes import Node
from scanner.automaton.passes import digits_automaton, words_automaton
from scanner.automaton.proofs import Skip, in_addresses, prove_anchors, prove_skip
from scanner.automaton.subset import Dfa, compile_trees, minimise, product
from scanner.automaton.tables import (
    BANKS_AT_MOST,
    MAIN_BANKS,
    MAIN_DIGIT,
    MAIN_JSON,
    MAIN_LETTER,
    MAIN_PERCENT,
    MASK_WORDS_AT_MOST,
    Tables,
    pack,
)
from scanner.errors import BadRules, Fault
from scanner.rules.model import RuleSet

BUILD = 16
"""Raised whenever the same rules would give other tables."""

PREBUILT = "default.tables"

_MAGIC = b"DSRT"


def build(rules: RuleSet, of: Anchors | None = None) -> Tables:
    """The tables of a rule set; `of` are anchors to be used in place of the derived ones.

    Raises BadRules: RULE_SYNTAX, RULE_UNPROVED or RULE_TOO_LARGE, naming the rules.
    """
    found = anchors(rules) if of is None else of
    unproved = sorted({proof.rule for proof in prove_anchors(rules, found) if not proof.proved})
    if unproved:
        raise BadRules(Fault.RULE_UNPROVED, f"a match without an anchor was found in: {', '.join(unproved)}")
    bit, banks = bits_of(rules), _banks(rules, found)
    if bit.digits >= 64 * MASK_WORDS_AT_MOST or len(banks) > BANKS_AT_MOST:
        raise BadRules(Fault.RULE_TOO_LARGE, f"{len(rules.rules)} rules are more than a mask has bits for")
    flags = sum(skip for skip in Skip if all(proof.proved for proof in prove_skip(rules, skip)))
    beside = _gate(found, banks, bit), words_automaton(rules, 1 << bit.bare), digits_automaton(1 << bit.digits)
    return pack([*beside, *(bank.dfa for bank in banks)], bit, flags, in_addresses(rules))


def _banks(rules: RuleSet, found: Anchors) -> list[Bank]:
    try:
        return banks_of(found, len(rules.rules))
    except RuleTooLarge as error:
        name = rules.rules[error.rule].id
        raise BadRules(
            Fault.RULE_TOO_LARGE, f"the automaton of {name} has too many states: give it an anchor"
        ) from None


def _gate(found: Anchors, banks: Sequence[Bank], bit: Bits) -> Dfa:
    """The main automaton: what it says is told in `tables`."""
    by_kinds: dict[int, Sequence[Node]] = {MAIN_DIGIT: [DIGIT], MAIN_LETTER: [LETTER]}
    by_bytes: dict[int, Sequence[Node]] = {MAIN_JSON: found[bit.json], MAIN_PERCENT: found[bit.percent]}
    for number, bank in enumerate(banks):
        by_bytes[MAIN_BANKS << number] = bank.heads
        by_kinds[MAIN_BANKS << number] = bank.by_kinds
    return minimise(product(gate(by_kinds), compile_trees(by_bytes)))


def load(rules: RuleSet, cache: Path | None = None) -> Tables:
    """The tables of a rule set: shipped, else from the cache directory, else built and kept there. Raises BadRules."""
    key = key_of(rules)
    for stored in _stored(key, cache):
        if (tables := unwrap(stored, key)) is not None:
            return tables
    tables = build(rules)
    if key:
        with suppress(OSError):
            _keep(_file(key, cache), wrap(tables, key))
    return tables


def wrap(tables: Tables, key: bytes) -> bytes:
    """The content of a file that holds these tables."""
    content = lzma.compress(key + tables.packed, preset=9)
    return _MAGIC + hashlib.sha256(content).digest() + content


def unwrap(stored: bytes, key: bytes) -> Tables | None:
    """The tables of a file; None if it is damaged or holds others."""
    magic, digest, content = stored[:4], stored[4:36], stored[36:]
    if not key or magic != _MAGIC or digest != hashlib.sha256(content).digest():
        return None
    packed = lzma.decompress(content)
    return Tables(packed[len(key) :]) if packed.startswith(key) else None


def key_of(rules: RuleSet) -> bytes:
    """What the tables depend on; empty for a rule set without a digest, whose tables are not kept."""
    anchors_by_hand = [pattern.anchor for rule in rules.rules for pattern in rule.patterns]
    return hashlib.sha256(f"{BUILD} {rules.digest} {anchors_by_hand}".encode()).digest() if rules.digest else b""


def _stored(key: bytes, cache: Path | None) -> Iterator[bytes]:
    if not key:
        return
    for file in (resources.files("scanner.automaton") / PREBUILT, _file(key, cache)):
        with suppress(OSError):
            yield file.read_bytes()


def _file(key: bytes, cache: Path | None) -> Path:
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return (cache or base / "amplitude-dsr") / f"{key.hex()[:32]}.tables"


def _keep(file: Path, content: bytes) -> None:
    """Write so that nobody ever sees half a file."""
    file.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=file.parent, prefix=file.name)
    with os.fdopen(handle, "wb") as out:
        out.write(content)
    Path(name).replace(file)
