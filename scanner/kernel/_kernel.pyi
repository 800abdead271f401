# The native kernel: one pass over JSON lines. Built from the C files beside this one; `core.h` is their map.
#
# It walks whole lines, nominates with the packed automata, remembers decisions and counts events. Path 0 is the root
# and has context 0. Ids of contexts, data types and subs are the caller's, below 2**32; those of paths, event types and
# verdicts are the kernel's. A result (of `decide`, or of a key in `learn`) is `token << 32 | verdict`: verdict 0 means
# that nothing was found; the token is the caller's name of the value and comes back in `first`. An exception of a
# callback comes out of `scan`; after it the kernel scans no more.

from collections.abc import Callable, Iterable
from typing import TypedDict, final

from _typeshed import ReadableBuffer

class Taken(TypedDict):
    lines: int  # all that were walked, the blank and the refused ones among them
    bytes: int  # with newlines
    blank_lines: int
    refused_lines: int
    refused_bytes: int
    overflow_lines: int  # their event type came after the table was full
    paths: int  # how full the tables are
    memo: int
    # (event type, path, events in which the path held a non-empty string or a number)
    seen: list[tuple[int, int, int]]
    # (event type, path, sub, data type, events at the best grade possible | likely | confirmed, reasons, via,
    # first hour, last hour); hours are YYYYMMDDHH, 0 if no event told one
    counters: list[tuple[int, int, int, int, tuple[int, int, int], int, int, int, int]]

@final
class Kernel:
    # ValueError: the tables or a size are not possible
    def __new__(
        cls,
        tables: ReadableBuffer,
        *,
        # (path, parent, key; None: elements) -> (context, are all its values to be decided, result of the key)
        learn: Callable[[int, int, str | None], tuple[int, bool, int]],
        # (value, mask, context) -> result
        decide: Callable[[bytes, int, int], int],
        # (event type, path, verdict, token), at least once for each distinct one
        first: Callable[[int, int, int, int], object],
        # a line that is not for the kernel: nothing of it was counted
        refuse: Callable[[bytes], object],
        # the memo was emptied: tokens may be given anew
        forget: Callable[[], object] | None = None,
        # (line from 0, path, verdict, token) for every finding
        trace: Callable[[int, int, int, int], object] | None = None,
        event_type: bytes = b"event_type",
        event_time: bytes = b"event_time",
        paths: int = 131072,
        memo: int = 1048576,
        event_types: int = 4096,
        simd: bool = True,
    ) -> Kernel: ...

    # whether AVX2 is used
    @property
    def simd(self) -> bool: ...

    # the id of all event types that came after the table was full; `event_types` has no name for it
    @property
    def overflow(self) -> int: ...

    # (buffer, start, end) -> (lines, bytes) done. buffer[start:end] must end with a newline (ValueError). Fewer bytes
    # than asked for mean that the counters are full: `take()`, then go on behind them.
    def scan(self, buffer: ReadableBuffer, start: int, end: int, /) -> tuple[int, int]: ...

    # rows of (sub, data type, grade 1..3, reasons, via), one for each finding of a value -> id, from 1
    def verdict(self, rows: Iterable[tuple[int, int, int, int, int]], /) -> int: ...

    # which rules may match in this UTF-8 text: as for a value of a path that does not emit, without skips
    def mask(self, text: ReadableBuffer, /) -> int: ...

    # what was counted since the last call; paths, verdicts, event types and the memo stay
    def take(self) -> Taken: ...

    # names by id; 0 is the empty one, also of lines without an event type
    def event_types(self) -> list[str]: ...

    # every value is decided anew, tokens may be given anew; `forget` is not called
    def reset_memo(self) -> None: ...
