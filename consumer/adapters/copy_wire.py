"""Between a copy's state and its record in the ledger. No decisions: one field beside the other."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from consumer.domain.copying import Copy, CopyFile, CopyPage, Errand, Package, Source
from consumer.domain.subject import Secret

Record = dict[str, Any]


def copy_out(copy: Copy) -> Record:
    """The `CopyState` record."""
    return {
        "projects": list(copy.projects),
        "source": copy.source,
        "start": copy.start,
        "end": copy.end,
        "errands": [_errand_out(errand) for errand in copy.errands],
        "seal": copy.seal.reveal() if copy.seal is not None else None,
        "page": asdict(copy.page) if copy.page else None,
        "package": asdict(copy.package) if copy.package else None,
        "before": list(copy.before),
    }


def copy_in(record: Record) -> Copy:
    """The copy of a `CopyState` record."""
    return Copy(
        projects=tuple(record["projects"]),
        source=Source(record["source"]) if record["source"] is not None else None,
        start=record["start"],
        end=record["end"],
        errands=tuple(_errand_in(errand) for errand in record["errands"]),
        seal=Secret(record["seal"]) if record["seal"] is not None else None,
        page=CopyPage(**record["page"]) if record["page"] else None,
        package=Package(**record["package"]) if record["package"] else None,
        before=tuple(record["before"]),
    )


def _errand_out(errand: Errand) -> Record:
    return {
        "position": errand.position,
        "project": errand.project,
        "job": errand.job,
        "asked_time": errand.asked,
        "posts": errand.posts,
        "renewals": errand.renewals,
        "damaged": errand.damaged,
        "outputs": list(errand.outputs) if errand.outputs is not None else None,
        "expires": errand.expires,
        "files": [asdict(file) for file in errand.files],
    }


def _errand_in(record: Record) -> Errand:
    outputs = record["outputs"]
    return Errand(
        position=record["position"],
        project=record["project"],
        job=record["job"],
        asked=record["asked_time"],
        posts=record["posts"],
        renewals=record["renewals"],
        damaged=record["damaged"],
        outputs=tuple(outputs) if outputs is not None else None,
        expires=record["expires"],
        files=tuple(CopyFile(**file) for file in record["files"]),
    )
