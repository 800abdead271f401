"""What an HTTP status means for the call that got it. Pure tables, shared by every API of Amplitude.

401 and 403 both mean refused keys (documentation and live checks differ). Everything that leaves it open whether the
server acted is `LOST`: 5xx, and also redirects and 408, which come from something in front of Amplitude.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from consumer.domain.errors import CallFailed, Fault, Reason

LONGEST_HINT_S = 86_400.0
"""A longer Retry-After is cut to a day: a mistaken header must not park a project."""

FAULTS: dict[int, tuple[Fault, Reason]] = {
    401: (Fault.CREDENTIALS, Reason.CREDENTIALS_REFUSED),
    403: (Fault.CREDENTIALS, Reason.CREDENTIALS_REFUSED),
    408: (Fault.LOST, Reason.UNAVAILABLE),
    429: (Fault.THROTTLED, Reason.THROTTLED),
}
OTHER_4XX = (Fault.REJECTED, Reason.REJECTED_BY_AMPLITUDE)
ANYTHING_ELSE = (Fault.LOST, Reason.UNAVAILABLE)


def failure(status: int, headers: Mapping[str, str]) -> CallFailed | None:
    """The typed failure for a status, or None for 200, the only success this API documents."""
    if status == 200:
        return None
    default = OTHER_4XX if 400 <= status < 500 else ANYTHING_ELSE
    fault, reason = FAULTS.get(status, default)
    return CallFailed(fault, reason, status, retry_after_s(headers))


def retry_after_s(headers: Mapping[str, str]) -> float | None:
    """Seconds to wait, from `Retry-After` as seconds or as a date; None if absent or meaningless.

    A date is compared with the reply's own `Date`, so that a wrong clock here does not matter.
    """
    value = headers.get("Retry-After", "").strip()
    try:
        wait_s = float(value) if value[:1].isdigit() else (_instant(value) - _sent(headers)).total_seconds()
    except (ValueError, OverflowError):
        return None
    return min(max(wait_s, 0.0), LONGEST_HINT_S) if math.isfinite(wait_s) else None


def _sent(headers: Mapping[str, str]) -> datetime:
    return _instant(headers["Date"]) if "Date" in headers else datetime.now(UTC)


def _instant(value: str) -> datetime:
    instant = parsedate_to_datetime(value)
    return instant if instant.tzinfo else instant.replace(tzinfo=UTC)
