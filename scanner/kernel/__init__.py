"""The native kernel, if it was built: one C extension, optional at installation.

Where it is missing, the reference engine gives the same findings, slower. `_kernel.pyi` says what it does.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from scanner.siphash import siphash

if TYPE_CHECKING:
    from scanner.kernel._kernel import Kernel


def _built() -> tuple[type[Kernel] | None, Callable[[bytes, bytes], int]]:
    try:
        from scanner.kernel import _kernel  # noqa: PLC0415  (its absence is an answer)
    except ImportError:
        return None, siphash
    return _kernel.Kernel, _kernel.fingerprint


NATIVE: type[Kernel] | None
"""The kernel's class, or None where no C compiler was at hand."""
keyed_hash: Callable[[bytes, bytes], int]
"""(key of 16 bytes, data) → SipHash-2-4."""
NATIVE, keyed_hash = _built()
