"""Lines of JSON, legal and damaged, as hostile as they get; and what Python's json sees in a line."""

from __future__ import annotations

import base64
import json
from random import Random
from urllib.parse import quote, quote_plus

Path = tuple[str | None, ...]
MAX_DEPTH = 48
MAX_KEY = 1024


class Pairs:
    """An object with all its keys, the repeated ones too"""

    def __init__(self, items: list[tuple[str, object]]) -> None:
        self.items = items


class Literal(str):
    """The literal text of a number"""

    __slots__ = ()


def everything(line: bytes) -> list[tuple[Path, bytes]] | None:
    """Path and value of every non-empty string and number; None: json will not take it, or it is too deep."""
    if not line.strip(b" \t\r"):
        return []
    hooks = {"parse_int": Literal, "parse_float": Literal, "parse_constant": Literal}
    found: list[tuple[Path, bytes]] = []
    try:
        document = json.loads(line.decode(), strict=False, object_pairs_hook=Pairs, **hooks)
        _walk(document, (), found)
    except (ValueError, RecursionError):
        return None
    return found


def _walk(value: object, path: Path, found: list[tuple[Path, bytes]]) -> None:
    if isinstance(value, str):
        if value:
            found.append((path, value.encode("utf-8", "surrogatepass")))
        return
    items = value.items if isinstance(value, Pairs) else [(None, v) for v in value] if isinstance(value, list) else None
    if items is None:
        return
    if len(path) >= MAX_DEPTH:
        raise ValueError("too deep")
    for key, inner in items:
        if key is not None and len(key.encode("utf-8", "surrogatepass")) > MAX_KEY:
            raise ValueError("key too long")
        _walk(inner, (*path, key), found)


CHARACTERS = [
    *'"\\/\n\t\r 019-.:+@aB{}[],%=_',
    "é",
    "日",
    "😀",
    "٣",
    "\uff15",
    "\uff20",
    "\u2028",
    "%40",
    "\x00",
    "\x7f",
    "\ud800",
    "\udc00",
]
PIECES = [
    "@",
    "123456789",
    "1234",
    "pw=",
    "{",
    "%40",
    "%C3%A9",
    "%zz",
    "%ff",
    "%7",
    "+",
    "phone",
    "Phone",
    "xphone",
    " ",
    "é",
    "\uff20",
    "\uff45",
    "/",
    "-",
    "_",
    "Ab",
    "==",
    "2024-03-01 00:53:59.376326",
    "0f3a9c55-7a1b-4c2d-8e9f-001122334455",
]
KEYS = [
    "a",
    "b",
    "event_type",
    "event_time",
    "",
    "é",
    "*",
    'k"q',
    "back\\s",
    "a\\b",
    "x" * 31,
    "y" * 32,
    "z" * 33,
    "\ud800",
]
SCALARS = [0, -1, 1.5, 1e300, 10**25, 4111111111111111, None, True, False, float("nan"), float("inf"), float("-inf")]


def texts(chance: Random, count: int) -> list[str]:
    """What nomination is about: pieces of patterns, wrapped and not."""
    return [_wrapped(chance, "".join(chance.choices(PIECES, k=chance.randint(1, 6)))) for _ in range(count)]


def _wrapped(chance: Random, text: str) -> str:
    way = chance.random()
    if way < 0.15:
        return base64.b64encode(text.encode()).decode().rstrip("=" if chance.random() < 0.5 else "")
    if way < 0.25:
        return "x " + base64.urlsafe_b64encode(text.encode() * 2).decode() + " y"
    if way < 0.35:
        return chance.choice([quote, quote_plus])(text)
    if way < 0.4:
        return base64.b64encode(chance.randbytes(chance.randint(8, 40))).decode()
    return text


def hostile(chance: Random, count: int) -> list[bytes]:
    """Objects for the most part; one in seven is damaged, cut off, blank, or too deep."""
    return [_damaged(chance, _document(chance)) for _ in range(count)]


def _document(chance: Random) -> bytes:
    value = {_key(chance): _value(chance, 0) for _ in range(chance.randint(1, 8))}
    text = _write(chance, value if chance.random() < 0.95 else _value(chance, 0))
    return text.encode("utf-8", "surrogatepass")


def _key(chance: Random) -> str:
    return chance.choice(KEYS) if chance.random() < 0.9 else _text(chance)


def _text(chance: Random) -> str:
    if chance.random() < 0.5:
        return "".join(chance.choices(CHARACTERS, k=chance.choice([0, 1, 3, 15, 16, 31, 33, 70])))
    return texts(chance, 1)[0]


def _value(chance: Random, depth: int) -> object:
    kind = chance.random()
    if kind < 0.55 or depth > 5:
        return _text(chance)
    if kind < 0.7:
        return chance.choice(SCALARS)
    if kind < 0.82:
        return [_value(chance, depth + 1) for _ in range(chance.randint(0, 4))]
    return {_key(chance): _value(chance, depth + 1) for _ in range(chance.randint(0, 5))}


def _blank(chance: Random) -> str:
    return chance.choice(["", "", "", " ", "\t", "  ", "\r"])


def _write(chance: Random, value: object) -> str:
    """JSON with legal but unusual spelling: needless escapes, blanks, repeated keys."""
    if isinstance(value, str):
        return '"' + "".join(_character(chance, character) for character in value) + '"'
    if isinstance(value, dict):
        pairs = list(value.items())
        pairs += pairs[:1] if chance.random() < 0.1 else []
        inner = [_write(chance, k) + _blank(chance) + ":" + _blank(chance) + _write(chance, v) for k, v in pairs]
        return "{" + _blank(chance) + ("," + _blank(chance)).join(inner) + _blank(chance) + "}"
    if isinstance(value, list):
        inner = [_write(chance, v) + _blank(chance) for v in value]
        return "[" + _blank(chance) + ("," + _blank(chance)).join(inner) + "]"
    return json.dumps(value)


SHORT = {"\b": "b", "\f": "f", "\n": "n", "\r": "r", "\t": "t"}


def _character(chance: Random, character: str) -> str:
    spelling = chance.random()
    if character in '"\\/' and (spelling < 0.5 or character != "/"):
        return "\\" + character
    if character in SHORT and spelling < 0.5:
        return "\\" + SHORT[character]
    if character == "\n" or "\ud800" <= character <= "\udfff" or spelling < 0.05:
        units = character.encode("utf-16-be", "surrogatepass")
        form = "\\u%04x" if spelling < 0.5 else "\\u%04X"
        return "".join(form % int.from_bytes(units[at : at + 2], "big") for at in range(0, len(units), 2))
    return character


def _damaged(chance: Random, line: bytes) -> bytes:
    way = chance.random()
    if way < 0.06:
        at = chance.randrange(len(line))
        line = line[:at] + bytes([chance.choice(b'"\\{}[],:x0 \xff\xc3\xed\x80')]) + line[at + chance.randint(0, 1) :]
    elif way < 0.09:
        line = line[: chance.randrange(len(line) + 1)]
    elif way < 0.1:
        line = b" \t\r"[: chance.randint(0, 3)] + line + b"\r"
    elif way < 0.12:
        depth = chance.randint(40, 60)
        line = b"[" * depth + line + b"]" * depth
    return line.replace(b"\n", b" ")
