"""A scan as an engine would hand it over, small enough to read: made by the real recorder, the same on every call."""

import re
from datetime import UTC, datetime

from scanner.evidence import Field, Hits, Key
from scanner.findings import Finding, Grade, Reason, Via
from scanner.ports import Machinery, Scanned
from scanner.recorder import Recorder
from scanner.report.model import Judgement, Origin, report
from scanner.rules.model import Pattern, Rule, RuleSet
from scanner.sketch import Fingerprints
from scanner.summary import OTHER, Summary

KEY = b"the same key in every run"
HOSTILE = (
    "</script><script>document.title='owned'</script>",
    '"><img src=x onerror="document.title=\'owned\'">',
    "=HYPERLINK(1)",
    "\u202egnp.exe\u2066\x1b[31mred\x07",
    "👩‍👩‍👧 naïve\ud800",
    "a" * 10_000,
    "<!--<script>",
    "{{data}} \\u003c &lt; \u2028 ' \" `",
)


def _rule(data_type, name, group, country="", column=""):
    pattern = Pattern("x", Grade.LIKELY, Grade.CONFIRMED)
    return Rule(data_type.lower(), data_type, name, group, (pattern,), country, column=column)


RULES = RuleSet(
    (
        _rule("EMAIL", "E-mail address", "contact"),
        _rule("PHONE", "Telephone number", "contact"),
        _rule("CREDIT_CARD", "Payment card number", "payment"),
        _rule("IBAN", "International bank account number", "payment"),
        _rule("ES_NIE", "Spanish foreigner's identity number (NIE)", "national_id", "ES"),
        _rule("DE_TAX_ID", "German tax identification number", "tax_id", "DE", column="noisy"),
        _rule("IP_ADDRESS", "Internet address", "network"),
    ),
    {"/ip_address": "IP_ADDRESS"},
    "3f2a9c1b04de" + "0" * 52,
)

PAGE_VIEWED, MEMO = "[Amplitude] Page Viewed", Hits(likely=1, confirmed=1)
F, C, K, N, V = Reason.FORMAT, Reason.CHECKSUM, Reason.KEY, Reason.NEARBY, Reason.VETO
ROWS = (
    # event type, path, type, seen, hits, reasons, via, distinct, a value for each number
    (
        "signup",
        "/user_properties/email",
        "EMAIL",
        1_000,
        Hits(confirmed=930),
        F | K,
        Via(0),
        900,
        "a.lee{}@example.com",
    ),
    (
        "login",
        "/user_properties/email",
        "EMAIL",
        4_000,
        Hits(confirmed=3_998),
        F | K,
        Via(0),
        2_200,
        "lee{}@example.com",
    ),
    ("view", "/event_properties/url", "EMAIL", 9_000, Hits(likely=31), F, Via.PERCENT, 12, "a.lee+{}@example.com"),
    (PAGE_VIEWED, "/event_properties/q", "PHONE", 700, Hits(likely=9), F | N, Via(0), 9, "+44 20 7946 0{:03}"),
    ("purchase", "/event_properties/order", "CREDIT_CARD", 800, Hits(possible=79), F | C | V, Via(0), 79, "4000{:012}"),
    ("purchase", "/event_properties/memo", "CREDIT_CARD", 800, MEMO, F | C | N, Via(0), 2, "4000 0000 0000 {:04}"),
    ("purchase", "/event_properties/memo", "IBAN", 800, Hits(confirmed=3), F | C, Via.JSON, 3, "XX00 0000 {:04}"),
    ("signup", "/user_properties/doc", "ES_NIE", 60, Hits(likely=58), F | C, Via(0), 58, "X{:07}A"),
    ("view", "/event_properties/nr", "DE_TAX_ID", 9_000, Hits(likely=810), F | C, Via(0), 700, "{:011}"),
)


ACCOUNT = {
    "lines": 20_000,
    "text_bytes": 45_600_000,
    "text_scanned": 45_300_000,
    "lines_skipped.oversized_line": 1,
    "text_skipped.oversized_line": 300_000,
    "input_bytes": 8_700_000,
    "input_overhead": 1_200,
    "input_unpacked": 8_678_800,
    "input_skipped.wrong_type": 20_000,
}


def recorded(rows=ROWS, more=()):
    recorder, fingerprint = Recorder(), Fingerprints(KEY)
    for event_type, path, data_type, _, hits, reasons, via, distinct, value in (*rows, *more):
        key = Key(event_type, path, data_type)
        recorder.hit(key, hits, "2026-06-01 00", "2026-06-16 09")
        for number in range(distinct):
            recorder.value(key, reasons, via, fingerprint(f"{data_type} {number}"), value.format(number))
    for (event_type, path), seen in {row[:2]: row[3] for row in (*rows, *more)}.items():
        recorder.saw(Field(event_type, path), seen)
    recorder.saw(Field("login", "/ip_address"), 4_000)
    recorder.saw(Field("login", "/platform"), 4_000)
    recorder.hit(Key(*OTHER, "EMAIL"), Hits(likely=4))
    for name, amount in ACCOUNT.items():
        recorder.read(name, amount)
    return recorder.tally()


def scanned(more=()):
    digests = frozenset({"9c56cc51b374c3ba189210d5b6d4bf57790d351c96c47c02190ecf1e430635ab"})
    return Scanned(Summary(digests, RULES.digest, Fingerprints(KEY).name, recorded(more=more)), "native", 0.25, 2)


def hostile():
    """Names that would act if anything let them."""
    rows = [(name, f"/{name}", "EMAIL", 3, Hits(likely=1), F, Via(0), 1, "{}@example.com") for name in HOSTILE]
    return scanned(more=rows)


ORIGIN = Origin("0.1.0", datetime(2026, 6, 17, 8, 30, tzinfo=UTC), ("600000_2026-06-16.zip",))


def reported(scan=None, judgement=None):
    return report(scan or scanned(), RULES, judgement or Judgement(), ORIGIN)


class StandIn:
    """An engine that needs no kernel: whatever the sources hold, it found what `scan` says; in text it finds e-mail."""

    def __init__(self, scan):
        self.scan = scan

    def scan_sources(self, sources, progress):
        progress(8_700_000, 45_600_000)
        return self.scan

    def scan_text(self, text, field=""):
        grade = Grade.CONFIRMED if "mail" in field else Grade.LIKELY
        return [Finding("EMAIL", *match.span(), grade, F) for match in re.finditer(r"[a-z]+@[a-z.]+", text)]


def machinery(scan=None, checked=None):
    """What the commands are wired to in tests. The engine that was wanted is kept in `wanted`."""
    wanted = []

    def make_engine(said):
        wanted.append(said)
        return StandIn(scan or scanned())

    parts = Machinery(make_engine, lambda extra: RULES, lambda extra: checked)
    return parts, wanted
