"""The two engines side by side: the lines on which their tallies differ."""

from scanner.confirm import Meaning
from scanner.engine import Choice, engine_maker
from scanner.rules import load

KEY = b"a key for tests"


class Pair:
    """The native engine, with all it remembers from line to line, and the reference."""

    def __init__(self, rules=None, native=None):
        self.rules = rules or load()
        self.native = native or engine_maker(Choice.NATIVE, self.rules, KEY)()
        self.reference = engine_maker(Choice.REFERENCE, self.rules, KEY)()
        self.found = 0

    def tallies(self, lines):
        """What each engine counts on these lines (without newlines)."""
        data = b"".join(line + b"\n" for line in lines)
        for engine in (self.native, self.reference):
            engine.feed(data, 0, len(data))
        return self.native.take(), self.reference.take()

    def differing(self, lines):
        """Those of the lines that are counted differently, found by halving. `found` counts the rows of the others."""
        if not lines:
            return []
        native, reference = self.tallies(lines)
        if native == reference:
            self.found += sum(evidence.hits.total for evidence in reference.rows.values())
            return []
        if len(lines) == 1:
            return lines
        middle = len(lines) // 2
        halves = self.differing(lines[:middle]) + self.differing(lines[middle:])
        return halves or lines[:1]  # different together, equal alone: name the first

    def explain(self, line):
        """What only one of the engines counted on a line: (native only, reference only)."""
        native, reference = self.tallies([line])
        rows = [set(tally.rows.items()) for tally in (native, reference)]
        seen = [set(tally.seen.items()) for tally in (native, reference)]
        return (rows[0] - rows[1], seen[0] - seen[1]), (rows[1] - rows[0], seen[1] - seen[0])


def meaning():
    """The shipped rules' meaning."""
    return Meaning(load())
