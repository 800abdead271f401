"""How the ledger's values are written, read and glanced at."""

from __future__ import annotations

from collections.abc import Callable

import schemas
from consumer.adapters.avro.codec import Codec
from consumer.adapters.avro.skim import Kept, Unusual, skimmer
from consumer.adapters.wire import entry_out, ledger_in
from consumer.domain.entry import RequestEntry
from consumer.domain.errors import Fatal, Reason
from consumer.domain.glance import Glance, Place, State, glance_at, judged
from consumer.domain.halt import Halt
from consumer.domain.project import ProjectState
from consumer.domain.subject import AmplitudeId, Day, Millis
from consumer.ledger import LedgerCodec

_JOB = {"day": None, "amplitude_id": None, "revoked": None}
_WANTED = {
    "deadline": None,
    "at_risk_said": None,
    "breached_said": None,
    "erased_time": None,
    "closed_time": None,
    "identities": {"stage": None, "jobs": _JOB},
}
_REQUEST = b"\x02"
_FRAMING = 5
_SMALLEST = {"request": None, "project": None, "halt": None}


def ledger_codec(codec: Codec) -> LedgerCodec:
    """The ledger's codec. `Deferred` until the schema's id is known."""
    write = codec.encoder(schemas.LEDGER)

    def decode(value: bytes) -> RequestEntry | ProjectState | Halt:
        return ledger_in(codec.decode(schemas.LEDGER, value))

    def encode(entry: RequestEntry) -> bytes:
        return write(entry_out(entry))

    framing = write(_SMALLEST)[:_FRAMING]
    return LedgerCodec(encode, decode, _glancer(framing, decode))


def _glancer(framing: bytes, decode: Callable[[bytes], object]) -> Callable[[bytes], Glance]:
    """Skims what our newest schema wrote. Another writer's records (in a rolling upgrade) are decoded: much slower."""
    request, *others = schemas.load(schemas.LEDGER)["fields"]
    skim = skimmer(request["type"][1]["fields"], _WANTED)
    begin, end = framing + _REQUEST, b"\0" * len(others)

    def glance(value: bytes) -> Glance:
        if value.startswith(begin):
            try:
                kept, at = skim(value, len(begin))
            except Unusual:
                pass
            else:
                if value[at:] == end:
                    return _glance(kept)
        entry = decode(value)
        if not isinstance(entry, RequestEntry):
            raise Fatal(Reason.UNDECODABLE, "a ledger record is not about a request")
        return glance_at(entry)

    return glance


def _glance(kept: Kept) -> Glance:
    deadline, at_risk_said, breached_said, erased, closed, identities = kept
    jobs = [job for _, jobs in identities for job in jobs]
    stages = tuple([stage for stage, _ in identities])
    state, wait_ms, standing = judged(stages, bool(jobs), erased is not None, at_risk_said, breached_said)
    due = Millis(deadline + wait_ms) if wait_ms is not None else None
    places = () if state is State.ENDED else tuple([_place(job) for job in jobs if not job[2]])
    return Glance(state, due, closed, places, standing)


def _place(job: Kept) -> Place:
    return Place(Day(job[0].decode()), AmplitudeId(job[1]) if job[1] is not None else None)
