"""Who may import whom: domain ← ports ← flows ← wiring; adapters beside; scanner knows nobody."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FLOWS = (
    "turn.py",
    "case.py",
    "following.py",
    "*requests.py",
    "desk.py",
    "ledger/*.py",
    "lanes/*.py",
    "copies/*.py",
    "discovery/*.py",
)
WIRING = {"consumer.service", "consumer.copy_service", "consumer.discovery_service", "consumer.setting", "consumer.cli"}


def imports(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


def modules(folder):
    return sorted((ROOT / folder).rglob("*.py"))


@pytest.mark.parametrize("path", modules("consumer/domain"), ids=lambda p: p.stem)
def test_the_domain_is_pure(path):
    """Only itself and the parts of the standard library that neither wait, tell the time nor throw dice."""
    allowed = {
        "__future__",
        "calendar",
        "collections",
        "dataclasses",
        "datetime",
        "enum",
        "functools",
        "hashlib",
        "heapq",
        "re",
    }
    allowed |= {"heapq", "statistics", "typing", "uuid"}
    foreign = {n for n in imports(path) if not n.startswith("consumer.domain") and n.split(".")[0] not in allowed}
    assert set() == foreign
    text = path.read_text(encoding="utf-8")
    assert not [word for word in ("await ", "datetime.now(", "date.today(", "uuid4") if word in text]


@pytest.mark.parametrize("path", [p for flow in FLOWS for p in (ROOT / "consumer").glob(flow)], ids=lambda p: p.stem)
def test_flows_name_no_adapter(path):
    """Only the wiring constructs them."""
    found = set(imports(path))
    assert not {n for n in found if n.startswith(("consumer.adapters", "consumer.sandbox", *WIRING))}


@pytest.mark.parametrize("path", modules("consumer/adapters"), ids=lambda p: p.stem)
def test_adapters_know_neither_the_wiring_nor_the_lanes(path):
    """They serve ports; who uses them is not their business."""
    assert not {
        n for n in imports(path) if n.startswith((*WIRING, "consumer.lane", "consumer.desk", "consumer.sandbox"))
    }


@pytest.mark.parametrize("path", modules("scanner"), ids=lambda p: p.stem)
def test_the_scanner_knows_nobody(path):
    """It is usable alone."""
    assert not {n for n in imports(path) if n.startswith(("consumer", "schemas"))}
