"""What the ledger remembers about a copy beside its request: what was asked of Amplitude, and what of it is stored.

An errand is one question about one identity: to the DSAR API of the org, or, without org keys, to the search and
activity of one project. An errand's outputs are numbers: of the files of a DSAR job, or Amplitude IDs; each becomes
one file of the package.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import StrEnum

from consumer.domain.subject import Day, Millis, ProjectId, Secret


class Source(StrEnum):
    """Where a copy comes from."""

    DSAR = "dsar"
    """Amplitude's own copy, over the whole org; needs org keys."""
    ACTIVITY = "user_activity"
    """What each project shows of a person: the events, as far as Amplitude's browser application has them."""


@dataclass(frozen=True, slots=True)
class CopyFile:
    """One file in the store. `output` is the errand's output it holds. `lines`: events in it; `left_out`: events of
    projects that were not asked for, which are not in it. A file without lines is not stored, and has no `name`."""

    output: int
    name: str
    size: int
    sha256: str
    lines: int
    left_out: int = 0


@dataclass(frozen=True, slots=True)
class CopyPage:
    """The page for the person, in the store."""

    name: str
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Errand:
    """One question, and how far it is. `project` is None for the whole org.

    `asked`: when a POST was last written ahead whose answer is not known. `posts`: POSTs whose answer was lost, and
    the one under way. `outputs` is None until they are known. `renewals`: jobs that failed or whose files expired;
    `damaged`: files that were fetched in vain.
    """

    position: int
    project: ProjectId | None = None
    job: int | None = None
    asked: Millis | None = None
    posts: int = 0
    renewals: int = 0
    damaged: int = 0
    outputs: tuple[int, ...] | None = field(default=None, repr=False)
    expires: Day | None = None
    files: tuple[CopyFile, ...] = ()

    @property
    def missing(self) -> tuple[int, ...]:
        """The outputs that are known and not stored."""
        stored = {file.output for file in self.files}
        return tuple(output for output in self.outputs or () if output not in stored)

    @property
    def complete(self) -> bool:
        """Everything that Amplitude gave is stored."""
        return self.outputs is not None and not self.missing

    @property
    def lines(self) -> int:
        """Events stored so far."""
        return sum(file.lines for file in self.files)

    def again(self) -> Errand:
        """To be asked from the start, because what Amplitude made is lost."""
        return replace(self, job=None, asked=None, outputs=None, expires=None, files=(), renewals=self.renewals + 1)


@dataclass(frozen=True, slots=True)
class Package:
    """A delivered package. `manifest` is where its manifest is, `sha256` that file's digest; `lines`: events in it."""

    manifest: str
    sha256: str
    files: int
    lines: int
    size: int
    kept_until: Millis


@dataclass(frozen=True, slots=True)
class Copy:
    """`projects`: those asked for by name; none: the whole org. `source` is None until it was chosen.

    `seal`: of an encrypted copy, the age identity with which the service itself can read what it stored, until it is
    delivered. `page`: the page for the person, once it is stored. `before`: ledger keys of the erasures that wait for
    this copy.
    """

    projects: tuple[ProjectId, ...] = ()
    source: Source | None = None
    start: Day | None = None
    end: Day | None = None
    errands: tuple[Errand, ...] = ()
    seal: Secret | None = None
    page: CopyPage | None = None
    package: Package | None = None
    before: tuple[str, ...] = ()

    def of(self, position: int) -> tuple[Errand, ...]:
        """The errands of one identity."""
        return tuple(errand for errand in self.errands if errand.position == position)
