"""`python -m tests.fakes.exports STEM [--events N] [--profile P] [--seed N]`: write an archive and its truth."""

import argparse
from pathlib import Path

from tests.fakes.exports.archive import write
from tests.fakes.exports.events import PROFILES

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("stem", type=Path)
parser.add_argument("--events", type=int, default=200_000)
parser.add_argument("--profile", choices=PROFILES, default="realistic")
parser.add_argument("--seed", type=int, default=7)
parser.add_argument("--files", type=int, default=24)
asked = parser.parse_args()
print(write(asked.stem, asked.events, asked.seed, asked.profile, asked.files))
