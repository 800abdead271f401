"""Rule 6, the lease of HTTP calls, with its negative control."""

import signal
import time

import pytest

import schemas
from consumer.sandbox.amplitude.knobs import Knobs
from consumer.sandbox.amplitude.server import PocketAmplitude
from consumer.sandbox.amplitude.thread import PocketThread
from consumer.sandbox.clock import ScaledClock
from tests.fakes.commands import fields
from tests.integration import intake_worker
from tests.integration.test_rule_zombie_fence import Members

APP = "829000"


class WholeMembers(Members):
    """Whole members that share a pocket Amplitude."""

    def __init__(self, bootstrap, pocket):
        super().__init__(bootstrap)
        self.pocket, self.origin_s = pocket, time.time()

    def start(self, name, **told):
        access = self.pocket.access(APP)
        keys = {"api_key": access.keys.api_key.reveal(), "secret_key": access.keys.secret_key.reveal()}
        told |= {"projects": {"shop": {"org": "acme", "base_url": access.base_url, **keys}}}
        self.run(name, told | {"start_ms": int(self.origin_s * 1000), "origin_s": self.origin_s, "speed": 1.0})


@pytest.fixture
def members(kafka_bootstrap):
    now = int(time.time() * 1000)
    with PocketThread(PocketAmplitude(ScaledClock(now), Knobs(gate_s=0.0))) as server:
        members = WholeMembers(kafka_bootstrap, server.pocket)
        yield members
        members.stop()


def wake_a_sender(members, **told):
    """A member freezes right before a POST leaves. Another takes over, and makes the call. The first one wakes, with
    the call on its lips. Returns how often the person was sent, and the stages that were said."""
    members.start("frozen", freeze_at="gate", **told)
    now = int(time.time() * 1000)
    record = fields("u-1001", submitted_time=now, issued_time=now)
    members.send([intake_worker.codec.encode(schemas.COMMANDS, record)])
    members.hear("frozen", "frozen")
    members.start("heir")
    members.wait_for(3)
    assert members.pocket.seen(APP).times_sent()["u-1001"] == 1
    woken_at = time.monotonic()
    members.members["frozen"].send_signal(signal.SIGCONT)
    members.hear("frozen", "woken")
    members.hear("frozen", "committed", "aborted")
    time.sleep(2)
    stamps = [at_s for method, at_s in members.pocket.seen(APP).stamps_s if method == "POST" and at_s > woken_at]
    return len(stamps), [o["stage"] for o in members.outcomes()]


@pytest.mark.slow
def test_a_member_that_was_frozen_sends_nothing_when_it_wakes(members):
    """Rule 6: the lease is asked for right before the send, and is over long before anybody else can own the lane."""
    assert wake_a_sender(members) == (0, ["accepted", "dispatching", "scheduled"])


@pytest.mark.slow
def test_without_the_lease_it_sends_beside_the_new_owner(members):
    """Rule 6, negative control: the call leaves, for a partition that is another's; its result is dropped (rule 2)."""
    assert wake_a_sender(members, leased=False) == (1, ["accepted", "dispatching", "scheduled"])
