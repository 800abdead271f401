"""What is planted: items (a data type, a text, a key that goes with it, how it may be written) and hard negatives."""

import base64
import json
import string
from typing import NamedTuple

from stdnum import luhn

from tests.fakes.exports import identifiers
from tests.fakes.exports.dice import FIRST, FULL_NAMES, LAST


class Item(NamedTuple):
    data_type: str
    text: str
    key: str
    needs_key: bool = False
    """Only the name of its field tells."""


def phone(d):
    area, tail = (
        d.choice(("212", "415", "310", "617", "312")),
        f"{d.choice('2346')}{d.choice('023456789')}{d.digits(1)}",
    )
    end = d.digits(4)
    forms = (
        (f"+1{area}{tail}{end}", False),
        (f"({area}) {tail}-{end}", False),
        (f"{area}-{tail}-{end}", False),
        (f"+44 20 7{d.digits(3)} {end}", False),
        (f"+49{d.choice(('151', '160', '171'))}{d.digits(8)}", False),
        (f"+33 6 {' '.join(d.digits(2) for _ in range(4))}", False),
        (f"+55 11 9{d.digits(4)}-{end}", False),
        (f"0{d.choice('67')}{d.digits(8)}", True),
        (f"07{d.choice('4578')}{d.digits(2)} {d.digits(6)}", True),
        (f"{area}{tail}{end}", True),
    )
    text, needs_key = d.choice(forms)
    return Item("PHONE", text, d.choice(("phone", "mobile", "phoneNumber", "tel")), needs_key)


def national(d):
    data_type = d.choice(list(identifiers.NATIONAL))
    make, key, tells_itself = identifiers.NATIONAL[data_type]
    return Item(data_type, make(d), key, not tells_itself)


def secret(d):
    alphabet = string.ascii_letters + string.digits
    data_type, text = d.choice(
        (
            ("AWS_KEY", "AK" + "IA" + d.letters(16, string.ascii_uppercase + "234567")),
            ("GITHUB_TOKEN", "gh" + "p_" + d.letters(36, alphabet)),
            ("STRIPE_KEY", "sk" + "_live_" + d.letters(24, alphabet)),
            ("GOOGLE_API_KEY", "AI" + "za" + d.letters(35, alphabet + "_-")),
            ("SLACK_TOKEN", "xo" + f"xb-{d.digits(12)}-{d.digits(12)}-{d.letters(24, alphabet)}"),
        )
    )
    return Item(data_type, text, d.choice(("token", "apiKey", "config", "secret")))


def jwt(d):
    def part(claims):
        return base64.urlsafe_b64encode(json.dumps(claims, separators=(",", ":")).encode()).decode().rstrip("=")

    signature = base64.urlsafe_b64encode(d.random.randbytes(32)).decode().rstrip("=")
    claims = {"sub": d.digits(10), "iat": 1_700_000_000 + d.between(0, 9_999_999)}
    return Item(
        "JWT",
        f"{part({'alg': 'HS256', 'typ': 'JWT'})}.{part(claims)}.{signature}",
        d.choice(("authorization", "token")),
    )


def ssn(d):
    area = d.choice((d.between(1, 665), d.between(667, 899)))
    return f"{area:03}-{d.between(1, 99):02}-{d.between(1, 9999):04}"


def born(d):
    day = d.date()
    text = d.choice((day.isoformat(), f"{day:%d/%m/%Y}", f"{day:%m/%d/%Y}"))
    return Item("DOB", text, d.choice(("dob", "birth_date", "dateOfBirth", "birthday")), True)


def address(d):
    text = f"{d.between(1, 9999)} {d.choice(('Main', 'Oak', 'Elm', '2nd'))} {d.choice(('Street', 'Ave', 'Rd', 'Blvd'))}"
    return Item("STREET_ADDRESS", text, d.choice(("address", "shipping_address", "street")), True)


def mac(d):
    text = ":".join(d.hex(2) for _ in range(6))
    return Item("MAC", text.upper() if d.chance(0.5) else text, d.choice(("mac", "wifi_mac", "bssid")))


def anywhere(d, *keys):
    return d.choice((*keys, "value", "q", "comment", "field_3"))


ITEMS = (
    (18, lambda d: Item("EMAIL", d.email(), anywhere(d, "email", "contact", "userEmail"))),
    (10, phone),
    (8, lambda d: Item("CREDIT_CARD", identifiers.card(d), anywhere(d, "card", "cc_number", "payment"))),
    (6, lambda d: Item("IBAN", identifiers.iban(d), anywhere(d, "iban", "account", "bank"))),
    (6, lambda d: Item("US_SSN", ssn(d), anywhere(d, "ssn", "social", "ref"))),
    (6, lambda d: Item("IPV4", d.ipv4(), anywhere(d, "client_ip", "remote_addr", "host"))),
    (4, lambda d: Item("IPV6", d.ipv6(), anywhere(d, "client_ip", "remote_addr", "host"))),
    (22, national),
    (4, mac),
    (3, lambda d: Item("IMEI", identifiers.imei(d), "imei")),
    (3, lambda d: Item("BTC", d.bitcoin(), "wallet")),
    (3, lambda d: Item("ETH", "0x" + d.hex(40), "wallet")),
    (4, secret),
    (2, jwt),
    (3, born),
    (2, lambda d: Item("GEO", f"{d.random.uniform(-60, 70):.6f},{d.random.uniform(-179, 179):.6f}", "latlng")),
    (
        2,
        lambda d: Item(
            "PERSON_NAME", d.choice(FULL_NAMES), d.choice(("full_name", "customer_name", "recipientName")), True
        ),
    ),
    (2, address),
    (2, lambda d: Item("AD_ID", d.uuid().upper(), d.choice(("idfa", "gaid", "advertising_id")), True)),
)


def item(d):
    """One thing to plant."""
    make = d.random.choices([make for _, make in ITEMS], weights=[weight for weight, _ in ITEMS])[0]
    return make(d)


def failing_luhn(d):
    head = d.choice(("4", "5", "37", "6011"))
    while luhn.is_valid(number := head + d.digits(16 - len(head))):
        pass
    return number


NEGATIVES = {
    "card_luhn_fails": failing_luhn,
    "version": lambda d: f"{d.between(1, 20)}.{d.between(0, 30)}.{d.between(0, 9)}.{d.between(256, 9999)}",
    "milliseconds": lambda d: str(1_700_000_000_000 + d.between(0, 10**10)),
    "md5": lambda d: d.hex(32),
    "sha256": lambda d: d.hex(64),
    "uuid": lambda d: d.uuid().upper() if d.chance(0.5) else d.uuid(),
    "price": lambda d: f"{d.choice('$€£')}{d.between(1, 99_999):,}.{d.between(0, 99):02}",
    "retina_asset": lambda d: f"https://cdn.example.net/img/logo{d.between(1, 99)}@2x.png",
    "package": lambda d: f"@acme/widget@{d.between(1, 9)}.{d.between(0, 20)}.{d.between(0, 9)}",
    "handle": lambda d: f"@{d.choice(FIRST)}_{d.choice(LAST)}",
    "impossible_ssn": lambda d: d.choice(("000-12-3456", "666-45-1234", "912-34-5678", "123-00-4567", "123-45-0000")),
    "iban_fails": lambda d: "DE00" + d.digits(18),
    "order": lambda d: f"ORD-{d.digits(4)}-{d.digits(6)}",
    "base64_noise": lambda d: base64.b64encode(d.random.randbytes(d.between(24, 90))).decode(),
    "iso_time": lambda d: (
        f"2024-0{d.between(1, 9)}-{d.between(10, 28)}T{d.between(10, 23)}:{d.between(10, 59)}:12.{d.digits(3)}Z"
    ),
    "semver": lambda d: f"{d.between(1, 20)}.{d.between(0, 30)}.{d.between(0, 99)}-beta.{d.between(1, 9)}",
    "phone_agent": lambda d: (
        f"Mozilla/5.0 (iPhone; CPU iPhone OS 17_{d.between(0, 6)} like Mac OS X) AppleWebKit/605.1.15"
        f" (KHTML, like Gecko) Version/17.{d.between(0, 6)} Mobile/15E148 Safari/604.1"
    ),
    "desktop_agent": lambda d: (
        "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko)"
        f" Chrome/1{d.between(10, 39)}.0.0.0 Safari/537.36"
    ),
    "bigint": lambda d: str(d.between(10**17, 10**19)),
    "css": lambda d: f"#{d.hex(6)} 1.{d.between(0, 99)}em 0 {d.between(0, 99)}.5%",
}


def negative(d):
    """(kind, text) of something that looks like personal data and is none."""
    kind = d.choice(list(NEGATIVES))
    return kind, NEGATIVES[kind](d)
