"""What may be tuned about the making of copies."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from consumer.domain.errors import Fault
from consumer.domain.pace import Circuit
from consumer.domain.retry import SCHEDULES, Schedule

POST_UNITS, GET_UNITS = 8, 1
"""What calls of the DSAR API cost (Amplitude, "DSAR API")."""

FILES = Schedule(base_s=2, cap_s=300)
AMPLITUDE = Circuit()
STORE = Circuit(first_s=5.0, longest_s=60.0)


@dataclass(frozen=True, slots=True)
class CopyPolicy:
    """Real seconds. `org_units` and `project_units` are what we spend in any `hour_s`: a little less than the 14,400 of
    an org and the 360 of a project, so that calls that leave late never bunch above them.

    A job is first looked at after `first_poll_s`, then at intervals that double up to `longest_poll_s`; all polls
    together take at most `poll_share` of the budget, which stretches the intervals of many jobs. `most_in_flight`:
    calls and downloads of one org at a time; `most_pages`: of one project, which shares its five with exports.
    """

    hour_s: float = 3600.0
    org_units: float = 14_300.0
    org_burst: float = 300.0
    project_units: float = 355.0
    project_burst: float = 20.0
    first_poll_s: float = 300.0
    longest_poll_s: float = 3600.0
    poll_share: float = 0.4
    most_in_flight: int = 8
    most_pages: int = 2
    most_packing: int = 2
    schedules: Mapping[Fault, Schedule] = field(default_factory=lambda: SCHEDULES)
    file_schedule: Schedule = FILES
    circuit: Circuit = AMPLITUDE
    store_circuit: Circuit = STORE
    access_check_s: float = 5.0
    calendar_check_s: float = 0.25

    def scaled(self, factor: float) -> CopyPolicy:
        """For rehearsals: every second that Amplitude's rules or ours count is this many times shorter."""
        return replace(
            self,
            hour_s=self.hour_s / factor,
            first_poll_s=self.first_poll_s / factor,
            longest_poll_s=self.longest_poll_s / factor,
            schedules={fault: _shorter(schedule, factor) for fault, schedule in self.schedules.items()},
            file_schedule=_shorter(self.file_schedule, factor),
            circuit=_closed_sooner(self.circuit, factor),
            store_circuit=_closed_sooner(self.store_circuit, factor),
            access_check_s=self.access_check_s / factor,
        )


def _closed_sooner(circuit: Circuit, factor: float) -> Circuit:
    return replace(circuit, first_s=circuit.first_s / factor, longest_s=circuit.longest_s / factor)


def _shorter(schedule: Schedule, factor: float) -> Schedule:
    return Schedule(schedule.base_s / factor, schedule.cap_s / factor, schedule.floor_s / factor)
