"""The DSAR jobs of all orgs: where each stands, and which files it has. A file is one month of one project."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from consumer.domain.subject import Day
from consumer.sandbox.amplitude.keys import Holder

if TYPE_CHECKING:
    from consumer.sandbox.amplitude.world import World

TOO_MANY = "User has more than 100000 events in a month"


class Output(NamedTuple):
    """One file: a project, a month, and the Amplitude IDs whose events are in it."""

    app: str
    month: str
    people: tuple[tuple[int, str | None], ...]


@dataclass(slots=True)
class CopyJob:
    """One question. `done_on`: the day on which it was first seen to be done."""

    org: str
    user_id: str | None
    amplitude_id: int | None
    start: Day
    end: Day
    asked_s: float
    fails: bool = False
    done_on: Day | None = None
    outputs: tuple[Output, ...] = ()


class CopyBook:
    """`takes_s` real seconds lie between a question and its end; half of them it is `staging`."""

    def __init__(self, takes_s: float) -> None:
        self._takes_s = takes_s
        self.jobs: dict[int, CopyJob] = {}

    def add(self, job: CopyJob) -> int:
        """The job's number."""
        number = 53_367 + len(self.jobs)
        self.jobs[number] = job
        return number

    def stage_of(self, job: CopyJob, world: World, holder: Holder) -> tuple[str, str | None, tuple[Output, ...]]:
        """Its status, why it failed, and its files."""
        waited_s = world.clock.monotonic() - job.asked_s
        if waited_s < self._takes_s:
            return ("staging" if waited_s < self._takes_s / 2 else "submitted"), None, ()
        if world.history.too_many(job.user_id):
            return "failed", TOO_MANY, ()
        if job.fails:
            return "failed", "Internal error", ()
        if job.done_on is None:
            job.done_on = world.today()
            job.outputs = tuple(self._outputs(job, world, holder))
        return "done", None, job.outputs

    def _outputs(self, job: CopyJob, world: World, holder: Holder) -> Iterator[Output]:
        for app in world.keys.apps_of(holder):
            people = tuple(world.people_in(app, job.user_id, job.amplitude_id).items())
            months = {
                event["event_time"][:7]
                for amplitude_id, user_id in people
                for event in world.history.of(app, amplitude_id, user_id)
                if job.start <= event["event_time"][:10] <= job.end
            }
            yield from (Output(app, month, people) for month in sorted(months))

    def events_of(self, job: CopyJob, output: Output, world: World) -> Iterator[dict[str, Any]]:
        """What is in the file."""
        for amplitude_id, user_id in output.people:
            for event in world.history.of(output.app, amplitude_id, user_id):
                if event["event_time"].startswith(output.month) and job.start <= event["event_time"][:10] <= job.end:
                    yield event
