"""Lines that nobody sends on purpose: legal JSON in its oddest spellings, damage, and text that only looks like it."""

import base64
import json
import random

from tests.fakes.exports.dice import Dice
from tests.fakes.exports.plants import item, negative

SCRAPS = [
    *'"\\/\n\t 0149-.:+@abEX{}[],\0',
    "é",
    "ß",
    "日",
    "😀",
    "٣",
    "５",
    "＠",
    "\u2028",
    "%40",
    "\ud800",
    "::",
    "--",
]
KEYS = (
    "email|phone|dob|idfa|full_name|address|lat|ssn|pesel|version|x|y|items|a/b|a~b||é|*|ip_address|jane@example.com|"
    '10.20.30.40|k"q|back\\s|birthDate|passport_no|078-05-1120|event_type|event_time|creditCard|tax id|password'
).split("|")
NUMBERS = (0, -1, 1.5, 1e300, 10**25, 4111111111111111, 37.7749, -122.4194, 2125551234, 85010112345, 1709253887985)
NUMBERS += (float("nan"), float("inf"), -float("inf"), 490154203237518, 78051120, None, True, False)
DAMAGE = b'"\\{}[],:x0 \xff\xc3\xed\x00'


class Hostile:
    """Draws lines; the same seed gives the same lines."""

    def __init__(self, seed):
        self.r, dice = random.Random(seed), Dice(seed)
        # Drawing check digits takes longer than everything else, so a few hundred texts are drawn once.
        self.texts = [item(dice).text for _ in range(280)] + [negative(dice)[1] for _ in range(120)]

    def lines(self, count):
        """Lines without their newline."""
        return [self.line().replace(b"\n", b" ") for _ in range(count)]

    def line(self):
        """One line: usually a JSON object, sometimes another value, one in ten spoilt."""
        r = self.r
        members = {r.choice(KEYS): self.value() for _ in range(r.randint(1, 8))}
        encoded = self.spell(members if r.random() < 0.97 else self.value()).encode("utf-8", "surrogatepass")
        return self.spoil(encoded)

    def spoil(self, line):
        r, roll = self.r, self.r.random()
        if roll < 0.06 and line:
            at = r.randrange(len(line))
            return line[:at] + bytes([r.choice(DAMAGE)]) + line[at + r.randint(0, 1) :]
        if roll < 0.08:
            return line[: r.randrange(len(line) + 1)]
        if roll < 0.09:
            return b" " * r.randint(0, 3) + line + b"\r"
        if roll < 0.095:
            return b""
        if roll < 0.1:
            depth = r.randint(40, 60)
            return b"[" * depth + line + b"]" * depth
        return line

    def value(self, depth=0):
        r, roll = self.r, self.r.random()
        if roll < 0.55 or depth > 5:
            return self.text()
        if roll < 0.65:
            return r.choice(NUMBERS)
        if roll < 0.8:
            return [self.value(depth + 1) for _ in range(r.randint(0, 4))]
        return {
            r.choice(KEYS) if r.random() < 0.9 else self.text(): self.value(depth + 1) for _ in range(r.randint(0, 5))
        }

    def scraps(self, most):
        return "".join(self.r.choices(SCRAPS, k=self.r.randint(0, most)))

    def text(self):
        r, roll = self.r, self.r.random()
        if roll < 0.25:
            return self.scraps(30)
        text = r.choice(self.texts)
        if roll < 0.35:
            return text
        if roll < 0.45:
            return self.scraps(4) + text + self.scraps(4)
        if roll < 0.5:
            return f"{r.choice(KEYS)}{r.choice((': ', '=', ' is ', ' '))}{text} {self.scraps(3)}"
        return self.wrapped(text, roll)

    def wrapped(self, text, roll):
        r = self.r
        if roll < 0.57:
            return json.dumps(
                {r.choice(("email", "phone", "x", "dob")): text, "n": [1, text]}, ensure_ascii=r.random() < 0.5
            )
        if roll < 0.65:
            encode = r.choice((base64.b64encode, base64.urlsafe_b64encode))
            token = encode(text.encode("utf-8", "replace")).decode()
            return self.scraps(3) + (token if r.random() < 0.5 else token.rstrip("=")) + self.scraps(3)
        if roll < 0.72:
            return "?q=" + text.replace("@", "%40").replace(" ", "+").replace("-", r.choice(("-", "%2D")))
        at = r.randint(0, len(text))
        return text[:at] + r.choice(SCRAPS) + text[at + r.randint(0, 1) :]

    def spell(self, value):
        """JSON text with random escapes and blanks, and now and then a member twice."""
        r = self.r
        if isinstance(value, str):
            return '"' + "".join(map(self.escape, value)) + '"'
        if isinstance(value, dict):
            members = list(value.items())
            if members and r.random() < 0.1:
                members.append(members[0])
            parts = (
                self.spell(k) + self.blank() + ":" + self.blank() + self.spell(v) + self.blank() for k, v in members
            )
            return "{" + self.blank() + ("," + self.blank()).join(parts) + "}"
        if isinstance(value, list):
            return "[" + self.blank() + ("," + self.blank()).join(self.spell(v) + self.blank() for v in value) + "]"
        return json.dumps(value)

    def blank(self):
        return self.r.choice(("", "", "", " ", "\t", "  "))

    def escape(self, character):
        r, code = self.r, ord(character)
        if character == "/" and r.random() < 0.3:
            return "\\/"
        must = code < 32 or character in '"\\' or 0xD800 <= code < 0xE000
        if not must and r.random() > 0.03:
            return character
        if character in '"\\/\n' and r.random() < 0.5:
            return {"\n": "\\n"}.get(character, "\\" + character)
        if code > 0xFFFF:
            code -= 0x10000
            return f"\\u{0xD800 + (code >> 10):04x}\\u{0xDC00 + (code & 0x3FF):04x}"
        return f"\\u{code:04x}" if r.random() < 0.5 else f"\\u{code:04X}"
