"""Lines around the examples of rules: each is put where a rule would still find it, or just not any more."""

import base64
import json
from urllib.parse import quote, quote_plus

from tests.fakes.scanner_rules import wide

PLACES = (
    "{}",
    "{}",
    " {} ",
    "to {}",
    "{}!",
    "x{}",
    "{}9",
    "-{}",
    "{}\n",
    "é{}",
    "{}é",
    '"{}"',
    "({})",
    "{0} {0}",
    "%{}",
)
KEYS = ("x", "id", "note", "email", "phone", "user_id", "ip_address", "k é", "a/b")

SHAPES = ("2024-03-01 00:53:59.376326", "0F3A9C55-7a1b-4c2d-8e9f-001122334455", "12345678", "-1.5e+10", "session_start")
"""Of values that the kernel may skip."""
TIMES = (
    "2024-03-01 00:53:59.376326",
    "2024-03-01T23:00:00Z",
    "9999-99-99 99:99",
    "0000-00-00 00:00:00",
    "1709253887985",
)


def wide_digits(text):
    return "".join(wide(mark) if mark.isdigit() else mark for mark in text)


def arabic_digits(text):
    return text.translate({ord("0") + n: 0x660 + n for n in range(10)})


def standard(text):
    return base64.b64encode(text.encode()).decode()


def url_safe(text):
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def in_a_document(text):
    return json.dumps({"email": text, "n": [text]}, ensure_ascii=False)


def in_a_list(text):
    return json.dumps([text], ensure_ascii=True)


def everything_encoded(text):
    return "".join(f"%{byte:02X}" for byte in text.encode())


WRAPPINGS = (standard, url_safe, quote, quote_plus, everything_encoded, in_a_document, in_a_list, wide, wide_digits)
WRAPPINGS = (*WRAPPINGS, arabic_digits, str.upper, str.lower, str.swapcase)


def camel(text):
    first, *rest = text.split(" ")
    return first + "".join(word.capitalize() for word in rest)


def in_the_middle(text):
    return f"my{camel(text)[:1].upper()}{camel(text)[1:]}Value"


def apart(text):
    return text.replace(" ", " \n ")


def fewer(text):
    return text[:-1]


PHRASINGS = (str, str, str.upper, str.title, str.swapcase, camel, in_the_middle, apart, wide, fewer)
PHRASINGS = (
    *PHRASINGS,
    "{}s".format,
    "{}2".format,
    "x{}".format,
    "2{}".format,
    "é{}".format,
    "{}é".format,
    "_{}_".format,
)
PHRASINGS = (*PHRASINGS, *(lambda text, mark=mark: text.replace(" ", mark) for mark in ("_", "-", "", ".", "é", "0")))


class Examples:
    """Draws lines from the examples of a rule set by a `random.Random`, or by Hypothesis in its place."""

    def __init__(self, ruleset, r):
        self.r = r
        self.examples = [
            example for rule in ruleset.rules for example in (*rule.examples, *rule.counter_examples) if example.text
        ]
        phrases = [phrase for rule in ruleset.rules for phrase in (*rule.context, *rule.keys, *rule.veto)]
        self.phrases = phrases or ["value"]

    def lines(self, count):
        """Lines without their newline."""
        return [self.line() for _ in range(count)]

    def line(self):
        """One line: an event, a list or a single value, all of it JSON."""
        r = self.r
        members = [self.member() for _ in range(r.randint(1, 3))]
        if r.random() < 0.1:
            members.append(members[0])
        if r.random() < 0.3:
            members.insert(r.randint(0, len(members)), f'"event_time":{self.spelt(self.nicked(r.choice(TIMES)))}')
            members.insert(r.randint(0, len(members)), f'"event_type":{self.spelt(r.choice(KEYS))}')
        line = "{" + ",".join(members) + "}"
        return (line if r.random() < 0.9 else f"[{line}]").encode("utf-8", "surrogatepass")

    def member(self):
        r, example = self.r, self.r.choice(self.examples)
        text = self.shaped(example.text)
        value = self.value(text, example.text)
        key = self.key(example, text)
        parts = key.split(".") if r.random() < 0.7 else [key]
        for part in reversed(parts):
            value = f"{self.spelt(part)}:{value}"
            value = f"{{{value}}}" if part is not parts[0] else value
        return value

    def key(self, example, text):
        """The example's own field, a phrase of some rule, a plain name, or the text itself."""
        roll = self.r.random()
        if roll < 0.4:
            return example.field or self.r.choice(KEYS)
        if roll < 0.65:
            return self.phrase()
        return self.r.choice(KEYS) if roll < 0.9 else text

    def phrase(self):
        """A phrase that speaks for or against some rule, as people write it, or not quite."""
        return self.r.choice(PHRASINGS)(self.r.choice(self.phrases))

    def shaped(self, text):
        r, roll = self.r, self.r.random()
        if roll < 0.25:
            return text
        if roll < 0.4:
            return r.choice(PLACES).format(text)
        if roll < 0.55:
            return f"{self.phrase()}{r.choice((': ', '=', ' is ', ' ', '', ' x' * 19))}{text}"
        if roll < 0.65:
            return self.nicked(text)
        if roll < 0.68:
            shape = r.choice(SHAPES)
            return r.choice((shape, self.nicked(shape), shape[: r.randint(1, 12)], f"{self.phrase()} {shape}"[-12:]))
        if roll < 0.73:
            return f"{text}{r.choice((' ', ',', '', '/', '-'))}{r.choice(self.examples).text}"
        wrapped = r.choice(WRAPPINGS)(r.choice(PLACES).format(text))
        return r.choice(WRAPPINGS)(wrapped) if r.random() < 0.2 else r.choice(PLACES).format(wrapped)

    def nicked(self, text):
        """One character less, more, or another one."""
        at = self.r.randrange(len(text))
        return (
            text[:at] + self.r.choice(("", "0", "a", "Z", "-", ".", " ", "é", "5")) + text[at + self.r.randint(0, 1) :]
        )

    def value(self, text, plain):
        """A string, a number where it is one, or an array of such."""
        r, roll = self.r, self.r.random()
        digits = "".join(mark for mark in plain if mark in "0123456789").lstrip("0")
        if roll < 0.15 and digits:
            return r.choice(("{}", "-{}", "{}.0", "{}e0", "[{0},{0}]", "0.{}")).format(digits)
        if roll < 0.3:
            return f"[{self.spelt(text)},[{self.spelt(plain)}]]"
        return self.spelt(text)

    def spelt(self, text):
        """A JSON string: plain, ASCII only, or with each character escaped."""
        roll = self.r.random()
        if roll < 0.6:
            return json.dumps(text, ensure_ascii=False)
        if roll < 0.8:
            return json.dumps(text).replace("/", "\\/")
        units = text.encode("utf-16-be", "surrogatepass").hex()
        return '"' + "".join(f"\\u{units[at : at + 4]}" for at in range(0, len(units), 4)) + '"'
