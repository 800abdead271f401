"""What the page tells: a snapshot of the reports, and what of it needs somebody."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from consumer.domain.deadline import span
from consumer.domain.errors import Reason
from consumer.domain.glance import Danger
from consumer.domain.lifecycle import Stage
from consumer.domain.subject import Millis
from consumer.ports import CopyReport, LaneReport, StreamReport

QUIET_S = 60.0
"""An idle member commits several times in that."""


@dataclass(frozen=True, slots=True)
class DiscoveryRow:
    """One project's discovery, as far as this member has seen it since it started, but for the fields."""

    project: str
    open_hours: int
    scanned_hours: int
    refused_hours: int
    scanned_bytes: int
    dirty_fields: int
    lost_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Status:
    """One member at one instant. `failed`: what /readyz finds wanting. `stream` is None before the first report, and
    of a member that only discovers. Ages are in seconds."""

    replica: str
    version: str
    now: Millis
    failed: tuple[str, ...] = ()
    stream: StreamReport | None = None
    transaction_age_s: float = 0.0
    lanes: Sequence[LaneReport] = ()
    copies: Sequence[CopyReport] = ()
    discovery: Sequence[DiscoveryRow] = ()

    @property
    def open(self) -> int:
        """Requests that have not ended."""
        return sum(self.stream.standings.values()) if self.stream else 0

    def stages(self) -> dict[Stage, int]:
        """Open requests by stage, in the order of life."""
        counts: Counter[Stage] = Counter()
        for standing, count in (self.stream.standings if self.stream else {}).items():
            counts[standing.stage] += count
        return {stage: counts[stage] for stage in Stage if counts[stage]}

    def in_danger(self, danger: Danger) -> int:
        """Open requests of which that was said."""
        standings = self.stream.standings if self.stream else {}
        return sum(count for standing, count in standings.items() if standing.danger is danger)


@dataclass(frozen=True, slots=True)
class Trouble:
    """Something that is not as it should be: `what`, of `whom` (names of the settings), and what to `do`.

    `alone`: it goes on by itself when the cause is gone, and nobody has to do anything.
    """

    what: str
    do: str
    whom: tuple[str, ...] = ()
    alone: bool = False


_UNREADY = {
    "stopping": Trouble("This member was asked to end.", "It waits for answers that are on their way.", alone=True),
    "kafka_thread_ended": Trouble("The Kafka thread has ended.", "Restart this member; its log says why."),
    "not_in_the_group": Trouble(
        "This member has no place in its group yet.", "If it stays so, look at the log's kafka lines.", alone=True
    ),
    "restoring": Trouble(
        "Ledgers are being restored.", "A million open requests take a minute and a half.", alone=True
    ),
}
_LANES = {
    Reason.CREDENTIALS_REFUSED: Trouble(
        "Amplitude refuses the keys.", "Find the pair with dsr check, and write the right keys into their files."
    ),
    Reason.CREDENTIALS_MISSING: Trouble("The keys are missing.", "Write them into the files that the settings name."),
    Reason.PROJECT_REMOVED: Trouble(
        "Requests are open, and the project is not in the settings.", "Put it back, or cancel its requests."
    ),
    Reason.PAUSED: Trouble("Paused by somebody.", "Lift it with dsr resume when it may go on."),
    Reason.STORE_UNAVAILABLE: Trouble(
        "The store takes no files.", "Look at copies.store; nothing that was fetched is fetched again."
    ),
    Reason.THROTTLED: Trouble("Amplitude asks for patience.", "It goes on more slowly.", alone=True),
    Reason.UNAVAILABLE: Trouble("Amplitude does not answer.", "It is tried again and again.", alone=True),
}
_INTAKE = {
    Reason.BACKLOG_FULL: Trouble(
        "No commands are read: too many requests wait to be sent.", "It goes on as they leave.", alone=True
    ),
    Reason.REGISTRY_UNAVAILABLE: Trouble(
        "No commands are read: the schema registry does not answer.", "It goes on when it does.", alone=True
    ),
}


def troubles(status: Status) -> list[Trouble]:
    """Everything that is not as it should be, what needs a person first; the same of several is one trouble."""
    merged: dict[Trouble, tuple[str, ...]] = {}
    for found in (*_of_member(status), *_of_requests(status), *_of_lanes(status), *_of_discovery(status)):
        alike = replace(found, whom=())
        merged[alike] = (*merged.get(alike, ()), *found.whom)
    return sorted((replace(one, whom=whom) for one, whom in merged.items()), key=lambda trouble: trouble.alone)


def _of_member(status: Status) -> Iterator[Trouble]:
    for check in status.failed:
        yield _UNREADY.get(check, Trouble(f"Not ready: {check.replace('_', ' ')}.", "Its log says why."))
    stream = status.stream
    if stream is None:
        return
    for partition in sorted(stream.halted):
        yield Trouble(
            f"Intake of partition {partition} is halted: too many records could not be read.",
            "Mend the producer; then dsr resume --halted, and dsr dlq redrive.",
        )
    if stream.intake in _INTAKE:
        yield _INTAKE[stream.intake]
    if stream.owned and status.transaction_age_s > QUIET_S:
        age = span(int(status.transaction_age_s) * 1000)
        yield Trouble(
            f"Nothing was committed for {age}.", "Look at Kafka. Until then nobody is called; nothing is lost."
        )


def _of_requests(status: Status) -> Iterator[Trouble]:
    if breached := status.in_danger(Danger.BREACHED):
        yield Trouble(
            f"{breached:,} {'request has' if breached == 1 else 'requests have'} missed the deadline.",
            "The outcomes with notice=breached name them; dsr status shows one.",
        )
    if at_risk := status.in_danger(Danger.AT_RISK):
        yield Trouble(
            f"{at_risk:,} {'request' if at_risk == 1 else 'requests'} will probably be late.",
            "Is something held, paused or parked? Else Amplitude's own schedule decides.",
        )


def _of_lanes(status: Status) -> Iterator[Trouble]:
    waiting = [(lane.reason, lane.project) for lane in status.lanes] + [
        (report.reason, f"copies of {report.org}") for report in status.copies
    ]
    for reason, whom in sorted((str(reason), name) for reason, name in waiting if reason):
        told = _LANES.get(Reason(reason), Trouble(f"Waits: {reason.replace('_', ' ')}.", "Its log says why."))
        yield replace(told, whom=(whom,))


def _of_discovery(status: Status) -> Iterator[Trouble]:
    for row in status.discovery:
        if row.lost_bytes:
            yield Trouble(
                f"{row.lost_bytes:,} bytes are not accounted for: a bug.", "Do not rely on these hours.", (row.project,)
            )
        if row.refused_hours:
            yield Trouble(
                f"{row.refused_hours:,} hours could not be scanned; they are unknown, not clean.",
                "The discovery's outcome says why: dsr watch --discoveries.",
                (row.project,),
            )


EVERYTHING_FLOWS = "Everything flows"


def verdict(found: Sequence[Trouble]) -> str:
    """The page's heading."""
    needed = sum(not trouble.alone for trouble in found)
    if needed:
        return "One thing needs you" if needed == 1 else f"{needed:,} things need you"
    return "It waits, and goes on by itself" if found else EVERYTHING_FLOWS


MEANINGS = {
    Stage.ACCEPTED: "taken in",
    Stage.HELD: "waits for approval, or its hold period",
    Stage.DISPATCHING: "being sent to Amplitude",
    Stage.SCHEDULED: "in a deletion job of Amplitude",
    Stage.CANCELLING: "being taken out of its job",
    Stage.SUBMITTED: "Amplitude runs the job",
    Stage.ERASED: "out of reach; backups expire",
    Stage.REQUESTED: "a copy that Amplitude makes",
    Stage.READY: "a copy that is being fetched",
    Stage.DELIVERED: "a copy that is kept for the person",
}
