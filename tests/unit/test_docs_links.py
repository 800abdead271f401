"""Every link of every Markdown file leads somewhere: to a file that exists, and to a heading that is in it."""

import pytest

from tests.pages import LINK, ROOT, anchors, every, prose

PAGES = every()


def broken(path, text):
    """The links of a page that lead nowhere; addresses on the web are not asked."""
    for link in LINK.findall(prose(text)):
        if link.startswith(("http://", "https://", "mailto:")):
            continue
        file, _, anchor = link.partition("#")
        target = (path.parent / file).resolve()
        if not target.exists() or not target.is_relative_to(ROOT):
            yield link
        elif anchor and anchor not in anchors(text if not file else headed(target)):
            yield link


def headed(target):
    """A page has headings that can be linked to; another file has none."""
    return target.read_text(encoding="utf-8") if target.suffix == ".md" else ""


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_every_link_leads_somewhere(path):
    """Pictures, too."""
    assert [] == list(broken(path, path.read_text(encoding="utf-8")))


def test_a_link_that_leads_nowhere_is_found():
    """A file, a heading of another page, a heading of the same page, a place outside."""
    bad = ["docs/nowhere.md", "docs/README.md#nowhere", "#nowhere", "../outside.md", "LICENSE#terms"]
    text = " ".join(f"[x]({link})" for link in [*bad, "docs/README.md", "#here", "https://example.com/x"])
    assert bad == list(broken(ROOT / "README.md", f"# Here\n{text}"))


def test_anchors_are_those_that_are_made_of_headings():
    """Lower case, no marks, numbered when they are repeated; a comment in a code block is no heading."""
    text = "# A `b`: c_d, e!\n## Two\n## Two\n```sh\n# no heading\n```\n### [Linked](x.md) – so\n"
    assert {"a-b-c_d-e", "two", "two-1", "linked--so"} == anchors(text)


def test_headings_that_links_rely_on_are_found():
    """At least these pages have some: a reader that finds no heading would let everything pass."""
    assert all(anchors(path.read_text(encoding="utf-8")) for path in PAGES)
