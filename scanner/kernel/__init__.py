"""The native kernel, if it was built: one C extension, optional at installation.

Where it is missing, the reference engine gives the same findings, slower. `_kernel.pyi` says what it does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from scanner.kernel._kernel import Kernel


def _built() -> type[Kernel] | None:
    try:
        from scanner.kernel._kernel import Kernel as Native  # noqa: PLC0415  (its absence is an answer)
    except ImportError:
        return None
    return Native


NATIVE: type[Kernel] | None = _built()
"""The kernel's class, or None where no C compiler was at hand."""
