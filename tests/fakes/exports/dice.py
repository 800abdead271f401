"""Seeded randomness with the few shapes that everything here is made of."""

import datetime as dt
import hashlib
import random
import string

HEX = "0123456789abcdef"
BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
FIRST = (
    "james mary wei olga jose zoe soren lukas aicha fatima john priya kenji ivan anna mehmet lucia noah emma".split()
)
LAST = "smith muller garcia dubois rossi nowak jensen obrien yilmaz ivanov tanaka silva chen kumar".split()
DOMAINS = "example.com gmail.com mail.example.co.uk yahoo.fr corp-mail.io uni-koeln.de outlook.com proton.me".split()
FULL_NAMES = (
    "James Smith|José García|Zoë Müller|Søren Jensen|Łukasz Nowak|Aïcha Dubois|Nguyễn Văn An|Siobhán O'Brien|"
    "Дмитрий Иванов|佐藤 美咲|Anna van den Berg|Chloé D’Angelo|Mehmet Yılmaz|Priya Kumar"
).split("|")


class Dice:
    """Everything random of one archive; the same seed gives the same archive."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.choice, self.chance = self.random.choice, lambda p: self.random.random() < p
        self.between = self.random.randint

    def digits(self, count):
        return "".join(self.random.choices(string.digits, k=count))

    def letters(self, count, alphabet=string.ascii_uppercase):
        return "".join(self.random.choices(alphabet, k=count))

    def hex(self, count):
        return self.letters(count, HEX)

    def uuid(self):
        h = self.hex(32)
        return f"{h[:8]}-{h[8:12]}-4{h[13:16]}-a{h[17:20]}-{h[20:]}"

    def date(self, first=1940, last=2008):
        return dt.date(self.between(first, last), self.between(1, 12), self.between(1, 28))

    def email(self):
        first, last = self.choice(FIRST), self.choice(LAST)
        forms = (f"{first}.{last}", f"{first}{self.between(1, 9999)}", f"{first[0]}{last}", f"{first}_{last}+news")
        return f"{self.choice(forms)}@{self.choice(DOMAINS)}"

    def ipv4(self):
        first = self.choice([n for n in range(11, 223) if n not in {127, 169, 172, 192}])
        return f"{first}.{self.between(0, 255)}.{self.between(0, 255)}.{self.between(1, 254)}"

    def ipv6(self):
        groups = [self.choice(("2001", "2a02", "2600")), *(f"{self.between(1, 65535):x}" for _ in range(7))]
        return ":".join(groups) if self.chance(0.6) else f"{groups[0]}:{groups[1]}::{groups[6]}:{groups[7]}"

    def bitcoin(self):
        raw = b"\0" + self.random.randbytes(20)
        raw += hashlib.sha256(hashlib.sha256(raw).digest()).digest()[:4]
        number, text = int.from_bytes(raw), ""
        while number:
            number, digit = divmod(number, 58)
            text = BASE58[digit] + text
        return "1" * (len(raw) - len(raw.lstrip(b"\0"))) + text
