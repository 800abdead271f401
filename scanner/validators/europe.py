"""Checks of a matched text: how many of its leading characters are accepted, 0 for none."""

from __future__ import annotations

from collections.abc import Callable

VALIDATORS: dict[str, Callable[[str], int]] = {}
