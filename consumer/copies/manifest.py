"""What a package says of itself: the manifest for programs, and the facts for the page."""

from __future__ import annotations

from typing import Any

import orjson

from consumer.copies.ground import Ground, folder
from consumer.domain.copying import Copy, CopyFile, Source
from consumer.domain.deadline import at
from consumer.domain.entry import RequestEntry
from consumer.domain.lifecycle import Stage
from consumer.domain.subject import Day, Millis
from consumer.package.facts import Facts, FileFact

FORMAT = "amplitude-dsr-copy/1"

_NEVER = {
    Source.DSAR: ("What was said to Amplitude's AI Feedback, and data of the Statsig platform, is not in it.",),
    Source.ACTIVITY: (
        "It was made from what each project shows of a person, because there are no org-level keys.",
        "Projects that the service does not know are not in it.",
        "Events of devices on which the person was never recognised are not in it.",
    ),
}


def files_of(copy: Copy) -> list[tuple[int, CopyFile]]:
    """What is stored, with the errand's index, in the order in which it stands in the manifest."""
    return [
        (index, file)
        for index, errand in enumerate(copy.errands)
        for file in sorted(errand.files, key=lambda file: file.output)
        if file.name
    ]


def manifest(entry: RequestEntry) -> bytes:
    """The manifest: JSON, the same bytes whoever writes it. It names nobody: identities stand there by position."""
    copy = _copy(entry)
    page = copy.page
    files = [
        {"name": _inside(entry, file.name), "size": file.size, "sha256": file.sha256, "events": file.lines}
        | {"identity": copy.errands[index].position, "left_out": file.left_out}
        for index, file in files_of(copy)
    ]
    told: dict[str, Any] = {
        "format": FORMAT,
        "subject_request_id": entry.request_id,
        "subject_request_type": entry.request_type.value,
        "org": entry.org,
        "projects": list(copy.projects) or None,
        "source": copy.source,
        "window": {"start": copy.start, "end": copy.end},
        "submitted_time": at(entry.submitted).isoformat(),
        "encrypted": copy.seal is not None,
        "events": sum(file.lines for _, file in files_of(copy)),
        "page": {"name": _inside(entry, page.name), "size": page.size, "sha256": page.sha256} if page else None,
        "files": files,
        "identities": [_identity(entry, position) for position in range(len(entry.identities))],
        "missing": list(missing(entry)),
    }
    return orjson.dumps(told, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def facts(entry: RequestEntry, ground: Ground, now: Millis) -> Facts:
    """The same for the page, with the projects' names as the settings have them."""
    copy = _copy(entry)
    projects = ground.projects()
    asked = copy.projects or tuple(sorted(projects))
    return Facts(
        request_id=entry.request_id,
        org=entry.org,
        projects=tuple(str(projects[name].app) for name in asked if name in projects and projects[name].app),
        start=copy.start or Day(""),
        end=copy.end or Day(""),
        created=now,
        source="dsar" if copy.source is Source.DSAR else "user_activity",
        files=tuple(
            FileFact(_inside(entry, file.name), file.size, file.sha256, file.lines) for _, file in files_of(copy)
        ),
        missing=missing(entry),
        identities=len(entry.identities),
        encrypted=copy.seal is not None,
    )


def missing(entry: RequestEntry) -> tuple[str, ...]:
    """What is not in the package and why, in plain sentences without anybody's data."""
    copy = _copy(entry)
    said = [f"Events before {copy.start} are not in it.", *_NEVER[copy.source or Source.DSAR]]
    left_out = sum(file.left_out for errand in copy.errands for file in errand.files)
    if left_out:
        whose = "of projects that were not asked for" if copy.source is Source.DSAR else f"from before {copy.start}"
        said.append(f"Events {whose} were left out: {left_out}.")
    said += [
        f"Identifier {identity.position + 1} of the request could not be copied ({identity.reason})."
        for identity in entry.identities
        if identity.stage in {Stage.FAILED, Stage.REFUSED}
    ]
    return tuple(said)


def _identity(entry: RequestEntry, position: int) -> dict[str, Any]:
    identity, errands = entry.identities[position], _copy(entry).of(position)
    lines = sum(errand.lines for errand in errands)
    ended = {"reason": identity.reason} if identity.ended else {}
    return {"position": position, "events": lines} | ended


def _inside(entry: RequestEntry, name: str) -> str:
    return name.removeprefix(f"{folder(entry)}/")


def _copy(entry: RequestEntry) -> Copy:
    assert entry.copy is not None  # only copies come here
    return entry.copy
