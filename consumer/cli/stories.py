"""One outcome as a line for people, and as a JSON object for programs."""

from __future__ import annotations

from typing import Any

from consumer.cli.printing import iso, out, say, slack
from consumer.cli.sending import outcome_of
from consumer.domain.lifecycle import ENDS

__all__ = ["as_json", "line", "outcome_of", "style_of", "subject_of", "tell", "word"]

_TIMES = ("submitted_time", "deadline", "expected_completion_time", "occurred_time")
_WELL = frozenset({"done", "not_found", "cancelled", "erased", "delivered", "expired"})


def as_json(outcome: dict[str, Any]) -> dict[str, Any]:
    """The `DsrOutcome` with its times in ISO 8601. It names identities by position only."""
    return outcome | {name: iso(outcome[name]) for name in _TIMES}


def subject_of(outcome: dict[str, Any]) -> str | None:
    """The request it is about."""
    request: str | None = outcome["subject_request_id"]
    return request


def word(outcome: dict[str, Any]) -> str:
    """What it says: `scheduled`, `held(daily_cap)`, `at_risk`, or of a command `answer: refused(already_ended)`."""
    said = str(outcome["notice"] or outcome["stage"])
    if outcome["duplicate_of"]:
        return f"answer: duplicate, {said}"
    told = f"{said}({outcome['reason']})" if outcome["reason"] else said
    return f"answer: {told}" if outcome["kind"] == "reply" else told


def line(outcome: dict[str, Any]) -> str:
    """One line: when, which request, where, what, and how much room is left."""
    room = outcome["slack_seconds"]
    left = f"  {slack(room)}" if room is not None and outcome["kind"] != "reply" else ""
    place = outcome["project"] or outcome["org"] or "-"
    day = f" on {outcome['scheduled_day']}" if outcome["stage"] == "scheduled" and outcome["scheduled_day"] else ""
    if outcome["stage"] == "delivered" and outcome["results_url"] and outcome["kind"] == "stage":
        day = f": {outcome['results_count']:,} events, {outcome['results_url']}"
    request = outcome["subject_request_id"] or "(the whole project)".ljust(36)
    return f"{iso(outcome['occurred_time'])}  {request}  {place:<12}  {word(outcome)}{day}{left}"


def tell(outcome: dict[str, Any]) -> None:
    """Print it for people: ends in colour."""
    say(line(outcome), style_of(outcome) if out.is_terminal else None)


def style_of(outcome: dict[str, Any]) -> str | None:
    """Green for what ended well, red for what did not, yellow for what wants a look."""
    if outcome["notice"] or outcome["stage"] == "held":
        return "yellow"
    if outcome["stage"] in _WELL:
        return "green"
    return "red" if outcome["stage"] in ENDS else None
