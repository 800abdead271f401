"""Our Markdown as data: fenced blocks, links, and the anchors that links may lead to."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
FENCED = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
LINK = re.compile(r"\]\(([^)\s]+)\)")


class Block(NamedTuple):
    """One fenced block. `line`: of its fence, from 1."""

    page: str
    line: int
    language: str
    text: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


class Command(NamedTuple):
    """One command line as a person would type it."""

    block: Block
    text: str

    def __str__(self) -> str:
        return f"{self.block}: {self.text}"


def told() -> list[Path]:
    """The pages that teach: README.md, docs/ in the order of its table of contents, deploy/README.md."""
    listed = [link.split("#")[0] for link in LINK.findall(read("docs/README.md"))]
    own = dict.fromkeys(ROOT / "docs" / name for name in listed if not name.startswith((".", "http")))
    found = {path for path in (ROOT / "docs").rglob("*.md") if path.name != "README.md"}
    return [ROOT / "README.md", *own, *sorted(found - own.keys()), ROOT / "deploy" / "README.md"]


def every() -> list[Path]:
    """Each Markdown file of the repository; not what was installed or made."""
    away = {".venv", "node_modules", "build", "dist", ".pytest_cache"}
    return sorted(path for path in ROOT.rglob("*.md") if not away & set(path.relative_to(ROOT).parts))


def read(page: str) -> str:
    return (ROOT / page).read_text(encoding="utf-8")


def section(page: str, heading: str) -> str:
    """What stands under a heading, up to the next one of its rank or higher. `IndexError` if there is none."""
    rank = len(heading.split(maxsplit=1)[0])
    under = read(page).split(f"\n{heading}\n", 1)[1]
    return re.split(rf"^#{{1,{rank}}} ", under, maxsplit=1, flags=re.MULTILINE)[0]


def blocks(path: Path) -> list[Block]:
    """The fenced blocks of a page, in order."""
    text = path.read_text(encoding="utf-8")
    name = path.relative_to(ROOT).as_posix()
    return [Block(name, text[: found.start()].count("\n") + 1, found[1], found[2]) for found in FENCED.finditer(text)]


def commands(block: Block) -> Iterator[Command]:
    """The commands of a block: each line of `sh`, each line after `$` of `console`; none of any other language."""
    if block.language == "sh":
        lines = block.text.replace("\\\n", " ").splitlines()
    elif block.language == "console":
        lines = [line[2:] for line in block.text.splitlines() if line.startswith("$ ")]
    else:
        lines = []
    yield from (Command(block, line.strip()) for line in lines if line.strip() and not line.lstrip().startswith("#"))


def prose(text: str) -> str:
    """The page without its fenced blocks, and without code in its lines that looks like a link."""
    return re.sub(r"`[^`\n]*`", lambda found: found[0] if "](" not in found[0] else "", FENCED.sub("", text))


def anchors(text: str) -> set[str]:
    """Those that GitHub makes of the headings: lower case, no marks, hyphens for spaces, numbered when repeated."""
    seen: dict[str, int] = {}
    made = set()
    for heading in re.findall(r"^#{1,6} (.+)$", prose(text), re.MULTILINE):
        plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading.strip())
        anchor = re.sub(r"[^\w\- ]", "", plain.lower()).replace(" ", "-")
        count = seen[anchor] = seen.get(anchor, -1) + 1
        made.add(f"{anchor}-{count}" if count else anchor)
    return made
