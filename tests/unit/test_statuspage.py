"""The status page: what it says needs somebody, and that nothing in it can act."""

from dataclasses import replace
from html.parser import HTMLParser

import pytest

from consumer.domain.errors import Reason
from consumer.domain.glance import Danger, Standing
from consumer.domain.lifecycle import Stage
from consumer.ports import CopyReport, LaneReport
from consumer.statuspage.page import page
from consumer.statuspage.status import EVERYTHING_FLOWS, MEANINGS, DiscoveryRow, Status, troubles, verdict
from tests.fakes.commands import NOW
from tests.fakes.reports import IDLE, PARKED, WORKING

FINE = replace(WORKING, standings={Standing(Stage.SCHEDULED, Danger.NONE): 3})
HEALTHY = Status("dsr-0", "0.1.0", NOW, (), FINE, 2.0, [IDLE])
COPYING = CopyReport("acme", 2, NOW - 1, 1, 1, 50.0, False, None)
SCANNED = DiscoveryRow("shop", 5, 6, 0, 7_000, 0)


class Text(HTMLParser):
    """The texts and the tags of a page."""

    def __init__(self, html):
        super().__init__()
        self.tags, self.attributes, self.texts = [], [], []
        self.feed(html)

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.attributes += attributes

    def handle_data(self, data):
        self.texts.append(data)


def said(status):
    return [(" ".join(trouble.whom), trouble.what) for trouble in troubles(status)]


def test_a_healthy_member_says_so_and_what_it_does():
    """The heading, and the numbers of its reports."""
    assert [] == troubles(HEALTHY)
    text = " ".join(Text(page(HEALTHY).html).texts)
    assert EVERYTHING_FLOWS in text
    assert "Owns 3 partitions. The last commit was 2 s ago." in text
    assert "scheduled" in text
    assert "blog" in text


@pytest.mark.parametrize(
    ("change", "about", "what", "alone"),
    [
        ({"failed": ("restoring",)}, "", "being restored", True),
        ({"failed": ("kafka_thread_ended",)}, "", "has ended", False),
        ({"failed": ("coordinator_not_in_the_group",)}, "", "coordinator not in the group", False),
        ({"stream": replace(FINE, halted={4: Reason.TOO_MANY_DEAD_LETTERS})}, "", "partition 4 is halted", False),
        ({"stream": replace(FINE, intake=Reason.BACKLOG_FULL)}, "", "too many requests", True),
        ({"stream": replace(FINE, intake=Reason.REGISTRY_UNAVAILABLE)}, "", "registry", True),
        ({"transaction_age_s": 61.0}, "", "1 min 1 s", False),
        ({"stream": replace(FINE, standings={Standing(Stage.HELD, Danger.BREACHED): 1})}, "", "1 request has", False),
        ({"stream": replace(FINE, standings={Standing(Stage.HELD, Danger.AT_RISK): 2})}, "", "2 requests will", False),
        ({"lanes": [PARKED]}, "shop", "refuses the keys", False),
        ({"lanes": [replace(IDLE, reason=Reason.PAUSED)]}, "blog", "Paused", False),
        ({"lanes": [replace(IDLE, reason=Reason.THROTTLED)]}, "blog", "patience", True),
        ({"copies": [replace(COPYING, reason=Reason.STORE_UNAVAILABLE)]}, "copies of acme", "store", False),
        ({"discovery": [replace(SCANNED, refused_hours=3)]}, "shop", "3 hours", False),
        ({"discovery": [replace(SCANNED, lost_bytes=9)]}, "shop", "9 bytes", False),
    ],
)
def test_everything_that_is_wrong_is_said_with_what_to_do(change, about, what, alone):
    """And whether somebody has to do it."""
    status = replace(HEALTHY, **change)
    (trouble,) = troubles(status)
    assert ((about,) if about else (), alone) == (trouble.whom, trouble.alone)
    assert what in trouble.what
    assert trouble.do.endswith(".")
    assert (verdict([trouble]) == "One thing needs you") is not alone
    assert what in " ".join(Text(page(status).html).texts)


def test_the_same_of_several_projects_is_one_trouble():
    """What needs a person comes first."""
    lanes = [replace(PARKED, project=name) for name in ("b", "a")]
    waiting = replace(IDLE, project="c", reason=Reason.UNAVAILABLE)
    status = replace(HEALTHY, lanes=[waiting, *lanes])
    assert [("a b", "Amplitude refuses the keys."), ("c", "Amplitude does not answer.")] == said(status)
    assert "One thing needs you" == verdict(troubles(status))
    text = Text(page(replace(HEALTHY, lanes=[replace(PARKED, project=f"p{n:02}") for n in range(11)])).html).texts
    assert any("3 more" in each for each in text)


def test_names_are_shown_and_do_not_act():
    """The page has no script, no style attribute, no event handler, and loads nothing."""
    name = "<script>alert(1)</script>\u202e\"'&"
    lane = LaneReport(name, 1, NOW, 0, 1.0, False, Reason.CREDENTIALS_REFUSED)
    rows = {"copies": [replace(COPYING, org=name)], "discovery": [replace(SCANNED, project=name)]}
    made = page(replace(HEALTHY, replica=name, lanes=[lane], **rows))
    parsed = Text(made.html)
    assert "script" not in parsed.tags
    assert not {name for name, _ in parsed.attributes} & {"style", "onload", "onerror", "onclick", "src"}
    assert {"/metrics", "/healthz", "/readyz"} == {value for name, value in parsed.attributes if name == "href"}
    assert "\u202e" not in made.html
    assert made.policy.startswith("default-src 'none'; style-src 'sha256-")


def test_every_open_stage_has_a_meaning():
    """Ends are not on the page."""
    ends = {Stage.DONE, Stage.NOT_FOUND, Stage.CANCELLED, Stage.TOO_LATE, Stage.REFUSED, Stage.FAILED, Stage.EXPIRED}
    assert set(Stage) - ends == MEANINGS.keys()


def test_a_member_that_only_discovers_and_one_that_just_starts_have_pages():
    """Nothing is known of requests there."""
    text = " ".join(Text(page(Status("d-0", "0.1.0", NOW, (), discovery=[SCANNED])).html).texts)
    assert "This member scans exports." in text
    assert "7.0 kB" in text
    assert "hours to scan" in text
    assert "It waits" in page(Status("dsr-0", "0.1.0", NOW, ("not_in_the_group",))).html
