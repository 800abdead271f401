"""From rules to automata: which texts may hold a finding, decided while reading them once.

regex → `syntax` tree over bytes → `layout` rows → `anchors`, chosen by `selectivity` → `positions` → `subset` table →
`tables` packed for the kernel. `inclusion` answers questions about all texts, `proofs` asks those that matter,
`passes` has the two small automata, `building` puts it together and keeps the result.
"""

from scanner.automaton.anchors import Anchors, anchors
from scanner.automaton.building import build, load
from scanner.automaton.proofs import Proof, Skip, prove, prove_anchors
from scanner.automaton.tables import Tables

__all__ = ["Anchors", "Proof", "Skip", "Tables", "anchors", "build", "load", "prove", "prove_anchors"]
