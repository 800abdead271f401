"""How an open request lies in memory: its timer, its label, its size, its encoded form, and padding.

It is not compressed: alone it is too short for more than a sixth, and loading would take a third longer. The padding
gives all common requests one size, so that the versions of a request take each other's place in memory; sizes that
differ a little would leave holes while a ledger is loaded (a fifth of it: measured).
"""

from __future__ import annotations

from consumer.domain.glance import Danger, Standing
from consumer.domain.lifecycle import Stage
from consumer.domain.subject import Millis

_TIMER, _LABEL, _SIZE = 6, 1, 4
_HEAD = _TIMER + _LABEL + _SIZE
_LEAST, _STEP = 303, 64
"""With a `bytes` object's own 33 these sizes just fill size classes of Python's allocator. Steps above the least."""
NEVER = Millis((1 << 8 * _TIMER) - 1)


UNKNOWN = b"\xff"
"""The label of a request at which nobody has looked yet."""
_STANDINGS = {Standing(stage, danger): 3 * number + danger for number, stage in enumerate(Stage) for danger in Danger}
_BY_LABEL = {label: standing for standing, label in _STANDINGS.items()}


def label(standing: Standing) -> bytes:
    """What comes after the timer: one byte that says where the request stands."""
    return _STANDINGS[standing].to_bytes(_LABEL, "big")


def standing_of(resting: bytes) -> Standing | None:
    """Where it stands; None if nobody has looked yet."""
    return _BY_LABEL.get(resting[_TIMER])


def timer(due: Millis | None) -> bytes:
    """What a resting request begins with: bytes that sort as the instants do, never (None) last."""
    return (NEVER if due is None else due).to_bytes(_TIMER, "big")


def due_of(resting: bytes) -> Millis:
    """When its timer runs out, or NEVER."""
    return Millis(int.from_bytes(resting[:_TIMER], "big"))


def rest(value: bytes, begins: bytes) -> bytes:
    """The encoded request laid to rest; `begins` is its timer and its label."""
    laid = begins + len(value).to_bytes(_SIZE, "big") + value
    over = len(laid) - _LEAST
    return laid.ljust(_LEAST if over <= 0 else len(laid) + -over % _STEP, b"\0")


def retimed(resting: bytes, begins: bytes) -> bytes:
    """The same with another timer and label."""
    return begins + resting[_TIMER + _LABEL :]


def value_of(resting: bytes) -> bytes:
    """The encoded request."""
    return resting[_HEAD : _HEAD + int.from_bytes(resting[_TIMER + _LABEL : _HEAD], "big")]
