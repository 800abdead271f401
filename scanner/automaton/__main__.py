"""`python -m scanner.automaton`: build the tables of the shipped rules anew and put them into the package.

Needed whenever a rule, an anchor or `building.BUILD` has changed; a test says so.
"""

from __future__ import annotations

import sys
from pathlib import Path

from scanner.automaton.building import PREBUILT, build, key_of, wrap
from scanner.rules import load

rules = load()
tables = build(rules)
file = Path(__file__).with_name(PREBUILT)
file.write_bytes(wrap(tables, key_of(rules)))
sys.stdout.write(f"{file.name}: {file.stat().st_size:,} bytes; states: {tables.states}\n")
