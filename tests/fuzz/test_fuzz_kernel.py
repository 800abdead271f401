"""A short run of the fuzzer; the long ones are `python -m tests.fuzz.run 3600`."""

from __future__ import annotations

import re
import shutil

import pytest

from tests.fuzz.run import fuzz


@pytest.mark.skipif(not shutil.which("gcc"), reason="gcc is not here")
def test_ten_seconds_of_fuzzing_find_no_fault_in_the_kernel():
    result = fuzz(10, seed=1)
    assert "" == result.stderr
    assert 0 == result.returncode
    inputs, _, edges = (int(number) for number in re.findall(r"[0-9]+", result.stdout)[:3])
    assert inputs > 1000
    assert edges > 400
