"""How one copy moves: each function takes an entry and what happened, and returns the entry after it.

The twin of `erasure`. An errand is named by its index in `Copy.errands`. What comes too late to matter (an answer for
an identity that has ended, or about a job that was given up) leaves the entry as it is.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from consumer.domain.command import Command, Identity
from consumer.domain.copying import Copy, CopyFile, CopyPage, Errand, Package, Source
from consumer.domain.deadline import day_of
from consumer.domain.entry import IdentityState, LedgerKey, RequestEntry
from consumer.domain.errors import Reason
from consumer.domain.lifecycle import Stage
from consumer.domain.subject import CommandId, Day, Millis, OrgId, ProjectId, Secret

MOST_POSTS = 5
"""POSTs in a row whose answer was lost: each may have made a job that nobody can name. A copy that is asked for twice
costs 8 units and harms nobody, so one outage must not fail every copy that met it."""
MOST_RENEWALS = 3
MOST_DAMAGED = 5
LONGEST_MS = 3 * 86_400_000
"""Amplitude makes a copy within three days ("DSAR API")."""


def accept(
    command: Command,
    identities: tuple[Identity, ...],
    org: OrgId,
    projects: tuple[ProjectId, ...],
    now: Millis,
    *,
    traceparent: str | None = None,
) -> RequestEntry:
    """A new run of a copy, of these projects or, without any, of the whole org."""
    if command.request_id is None or command.request_type is None:
        raise ValueError("only a submit or a resubmit starts a run")
    return RequestEntry(
        request_id=command.request_id,
        project=projects[0] if len(projects) == 1 else ProjectId(""),
        org=org,
        request_type=command.request_type,
        regulation=command.regulation,
        requested_by=command.requested_by,
        commands=(command.command_id,),
        body_digest=command.body_digest,
        submitted=command.submitted,
        accepted=now,
        deadline=command.deadline,
        identities=tuple(
            IdentityState(i.position, i.kind, i.value, Stage.REFUSED if i.refused else Stage.ACCEPTED, i.refused)
            for i in identities
        ),
        traceparent=traceparent,
        copy=Copy(projects),
    )


@dataclass(frozen=True, slots=True)
class Start:
    """How a copy begins: where it comes from, the projects that are asked without org keys, the window, the seal."""

    source: Source
    projects: tuple[ProjectId, ...]
    start: Day
    end: Day
    seal: Secret | None = None


def begin(entry: RequestEntry, how: Start, now: Millis) -> RequestEntry:
    """Choose where the copy comes from, once: one errand for each identity, or one for each of these projects too.

    From here on the copy counts as dispatched: something of it may be in the store.
    """
    if entry.copy is None or entry.copy.source is not None:
        return entry
    places = (None,) if how.source is Source.DSAR else how.projects
    live = [i.position for i in entry.identities if not i.ended]
    errands = tuple(Errand(position, project) for position in live for project in places)
    copy = replace(entry.copy, source=how.source, start=how.start, end=how.end, errands=errands, seal=how.seal)
    return entry._replace(copy=copy, dispatched=entry.dispatched or now)


def intend(entry: RequestEntry, index: int, now: Millis) -> RequestEntry:
    """The write ahead of a POST: from here on Amplitude may be making the copy."""
    after = _change(entry, index, lambda e: replace(e, asked=now, posts=e.posts + 1) if e.job is None else e)
    return after._replace(attempt=entry.attempt + 1) if after is not entry else entry


def unsent(entry: RequestEntry, index: int) -> RequestEntry:
    """The POST certainly did not reach Amplitude."""
    return _change(entry, index, lambda e: replace(e, asked=None, posts=e.posts - 1) if e.asked is not None else e)


def lost(entry: RequestEntry, index: int) -> RequestEntry:
    """Nobody knows what came of the POST, and there is no list to look it up in: it may be asked again, so often."""
    after = _change(entry, index, lambda e: replace(e, asked=None))
    errand = _errand(after, index)
    if errand is None or errand.posts < MOST_POSTS:
        return after
    return fail(after, errand.position, Reason.UNKNOWN_JOB)


def requested(entry: RequestEntry, index: int, job: int) -> RequestEntry:
    """Amplitude makes the copy under this number."""
    return _settled(_change(entry, index, lambda e: replace(e, job=job, asked=None, posts=0)))


def ready(entry: RequestEntry, index: int, outputs: tuple[int, ...], expires: Day | None = None) -> RequestEntry:
    """What there is to fetch is known. Files that are stored already stay what they are."""
    return _settled(_change(entry, index, lambda e: replace(e, outputs=outputs, expires=expires)))


def again(entry: RequestEntry, index: int, job: int | None, reason: Reason) -> RequestEntry:
    """The job failed, or what it made has expired: another one, up to a limit. `job` is the one that is meant."""
    errand = _errand(entry, index)
    if errand is None or errand.job != job:
        return entry
    if errand.renewals + 1 >= MOST_RENEWALS:
        return fail(entry, errand.position, reason)
    return _change(entry, index, lambda e: e.again())


def stored(entry: RequestEntry, index: int, file: CopyFile, job: int | None) -> RequestEntry:
    """One output is in the store, or was found to hold nothing. `job` is the one it came from."""

    def keep(errand: Errand) -> Errand:
        if errand.job != job or file.output not in errand.missing:
            return errand
        return replace(errand, files=(*errand.files, file), damaged=0)

    return _change(entry, index, keep)


def dropped(entry: RequestEntry, index: int, output: int) -> RequestEntry:
    """A file that was stored is not in the store any more, or is not what was stored: to be fetched again."""
    return _change(entry, index, lambda e: replace(e, files=tuple(f for f in e.files if f.output != output)))


def damaged(entry: RequestEntry, index: int) -> RequestEntry:
    """A file came, and could not be read to its end."""
    after = _change(entry, index, lambda e: replace(e, damaged=e.damaged + 1))
    errand = _errand(after, index)
    if errand is None or errand.damaged < MOST_DAMAGED:
        return after
    return fail(after, errand.position, Reason.ARCHIVE_DAMAGED)


def fail(entry: RequestEntry, position: int, reason: Reason) -> RequestEntry:
    """Nothing will come of this identity; the others go on. What Amplitude never does is refused, and not failed."""
    stage = Stage.REFUSED if reason is Reason.TOO_MANY_EVENTS else Stage.FAILED
    return _each(entry, lambda i: i.copied(stage, reason) if i.position == position else i)


def complete(entry: RequestEntry) -> bool:
    """Whether everything that there is to fetch is stored, so that the package can be closed."""
    live = [i for i in entry.identities if not i.ended]
    return (
        bool(live)
        and all(i.stage is Stage.READY for i in live)
        and all(e.complete for i in live for e in _copy(entry).of(i.position))
    )


def empty(entry: RequestEntry) -> RequestEntry:
    """A complete copy in which there is nothing at all: Amplitude holds nothing on the person."""
    return _each(entry, lambda i: i.copied(Stage.NOT_FOUND, Reason.NOTHING_HELD))


def paged(entry: RequestEntry, page: CopyPage) -> RequestEntry:
    """The page for the person is stored. Decided once: the manifest of a package follows from what is written here."""
    copy = _copy(entry)
    return entry if copy.page is not None else entry._replace(copy=replace(copy, page=page))


def delivered(entry: RequestEntry, package: Package, now: Millis) -> RequestEntry:
    """The package is closed. Identities of which nothing is held say so; nobody is named any more."""
    copy = _copy(entry)
    if not complete(entry):
        return entry

    def end(identity: IdentityState) -> IdentityState:
        if sum(errand.lines for errand in copy.of(identity.position)) == 0:
            return identity.copied(Stage.NOT_FOUND, Reason.NOTHING_HELD)
        return identity.copied(Stage.DELIVERED, None if copy.source is Source.DSAR else Reason.WITHOUT_ORG_KEYS)

    after = _each(entry, end)._replace(erased=now)
    return forget(after._replace(copy=replace(copy, package=package)))


def expired(entry: RequestEntry) -> RequestEntry:
    """The package's time is over."""
    return _each(entry, lambda i: i.copied(Stage.EXPIRED, i.reason))


def cancel(entry: RequestEntry, command: CommandId) -> RequestEntry:
    """A cancel command, at intake. What may have left something in the store is cancelled once that is gone."""
    stage = Stage.CANCELLED if entry.dispatched is None else Stage.CANCELLING
    asked = entry._replace(cancel_command=command, commands=(*entry.commands, command))
    return _each(asked, lambda i: i.copied(stage))


def cleared(entry: RequestEntry) -> RequestEntry:
    """Nothing is left in the store of a copy that is being cancelled."""
    return _each(entry, lambda i: i.copied(Stage.CANCELLED))


def forget(entry: RequestEntry) -> RequestEntry:
    """A copy without anything that could tell who it was; the package's place stays."""
    copy = replace(_copy(entry), errands=(), seal=None, page=None, before=())
    return _each(entry._replace(copy=copy), lambda i: replace(i, value=None))


def wanted(entry: RequestEntry) -> bool:
    """Whether it is a copy that still needs what Amplitude holds."""
    return entry.copy is not None and not entry.ended and entry.copy.package is None and entry.cancel_command is None


def window(now: Millis, months: int) -> tuple[Day, Day]:
    """From the first day of the month that lies so many months back, to today."""
    today = day_of(now)
    month = int(today[:4]) * 12 + int(today[5:7]) - 1 - months
    return Day(f"{month // 12:04}-{month % 12 + 1:02}-01"), today


Whose = tuple[str, str, str]


def whose(org: OrgId, identity: IdentityState | Identity) -> Whose | None:
    """What an erasure and a copy of the same person have in common; None for an identity that was forgotten."""
    return (org, identity.kind.value, identity.value.reveal()) if identity.value else None


def covers(entry: RequestEntry, project: ProjectId) -> bool:
    """Whether an erasure in the project would take something away from this copy."""
    return wanted(entry) and (not _copy(entry).projects or project in _copy(entry).projects)


def holding_up(entry: RequestEntry, erasure: LedgerKey) -> RequestEntry:
    """The erasure waits for this copy."""
    copy = _copy(entry)
    return entry._replace(copy=replace(copy, before=(*copy.before, erasure)))


def expected_delivery(entry: RequestEntry, now: Millis) -> Millis:
    """When the copy is (or was) delivered: three days after acceptance, and never in the past."""
    return entry.erased if entry.erased is not None else max(now, Millis(entry.accepted + LONGEST_MS))


def _copy(entry: RequestEntry) -> Copy:
    if entry.copy is None:
        raise ValueError("not a copy")
    return entry.copy


def _errand(entry: RequestEntry, index: int) -> Errand | None:
    errands = _copy(entry).errands
    return errands[index] if index < len(errands) else None


def _change(entry: RequestEntry, index: int, change: Callable[[Errand], Errand]) -> RequestEntry:
    """One errand changed, unless its identity has ended or is being cancelled."""
    errand = _errand(entry, index)
    if errand is None:
        return entry
    identity = entry.identities[errand.position]
    if identity.ended or identity.stage is Stage.CANCELLING or (after := change(errand)) == errand:
        return entry
    errands = list(_copy(entry).errands)
    errands[index] = after
    return entry._replace(copy=replace(_copy(entry), errands=tuple(errands)))


def _settled(entry: RequestEntry) -> RequestEntry:
    """Each identity in the stage that its errands have reached."""
    copy = _copy(entry)

    def settle(identity: IdentityState) -> IdentityState:
        errands = copy.of(identity.position)
        if errands and all(errand.outputs is not None for errand in errands):
            return identity.copied(Stage.READY)
        asked = all(errand.job is not None or errand.outputs is not None for errand in errands)
        return identity.copied(Stage.REQUESTED) if errands and asked else identity

    return _each(entry, settle)


def _each(entry: RequestEntry, change: Callable[[IdentityState], IdentityState]) -> RequestEntry:
    return entry._replace(identities=tuple(change(identity) for identity in entry.identities))
