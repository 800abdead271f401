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
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from importlib import resources
from pathlib import Path

from scanner.automaton.anchors import Anchors, Bits, anchors, bits_of
from scanner.automaton.banks import Bank, RuleTooLarge, banks_of
from scanner.automaton.gate import gate_of
from scanner.automaton.passes import digits_automaton, words_automaton
from scanner.automaton.proofs import Skip, prove_anchors, prove_skip
from scanner.automaton.subset import Dfa, compile_trees
from scanner.automaton.syntax import Node
from scanner.automaton.tables import MASK_WORDS_AT_MOST, Tables, pack
from scanner.errors import BadRules, Fault
from scanner.rules.model import RuleSet

BUILD = 4
"""Raised whenever the same rules would give other tables."""

PREBUILT = "default.tables"

_MAGIC = b"DSRT"
_SUBSETS_AT_MOST = 400_000  # before minimisation


def build(rules: RuleSet, of: Anchors | None = None) -> Tables:
    """The tables of a rule set; `of` are anchors to be used in place of the derived ones.

    Raises BadRules: RULE_SYNTAX, RULE_UNPROVED or RULE_TOO_LARGE, naming the rules.
    """
    found = anchors(rules) if of is None else of
    unproved = sorted({proof.rule for proof in prove_anchors(rules, found) if not proof.proved})
    if unproved:
        raise BadRules(Fault.RULE_UNPROVED, f"a match without an anchor was found in: {', '.join(unproved)}")
    bit, banks = bits_of(rules), _banks(rules, found)
    if bit.digits + len(banks) >= 64 * MASK_WORDS_AT_MOST:
        raise BadRules(Fault.RULE_TOO_LARGE, f"{len(rules.rules)} rules are more than a mask has bits for")
    flags = sum(skip for skip in Skip if all(proof.proved for proof in prove_skip(rules, skip)))
    beside = _gate(found, banks, bit), words_automaton(rules), digits_automaton()
    return pack([*beside, *(bank.dfa for bank in banks)], bit, flags)


def _banks(rules: RuleSet, found: Anchors) -> list[Bank]:
    try:
        return banks_of(found, len(rules.rules))
    except RuleTooLarge as error:
        name = rules.rules[error.rule].id
        raise BadRules(
            Fault.RULE_TOO_LARGE, f"the automaton of {name} has too many states: give it an anchor"
        ) from None


def _gate(found: Anchors, banks: Sequence[Bank], bit: Bits) -> Dfa:
    """The main automaton: the bits that no rule has, and those of the banks."""
    outputs: dict[int, Iterable[Node]] = {1 << number: found[number] for number in (bit.json, bit.percent)}
    outputs[1 << bit.bare] = gate_of(found[bit.bare])
    for number, bank in enumerate(banks):
        trees = (tree for rule in bank.rules for tree in found[rule])
        outputs[1 << bit.digits + 1 + number] = gate_of(trees)
    return compile_trees(outputs, _SUBSETS_AT_MOST)


def load(rules: RuleSet, cache: Path | None = None) -> Tables:
    """The tables of a rule set: shipped, else from the cache directory, else built and kept there. Raises BadRules."""
    key = _key(rules)
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


def _key(rules: RuleSet) -> bytes:
    """What the tables depend on; empty for a rule set without a digest, whose tables are not kept."""
    return hashlib.sha256(f"{BUILD} {rules.digest}".encode()).digest() if rules.digest else b""


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
