import base64
import hashlib
import json
import re
from html.parser import HTMLParser

import pytest

from scanner.report import machine, page
from tests.fakes.scanned import hostile, reported


class Elements(HTMLParser):
    """Every element of a page with its attributes, and the text of those that may hold code."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.code, self._inside = [], [], False
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self._inside = tag in {"script", "style"}
        self.code += [""] if self._inside else []

    def handle_endtag(self, tag):
        self._inside = False

    def handle_data(self, data):
        if self._inside:
            self.code[-1] += data


def data_of(text):
    return json.loads(re.search(r'<script type="application/json" id="report">(.*?)</script>', text, re.DOTALL)[1])


def test_the_page_holds_the_whole_document():
    assert machine.document(reported()) == data_of(page.as_html(reported()))


def test_hostile_names_add_nothing_to_the_page():
    clean, attacked = (Elements(page.as_html(reported(scan))) for scan in (None, hostile()))
    assert clean.tags == attacked.tags
    assert (clean.code[0], clean.code[2]) == (attacked.code[0], attacked.code[2])


def test_the_data_holds_no_markup_and_nothing_that_acts():
    text = page.as_html(reported(hostile()))
    block = re.search(r'id="report">(.*?)</script>', text, re.DOTALL)[1]
    assert block.isascii()
    assert not set("<>&\x1b\x07") & set(block)
    names = {row["event_type"] for row in data_of(text)["rows"]}
    assert {"\\u202egnp.exe\\u2066\\x1b[31mred\\x07", "a" * 10_000, "👩‍👩‍👧 naïve\\ud800"} <= names
    assert any("{{data}}" in name for name in names)


def test_nothing_is_loaded_from_anywhere():
    for tag, attributes in Elements(page.as_html(reported())).tags:
        assert not attributes.keys() & {"src", "href", "action", "data"}, tag
    assert "url(" not in page.as_html(reported())
    assert "@import" not in page.as_html(reported())


def test_the_policy_allows_this_script_and_this_style_only():
    elements = Elements(page.as_html(reported()))
    policy = next(attributes["content"] for _, attributes in elements.tags if "http-equiv" in attributes)
    hashes = [base64.b64encode(hashlib.sha256(code.encode()).digest()).decode() for code in elements.code]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert f"style-src 'sha256-{hashes[0]}'" in policy
    assert f"script-src 'sha256-{hashes[2]}'" in policy


@pytest.mark.parametrize(
    "way", ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "Function("]
)
def test_the_script_puts_text_on_the_page_as_text_only(way):
    assert way not in Elements(page.as_html(reported())).code[2]
