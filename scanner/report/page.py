"""The report as one HTML file: nothing is loaded, it opens from a disk, in an e-mail, in ten years.

Names in it come from strangers. They are JSON in a data block in which no `<` can stand, the script puts them on the
page as text only, and the page's policy allows this very script and style, by their hashes, and nothing else.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from importlib import resources
from typing import Any

from scanner.report.machine import document
from scanner.report.model import Report
from scanner.report.text import visible

_ESCAPES = str.maketrans({"<": "\\u003c", ">": "\\u003e", "&": "\\u0026"})


def as_html(report: Report) -> str:
    """The whole page."""
    style, script = _part("page.css"), _part("page.js")
    allowed = f"style-src {_hash(style)}; script-src {_hash(script)}"
    parts = {
        "policy": f"default-src 'none'; {allowed}; base-uri 'none'; form-action 'none'",
        "style": style,
        "script": script,
        "data": json.dumps(_shown(document(report)), separators=(",", ":")).translate(_ESCAPES),
    }
    return re.sub(r"\{\{(\w+)\}\}", lambda place: parts[place[1]], _part("page.html"))


def _part(name: str) -> str:
    return resources.files(__package__).joinpath(name).read_text("utf-8")


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _shown(told: Any) -> Any:
    """The document with every text as people may see it."""
    if isinstance(told, str):
        return visible(told)
    if isinstance(told, dict):
        return {visible(name): _shown(value) for name, value in told.items()}
    return [_shown(one) for one in told] if isinstance(told, list) else told
