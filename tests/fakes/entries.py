"""Made-up requests in every state that the ledger tells apart."""

from dataclasses import replace

from consumer.domain.deadline import FIRST_ESTIMATE_MS
from consumer.domain.entry import JobRef
from consumer.domain.erasure import answered, cancel, dispatch, forget
from consumer.domain.errors import Reason
from consumer.domain.lifecycle import Stage
from consumer.domain.reply import NotFound, Scheduled
from consumer.domain.statement import speak
from tests.fakes.commands import NOW, accepted

BATCH, DAY, LATER_DAY = "a" * 16, "2026-06-28", "2026-07-02"
SHARED_ID = 1610000000001


def said(entry):
    return speak(None, entry, None, NOW, FIRST_ESTIMATE_MS)[0]


def scheduled(name="u-1", amplitude_id=1, day=DAY):
    entry = dispatch(accepted(name), [0], BATCH, NOW)
    return said(answered(entry, BATCH, {0: Scheduled((JobRef(day, amplitude_id),))}))


def lives(number):
    """One request in each state it can be in, the same request id throughout; SHARED_ID is in everybody's jobs."""
    new = accepted(f"u-{number}", f"other-{number}")
    sent = dispatch(new, [0, 1], BATCH, NOW)
    refs = (JobRef(DAY, SHARED_ID), JobRef(LATER_DAY, number), JobRef("2026-08-30", number, revoked=True))
    waiting = answered(sent, BATCH, {0: Scheduled(refs), 1: NotFound()})
    proven = answered(sent, BATCH, {0: Scheduled((JobRef(LATER_DAY, None, BATCH),)), 1: Scheduled((refs[0],))})
    ended = waiting._replace(identities=tuple(replace(i, stage=Stage.DONE) for i in waiting.identities))
    every = {
        "accepted": new,
        "held": new._replace(held=Reason.DAILY_CAP),
        "dispatching": sent,
        "scheduled": waiting,
        "proven by a marker": proven,
        "cancelling": cancel(waiting, "c-2"),
        "at risk": new._replace(at_risk_said=True),
        "breached": waiting._replace(at_risk_said=True, breached_said=True),
        "erased": waiting._replace(erased=NOW),
        "not yet forgotten": ended,
        "closed": forget(ended, NOW + number),
        "closed again": forget(cancel(new, "c-2"), NOW + 1_000 + number),
    }
    return {name: said(entry)._replace(request_id=new.request_id) for name, entry in every.items()}
