import base64
import hashlib
import json
import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from consumer.domain.hours import Hour
from consumer.domain.subject import Day, Millis
from consumer.package.account import Account
from consumer.package.brief import brief
from consumer.package.facts import Facts, FileFact
from consumer.package.page import page
from consumer.sandbox.amplitude.events import made_up

FACTS = Facts(
    request_id="dsr-1042",
    org="example-shop",
    projects=("829000", "829777"),
    start=Day("2025-11-01"),
    end=Day("2025-11-30"),
    created=Millis(1_793_872_800_000),
    source="dsar",
    files=(
        FileFact("829000/2025-11.jsonl.gz", 48_213, "ab" * 32, 300),
        FileFact("manifest.json", 900, "cd" * 32, None),
    ),
    missing=("Project 829777: Amplitude failed to prepare November 2025.",),
    identities=2,
    encrypted=False,
)
HOSTILE = [
    "</style><script>alert(1)</script>",
    '" onmouseover="alert(1)" x="',
    "' onfocus='alert(1)' autofocus='",
    "<img src=x onerror=alert(1)>",
    "-->]]></title></textarea></bdi></td></table></main>",
    "&lt;script&gt;&#60;b&#62;",
    "{{style}}{{sections}}",
    "\u202egnp.exe\u2066\x1b[31mred\x07\x00\u2028\ud800\r\n",
    "javascript:alert(1)",
    "x" * 50_000,
]
VOID = {"meta", "br", "hr", "img", "input", "link"}


class Elements(HTMLParser):
    """Every element with its attributes; a tag that closes another than the open one is an error."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.open, self.style, self.text = [], [], "", []
        self.feed(text)
        self.close()
        assert [] == self.open

    def handle_starttag(self, tag, attrs):
        assert len(attrs) == len(dict(attrs)), (tag, attrs)
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open
        assert tag == self.open.pop()

    def handle_data(self, data):
        if self.open and self.open[-1] == "style":
            self.style += data
        else:
            self.text.append(data)

    @property
    def shown(self):
        return re.sub(r"\s+", " ", "".join(self.text))


def account_of(events):
    account = Account()
    for event in events:
        account.add(event)
    return account


def plenty(count=300, hours=1):
    return [json.loads(line) for n in range(hours) for line in made_up("829000", Hour(489_500 + 700 * n), count)[0]]


def with_texts(texts):
    """Everything that can hold a text holds each of them."""
    keys = """event_type user_id amplitude_id device_id idfa os_name device_type platform city region country ip_address
    version_name language app""".split()
    return [
        dict.fromkeys(keys, text)
        | {
            "event_time": "2026-01-01 00:00:00",
            "event_properties": {text: text, "nested": {text: [text]}},
            "user_properties": {text: text, f"list {n}": [text]},
        }
        for n, text in enumerate(texts)
    ]


def facts_with(text):
    return replace(
        FACTS,
        request_id=text,
        org=text,
        projects=(brief(text, 120),),
        start=Day(text),
        end=Day(text),
        files=(FileFact(text, 1, text, 1),),
        missing=(text,),
    )


def test_the_page_is_well_formed_and_names_its_language():
    elements = Elements(page(account_of(plenty()), FACTS))
    assert ("html", {"lang": "en"}) in elements.tags
    assert 1 == sum(tag == "h1" for tag, _ in elements.tags)
    ids = [attributes["id"] for _, attributes in elements.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    links = {attributes["href"][1:] for tag, attributes in elements.tags if tag == "a" and attributes["href"][0] == "#"}
    assert links <= set(ids)


def test_every_table_has_a_caption_and_heads_of_columns_and_rows():
    elements = Elements(page(account_of(plenty()), FACTS))
    tags = [tag for tag, _ in elements.tags]
    assert tags.count("table") == tags.count("caption") > 8
    assert {"col", "row"} == {attributes["scope"] for tag, attributes in elements.tags if tag == "th"}


def test_there_is_no_script_and_nothing_is_loaded():
    text = page(account_of(plenty() + with_texts(["https://example.com/a.png", "//example.com/x"])), FACTS)
    for tag, attributes in Elements(text).tags:
        assert tag not in {"script", "link", "img", "iframe", "object", "form", "base", "svg"}
        assert not attributes.keys() & {"src", "srcset", "action", "data", "style", "background", "ping"}
        assert attributes.get("href", "#").startswith(("#", "./"))
    assert "url(" not in text
    assert "@import" not in text


def test_no_address_of_our_own_is_on_the_page():
    assert not re.findall(r"(?:https?:)?//[a-z]", page(account_of(plenty()), FACTS))


def test_the_policy_allows_this_style_and_nothing_else():
    elements = Elements(page(account_of(plenty()), FACTS))
    policy = next(attributes["content"] for _, attributes in elements.tags if "http-equiv" in attributes)
    digest = base64.b64encode(hashlib.sha256(elements.style.encode()).digest()).decode()
    assert f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'" == policy


@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: text[:12].encode("unicode_escape").decode())
def test_hostile_values_add_no_element_and_no_attribute(text):
    calm, hostile = (Elements(page(account_of(with_texts([one])), facts_with(one))) for one in ("calm", text))
    assert [(tag, attributes.keys()) for tag, attributes in calm.tags] == [
        (tag, attributes.keys()) for tag, attributes in hostile.tags
    ]
    assert calm.style == hostile.style
    assert {"href", "datetime"} >= {
        name
        for (_, one), (_, other) in zip(calm.tags, hostile.tags, strict=True)
        for name in one
        if one[name] != other[name]
    }


def test_what_would_act_is_shown_instead():
    text = page(account_of(with_texts(HOSTILE)), facts_with(HOSTILE[7]))
    assert not [one for one in text if one in "\x00\x07\x1b\r\u202e\u2066\u2028\ud800"]
    shown = Elements(text).shown
    assert "\\u202egnp.exe\\u2066\\x1b[31mred\\x07\\x00\\u2028\\ud800\\r\\n" in shown
    assert "</style><script>alert(1)</script>" in shown
    assert "&lt;script&gt;" in shown
    assert "{{style}}{{sections}}" in shown
    text.encode("utf-8")


@pytest.mark.parametrize("name", ["javascript:alert(1)", "//example.com/x", "https://example.com", "a b?c#d", "../up"])
def test_a_files_name_links_only_to_something_beside_the_page(name):
    elements = Elements(page(Account(), replace(FACTS, files=(FileFact(name, 1, "ab", 1),))))
    link = next(a["href"] for tag, a in elements.tags if tag == "a" and a["href"][0] != "#")
    assert link.startswith("./")
    assert not set(link) & set(":?# ")


def test_the_same_events_in_the_same_order_give_the_same_bytes():
    events = plenty() + with_texts(HOSTILE)
    assert page(account_of(events), FACTS) == page(account_of(events), FACTS)


def test_the_numbers_are_those_of_the_account():
    shown = Elements(page(account_of(plenty(300, 3)), FACTS)).shown
    for words in (
        "There are 900 events about you",
        "Nov 2025: 300 events",
        "829777",
        "Project 829777: Amplitude failed to prepare November 2025.",
        "48.2 kB",
        "ab" * 32,
        "5 Nov 2026, 10:00 UTC",
        "1 Nov 2025 to 30 Nov 2025, both included",
        "All times are UTC",
        "2 identifiers of yours",
    ):
        assert words in shown, words


def test_what_is_cut_says_so():
    shown = Elements(
        page(
            account_of(
                {"ip_address": f"203.0.113.{n}", "user_id": str(n % 9), "event_type": f"t{n}"} for n in range(234)
            ),
            FACTS,
        )
    ).shown
    assert "and 134 more, in 134 events" in shown
    assert "34 more kinds" in shown
    many = account_of({"device_id": str(n)} for n in range(5_000))
    assert "and at least 1,000 more, in 4,950 events" in Elements(page(many, FACTS)).shown


def test_the_largest_page_is_bounded():
    texts = [f"{n} " + "<&\"'" * 9_000 for n in range(300)]
    events = [
        {**event, "event_properties": {f"{n}{'<' * 500}": ["<" * 500] for n in range(150)}}
        for event in with_texts(texts)
    ]
    assert len(page(account_of(events), FACTS)) < 25_000_000


def test_nothing_found_is_said_and_empty_sections_are_left_out():
    elements = Elements(page(Account(), replace(FACTS, missing=(), files=())))
    assert "Nothing was found there under your identifiers" in elements.shown
    assert "Nothing is known to be missing." in elements.shown
    ids = {attributes["id"] for tag, attributes in elements.tags if tag == "section"}
    assert {"about", "projects", "missing", "files"} == ids


@pytest.mark.parametrize(
    ("first", "last", "unit", "columns"),
    [("2025-11", "2026-02", "month", 4), ("2023-03", "2026-02", "month", 36), ("1970-01", "2026-02", "year", 2)],
)
def test_the_chart_has_a_column_for_each_month_or_year(first, last, unit, columns):
    elements = Elements(page(account_of({"event_time": f"{at}-01 00:00:00"} for at in (first, last, last)), FACTS))
    chart = next(attributes for tag, attributes in elements.tags if tag == "ol")
    assert f"Events by {unit}" == chart["aria-label"]
    heights = [a["class"] for _, a in elements.tags if a.get("class", "").startswith("column")]
    assert columns == len(heights)
    assert ("column p50", "column p100") == (heights[0], heights[-1])


def test_encrypted_files_come_with_how_to_open_them():
    assert "age --decrypt" not in Elements(page(Account(), FACTS)).shown
    assert "age --decrypt -i KEY NAME > OUTPUT" in Elements(page(Account(), replace(FACTS, encrypted=True))).shown


def test_events_without_a_time_are_told():
    shown = Elements(page(account_of([{}, {"event_time": "2026-01-01 00:00:00"}]), FACTS)).shown
    assert "1 event without a readable time" in shown
