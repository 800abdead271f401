"""Every link of every Markdown file leads somewhere: to a file that exists, and to a heading that is in it."""

import pytest

from tests.pages import LINK, ROOT, anchors, every, prose

PAGES = every()


def broken(path, text):
    """The links of a page that lead nowhere; addresses on the web are not asked."""
    links = [link for link in LINK.findall(prose(text)) if not link.startswith(("http://", "https://", "mailto:"))]
    return [link for link in links if not leads(path, text, *link.partition("#")[::2])]


def leads(path, text, file, anchor):
    """Whether there is such a file in the repository, with such a heading if one is named."""
    target = (path.parent / file).resolve() if file else path
    if not (target.exists() and target.is_relative_to(ROOT)):
        return False
    if file:
        text = target.read_text(encoding="utf-8") if target.suffix == ".md" else ""
    return not anchor or anchor in anchors(text)


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_every_link_leads_somewhere(path):
    """Pictures, too."""
    assert [] == broken(path, path.read_text(encoding="utf-8"))


def test_a_link_that_leads_nowhere_is_found():
    """A file, a heading of another page, a heading of the same page, a place outside."""
    bad = ["docs/nowhere.md", "docs/README.md#nowhere", "#nowhere", "../outside.md", "LICENSE#terms"]
    text = " ".join(f"[x]({link})" for link in [*bad, "docs/README.md", "#here", "https://example.com/x"])
    assert bad == broken(ROOT / "README.md", f"# Here\n{text}")


def test_anchors_are_those_that_are_made_of_headings():
    """Lower case, no marks, numbered when they are repeated; a comment in a code block is no heading."""
    text = "# A `b`: c_d, e!\n## Two\n## Two\n```sh\n# no heading\n```\n### [Linked](x.md) – so\n"
    assert {"a-b-c_d-e", "two", "two-1", "linked--so"} == anchors(text)


def test_headings_that_links_rely_on_are_found():
    """At least these pages have some: a reader that finds no heading would let everything pass."""
    assert all(anchors(path.read_text(encoding="utf-8")) for path in PAGES)
