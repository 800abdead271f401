"""How an open request lies in memory: its timer, its size, its encoded form, and padding.

It is not compressed: alone it is too short for more than a sixth, and loading would take a third longer. The padding
gives all common requests one size, so that the versions of a request take each other's place in memory; sizes that
differ a little would leave holes while a ledger is loaded (a fifth of it: measured).
"""

from __future__ import annotations

from consumer.domain.subject import Millis

_TIMER, _SIZE = 6, 4
_HEAD = _TIMER + _SIZE
_LEAST, _STEP = 303, 64
"""With a `bytes` object's own 33 these sizes just fill size classes of Python's allocator. Steps above the least."""
NEVER = Millis((1 << 8 * _TIMER) - 1)


def timer(due: Millis | None) -> bytes:
    """What a resting request begins with: bytes that sort as the instants do, never (None) last."""
    return (NEVER if due is None else due).to_bytes(_TIMER, "big")


def due_of(resting: bytes) -> Millis:
    """When its timer runs out, or NEVER."""
    return Millis(int.from_bytes(resting[:_TIMER], "big"))


def rest(value: bytes, begins: bytes) -> bytes:
    """The encoded request laid to rest; `begins` is its timer."""
    laid = begins + len(value).to_bytes(_SIZE, "big") + value
    over = len(laid) - _LEAST
    return laid.ljust(_LEAST if over <= 0 else len(laid) + -over % _STEP, b"\0")


def retimed(resting: bytes, begins: bytes) -> bytes:
    """The same with another timer."""
    return begins + resting[_TIMER:]


def value_of(resting: bytes) -> bytes:
    """The encoded request."""
    return resting[_HEAD : _HEAD + int.from_bytes(resting[_TIMER:_HEAD], "big")]
