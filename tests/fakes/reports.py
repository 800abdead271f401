"""What lanes and the Kafka thread might report, and the probes over it."""

from dataclasses import dataclass, field

from consumer.adapters.probes import Probes
from consumer.domain.errors import Reason
from consumer.domain.glance import Danger, Standing
from consumer.domain.lifecycle import Stage
from consumer.ports import LaneReport, StreamReport
from tests.fakes.commands import NOW

PARKED = LaneReport("shop", 3, NOW - 60_000, 1, 2.5, True, Reason.CREDENTIALS_REFUSED)
IDLE = LaneReport("blog", 0, None, 0, 1.0, False, None)
WORKING = StreamReport(
    alive=True,
    turned_at=100.0,
    proven_at=95.0,
    joined=True,
    owned=(0, 1, 2),
    active=5,
    resting=6,
    closed=7,
    lag={0: 12, 1: 0},
    standings={Standing(Stage.ACCEPTED, Danger.NONE): 4, Standing(Stage.SCHEDULED, Danger.AT_RISK): 7},
)


@dataclass
class Member:
    """A clock and two reports that a test sets as it likes."""

    stream: StreamReport | None = WORKING
    lanes: list[LaneReport] = field(default_factory=lambda: [PARKED, IDLE])
    monotonic_s: float = 100.0
    now_ms: int = NOW

    def __post_init__(self):
        self.probes = Probes(lambda: self.stream, lambda: self.lanes, self)

    def now(self):
        return self.now_ms

    def monotonic(self):
        return self.monotonic_s
