"""How much of one input may be in memory, and how far it may expand."""

from __future__ import annotations

from dataclasses import dataclass

KIB = 1 << 10
MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class Limits:
    """All in bytes but `ratio` and `layers`.

    A reader holds, for each layer, a few pieces of `compressed` and `text` and the chunk that its source handed it; and
    once a line that lies across pieces, while it is joined twice.
    """

    compressed: int = 128 * KIB
    """What is given to the inflater at a time. Lines that share a piece with a damage are lost with it."""
    text: int = MIB
    """What is taken from the inflater at a time: small enough to stay in the caches."""
    line: int = 64 * MIB
    """A longer line is skipped and counted."""
    ratio: int = 200
    """Text of real exports is 5 to 20 times its compressed size."""
    slack: int = 64 * MIB
    """May come out whatever went in."""
    grace: int = MIB
    """Input whose expansion is not judged: it is bounded anyway, deflate expands 1,032 times at most."""
    layers: int = 4
    """Containers inside one another, zip and gzip counted alike: zip, zip, gzip is three."""

    def forbid(self, consumed: int, produced: int) -> bool:
        """Whether that much output of that much input is a bomb."""
        return consumed > self.grace and produced > self.ratio * consumed + self.slack
