# The native kernel: one pass over JSON lines. Built from the C files beside this one; `core.h` is their map.
#
# It walks whole lines, nominates with the packed automata, remembers decisions and counts events. Path 0 is the root
# and has context 0. Ids of contexts, data types and subs are the caller's, below 2**32; those of paths, event types and
# verdicts are the kernel's. A result (of `decide`, or of a key in `learn`) is what `value` gave, or 0: nothing was
# found. It is `token << 32 | verdict`; the token names the value in `first`. An exception of a callback comes out of
# `scan`; after it the kernel scans no more.

from collections.abc import Callable, Iterable
from typing import TypedDict, final

from _typeshed import ReadableBuffer

class Taken(TypedDict):
    lines: int  # all that were walked, the blank and the refused ones among them
    bytes: int  # with newlines
    blank_lines: int
    refused_lines: int
    refused_bytes: int
    paths: int  # how full the tables are
    memo: int
    # (event type, path, events in which the path held a non-empty string or a number)
    seen: list[tuple[int, int, int]]
    # (event type, path, sub, data type, events at the best grade possible | likely | confirmed, reasons, via,
    # first hour, last hour, distinct values); hours are YYYYMMDDHH, 0 if no event told one; the last is a sketch of
    # fingerprints as `scanner.sketch.Sketch.to_bytes` writes it
    counters: list[tuple[int, int, int, int, tuple[int, int, int], int, int, int, int, bytes]]

# (key of 16 bytes, text) -> SipHash-2-4, 1 instead of 0
def fingerprint(key: bytes, text: bytes, /) -> int: ...

# (kind of scanner.hot, text): is it a whole value of which a specimen is judged for all?
def is_hot(kind: int, text: bytes, /) -> bool: ...

@final
class Kernel:
    # ValueError: the tables or a size are not possible
    def __new__(
        cls,
        tables: ReadableBuffer,
        *,
        # (path, parent, key; None: elements) -> (context, are all its values to be decided, lasting result of the key)
        learn: Callable[[int, int, str | None], tuple[int, bool, int]],
        # (value, mask, context) -> result
        decide: Callable[[bytes, int, int], int],
        # ((event type, path), (verdict, row of it, token), value or None: the token names it): that value's fingerprint
        # is among the three smallest of its counter so far
        first: Callable[[tuple[int, int], tuple[int, int, int], bytes | None], object],
        # a line that is not for the kernel: nothing of it was counted
        refuse: Callable[[bytes], object],
        # (kind of scanner.hot, context) -> the verdict of all such values there, 0: they are to be decided one by one
        specimen: Callable[[int, int], int] | None = None,
        # the memo was emptied: all values but the lasting ones are forgotten, and their tokens given anew
        forget: Callable[[], object] | None = None,
        # (line from 0, path, verdict, token) for every finding
        trace: Callable[[int, int, int, int], object] | None = None,
        event_type: bytes = b"event_type",
        event_time: bytes = b"event_time",
        paths: int = 131072,
        memo: int = 1048576,
        event_types: int = 4096,  # lines of further ones are refused
        simd: bool = True,
        key: bytes = ...,  # 16 bytes, of the fingerprints
        hot: bytes = ...,  # for each kind of scanner.hot the bit of its rule, as four little-endian bytes
        luhn: bytes = ...,  # the rules that match in digits only if Luhn's check digit is right: a little-endian mask
    ) -> Kernel: ...

    # whether AVX2 is used
    @property
    def simd(self) -> bool: ...

    # (buffer, start, end) -> (lines, bytes) done. buffer[start:end] must end with a newline (ValueError). Fewer bytes
    # than asked for mean that the counters are full: `take()`, then go on behind them.
    def scan(self, buffer: ReadableBuffer, start: int, end: int, /) -> tuple[int, int]: ...

    # rows of (sub, data type, grade 1..3, reasons, via), one for each finding of a value -> id, from 1
    def verdict(self, rows: Iterable[tuple[int, int, int, int, int]], /) -> int: ...

    # (verdict, a 64-bit fingerprint for each of its rows, never 0; is it a key's, which outlives the memo?) -> result
    def value(self, verdict: int, fingerprints: Iterable[int], lasting: bool = False, /) -> int: ...

    # which rules may match in this UTF-8 text: as for a value of a path that does not emit, without skips
    def mask(self, text: ReadableBuffer, /) -> int: ...

    # what was counted since the last call; paths, verdicts, event types and the memo stay
    def take(self) -> Taken: ...

    # names by id; 0 is the empty one, also of lines without an event type
    def event_types(self) -> list[str]: ...

    # the line that is being scanned, without its newline: for callbacks (RuntimeError elsewhere)
    def line(self) -> bytes: ...

    # every value is decided anew, as after `forget`, which is not called
    def reset_memo(self) -> None: ...
