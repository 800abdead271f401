"""The two engines side by side: the lines on which their tallies differ."""

from functools import lru_cache

from scanner import automaton
from scanner.confirm import Meaning
from scanner.engine import line_engine
from scanner.rules import load
from scanner.sketch import Fingerprints


class Remembering(Meaning):
    """The same meaning, which tells again what it said of the same text in the same context.

    What every rule finds is a pure function of the two, and trying every rule takes a millisecond. Only the plain
    engine gets this one: nothing that the native engine said is among what is remembered.
    """

    def __init__(self, rules):
        super().__init__(rules)
        self._told = lru_cache(maxsize=200_000)(super().read)
        self._told_inside = lru_cache(maxsize=200_000)(super()._leaf)

    def read(self, text, context, nominate=None):
        return self._told(text, context) if nominate is None else super().read(text, context, nominate)

    def _leaf(self, leaf, outer, nominate, depth):
        return self._told_inside(leaf, outer, nominate, depth)


class Pair:
    """The native engine, with all it remembers from line to line, and the plain one."""

    def __init__(self, rules=None, tables=None):
        rules = rules or load()
        fingerprints = Fingerprints(b"a key for tests")
        self.native = line_engine(Meaning(rules), fingerprints, (tables or automaton.load(rules)).packed)
        self.plain = line_engine(Remembering(rules), fingerprints, b"")
        self.found = 0

    def tallies(self, lines):
        """What each engine counts on these lines (without newlines)."""
        data = b"".join(line + b"\n" for line in lines)
        for engine in (self.native, self.plain):
            engine.feed(data, 0, len(data))
        return self.native.take(), self.plain.take()

    def differing(self, lines):
        """Those of the lines that are counted differently, found by halving. `found` counts the rows of the others."""
        if not lines:
            return []
        native, plain = self.tallies(lines)
        if native == plain:
            self.found += sum(evidence.hits.total for evidence in plain.rows.values())
            return []
        if len(lines) == 1:
            return lines
        middle = len(lines) // 2
        halves = self.differing(lines[:middle]) + self.differing(lines[middle:])
        return halves or lines[:1]  # different together, equal alone: name the first

    def explain(self, line):
        """What only one of the engines counted on a line: (native only, plain only)."""
        native, plain = self.tallies([line])
        rows = [set(tally.rows.items()) for tally in (native, plain)]
        seen = [set(tally.seen.items()) for tally in (native, plain)]
        return (rows[0] - rows[1], seen[0] - seen[1]), (rows[1] - rows[0], seen[1] - seen[0])
