"""What may be tuned about a lane."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from consumer.domain.errors import Fault
from consumer.domain.pace import INTERVAL_S
from consumer.domain.retry import SCHEDULES, Schedule


@dataclass(frozen=True, slots=True)
class LanePolicy:
    """`linger_s`: how long a batch that is not full waits for company, in real seconds; `poll_every_ms`: calendar.

    `most_in_flight`: calls of one lane at a time; Amplitude documents 8 for each project. `access_check_s`: how often
    a lane without keys looks for them. `calendar_check_s`: how late, in real seconds, a calendar that runs fast or
    jumps may be noticed.
    """

    linger_s: float = 60.0
    poll_every_ms: int = 15 * 60_000
    requester: str = "amplitude-dsr"
    least_interval_s: float = INTERVAL_S
    schedules: Mapping[Fault, Schedule] = field(default_factory=lambda: SCHEDULES)
    most_in_flight: int = 4
    access_check_s: float = 5.0
    calendar_check_s: float = 0.25
