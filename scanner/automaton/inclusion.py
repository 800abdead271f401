"""Questions about all texts at once, answered by walking automata.

Both walks go breadth first over the reachable sets of positions of several trees in one position automaton. They end
either with a shortest text that answers the question or, when nothing new is reachable, with the proof that there is
none. A set from which the question cannot be answered any more is not walked on.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import TypeAlias

from scanner.automaton.nodes import Node
from scanner.automaton.positions import Positions, union
from scanner.automaton.subset import TooManyStates, classes_of, readers

State: TypeAlias = tuple[int, int]
"""(positions that have just read, bit set of what was found before)."""


def escape(pattern: Node, anchors: Sequence[Node], limit: int = 1 << 17) -> bytes | None:
    """A shortest match of `pattern` that contains none of `anchors`; None proves that every match contains one.

    The match includes the bytes of its edges, and the anchor must lie inside. Raises TooManyStates.
    """
    positions = Positions()
    match = positions.add(pattern)
    of_pattern = (1 << len(positions.labels)) - 1
    ends = [positions.add(anchor) for anchor in anchors]
    anywhere, found = union(end.first for end in ends), union(end.last for end in ends)
    if match.nullable:
        return b""

    def expect(state: State) -> int:
        return positions.after(state[0]) | anywhere | (0 if state[0] else match.first)

    def arrive(_: State, reached: int) -> State | None:
        return (reached, 0) if reached & of_pattern and not reached & found else None

    return _search(positions, expect, arrive, lambda state: bool(state[0] & match.last), limit)


def meeting(shape: Sequence[Node], *wanted: Sequence[Node], limit: int = 1 << 17) -> bytes | None:
    """A shortest text that all of `shape` match and in which, for each of `wanted`, one of its trees matches somewhere.

    None proves that there is none. Raises TooManyStates.
    """
    positions = Positions()
    frames = [_Part(positions, [node]) for node in shape]
    parts = [_Part(positions, nodes) for nodes in wanted]
    begin = union(frame.first for frame in frames)

    def expect(state: State) -> int:
        before, seen = state
        anywhere = union(part.first for i, part in enumerate(parts) if not seen >> i & 1)
        return positions.after(before) | anywhere | (0 if before else begin)

    def arrive(state: State, reached: int) -> State | None:
        if not all(reached & frame.own for frame in frames):
            return None
        seen = state[1]
        for i, part in enumerate(parts):
            if reached & part.last:
                seen |= 1 << i
                reached &= ~part.own
        return reached, seen

    def is_answer(state: State) -> bool:
        return state[1] == (1 << len(parts)) - 1 and all(state[0] & frame.last for frame in frames)

    return _search(positions, expect, arrive, is_answer, limit)


class _Part:
    """Some trees within an automaton, and which positions are theirs."""

    def __init__(self, positions: Positions, nodes: Sequence[Node]) -> None:
        before = len(positions.labels)
        ends = [positions.add(node) for node in nodes]
        self.first, self.last = union(end.first for end in ends), union(end.last for end in ends)
        self.own = (1 << len(positions.labels)) - (1 << before)


def _search(
    positions: Positions,
    expect: Callable[[State], int],
    arrive: Callable[[State, int], State | None],
    is_answer: Callable[[State], bool],
    limit: int,
) -> bytes | None:
    """Breadth first from nothing read; the text that leads to the first answer.

    `expect`: the positions that may read next. `arrive`: the state once some of them have, or None if it leads nowhere.
    """
    _, alphabet = classes_of(positions.labels)
    moves = [(byte, readers(positions.labels, byte)) for byte in sorted(alphabet, key=_legible)]
    came: dict[State, tuple[State, int]] = {}
    waiting = deque([(0, 0)])
    while waiting:
        state = waiting.popleft()
        expected = expect(state)
        for byte, read in moves:
            following = arrive(state, expected & read)
            if following is None or following in came:
                continue
            came[following] = state, byte
            if is_answer(following):
                return _text(came, following)
            waiting.append(following)
        if len(came) > limit:
            raise TooManyStates
    return None


def _text(came: dict[State, tuple[State, int]], state: State) -> bytes:
    out = bytearray()
    while state != (0, 0):
        state, byte = came[state]
        out.append(byte)
    return bytes(reversed(out))


def _legible(byte: int) -> tuple[bool, int]:
    """Printable bytes first, so that counter-examples can be read."""
    return not 0x20 < byte < 0x7F, byte
