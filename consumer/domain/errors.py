"""Every error the service raises on purpose, sorted by what the caller must do.

    DsrError
    ├── Poison      dead-letter the record; nothing in it can be answered
    ├── Refused     publish the refusal; the command was understood and will not be done
    ├── Deferred    wait, then try again (with the server's hint, if it gave one)
    │   ├── CallFailed   one call to Amplitude did not give a usable answer
    │   └── LeaseLost    this member may no longer be the owner; nothing was sent
    └── Fatal       stop, become unready, exit non-zero

Anything else is a bug and crashes the process uncommitted. A `Reason` is the metric label, the dead-letter header,
the outcome field and the row in the catalogue of docs/consuming.md. Texts of other people's exceptions are never
forwarded: they can quote an identifier.
"""

from __future__ import annotations

from enum import StrEnum


class Reason(StrEnum):
    """Why something did not simply go on. The value is public: it stands in outcomes, headers and metrics."""

    # dead letters
    UNDECODABLE = "undecodable"
    UNKNOWN_SCHEMA = "unknown_schema"
    TRAILING_BYTES = "trailing_bytes"
    EMPTY_RECORD = "empty_record"
    ROUTING_LOOP = "routing_loop"
    # refusals
    UNKNOWN_PROJECT = "unknown_project"
    UNKNOWN_REQUEST = "unknown_request"
    MISSING_FIELD = "missing_field"
    INVALID_REQUEST_ID = "invalid_request_id"
    NO_IDENTITIES = "no_identities"
    EMPTY_IDENTITY = "empty_identity"
    UNSUPPORTED_IDENTITY = "unsupported_identity"
    EMAIL_IS_NOT_USER_ID = "email_is_not_user_id"
    INVALID_AMPLITUDE_ID = "invalid_amplitude_id"
    TOO_MANY_IDENTITIES = "too_many_identities"
    UNSUPPORTED_REQUEST_TYPE = "unsupported_request_type"
    SUBMITTED_TIME_MISSING = "submitted_time_missing"
    SUBMITTED_TIME_IN_FUTURE = "submitted_time_in_future"
    EXPIRED_COMMAND = "expired_command"
    CONTRADICTORY_COMMAND = "contradictory_command"
    CONFLICTING_DUPLICATE = "conflicting_duplicate"
    INVALID_WINDOW = "invalid_window"
    INVALID_SAMPLE = "invalid_sample"
    UNKNOWN_DISCOVERY = "unknown_discovery"
    ALREADY_ENDED = "already_ended"
    STILL_OPEN = "still_open"
    COPIES_NOT_CONFIGURED = "copies_not_configured"
    APP_ID_MISSING = "app_id_missing"
    TOO_MANY_EVENTS = "too_many_events"
    # waiting
    DAILY_CAP = "daily_cap"
    HOLD_PERIOD = "hold_period"
    PAUSED = "paused"
    CREDENTIALS_REFUSED = "credentials_refused"
    CREDENTIALS_MISSING = "credentials_missing"
    PROJECT_REMOVED = "project_removed"
    THROTTLED = "throttled"
    UNAVAILABLE = "unavailable"
    COPY_FIRST = "copy_first"
    STORE_UNAVAILABLE = "store_unavailable"
    # ends and their colour
    NOTHING_HELD = "nothing_held"
    FROZEN = "frozen"
    SHARED_WITH_OTHER_REQUEST = "shared_with_other_request"
    BATCH_EVIDENCE = "batch_evidence"
    NOT_ATTRIBUTABLE = "not_attributable"
    REVOKED_ELSEWHERE = "revoked_elsewhere"
    JOB_DISAPPEARED = "job_disappeared"
    REJECTED_BY_AMPLITUDE = "rejected_by_amplitude"
    WITHOUT_ORG_KEYS = "without_org_keys"
    UNKNOWN_JOB = "unknown_job"
    COPY_FAILED = "copy_failed"
    RESULTS_EXPIRED = "results_expired"
    # windows of a discovery that could not be scanned
    WINDOW_TOO_LARGE = "window_too_large"
    ARCHIVE_DAMAGED = "archive_damaged"
    NOT_AN_ARCHIVE = "not_an_archive"
    RULES_DIFFER = "rules_differ"
    FINGERPRINT_KEY_CHANGED = "fingerprint_key_changed"
    SCANNER_FAILED = "scanner_failed"
    # the service itself
    TOO_MANY_DEAD_LETTERS = "too_many_dead_letters"
    REGISTRY_UNAVAILABLE = "registry_unavailable"
    BACKLOG_FULL = "backlog_full"
    PARTITIONS_DIFFER = "partitions_differ"
    TOPIC_MISSING = "topic_missing"
    FENCED = "fenced"
    BROKER_UNREACHABLE = "broker_unreachable"
    INVALID_SETTINGS = "invalid_settings"
    LEASE_LOST = "lease_lost"
    RETENTION_TOO_SHORT = "retention_too_short"
    DEDUPE_TOO_SHORT = "dedupe_too_short"
    LEDGER_IN_USE = "ledger_in_use"


class DsrError(Exception):
    """Carries one `Reason`; `detail` is our own text and never quotes input or another library's message."""

    def __init__(self, reason: Reason, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}" if detail else str(reason))
        self.reason = reason
        self.detail = detail


class Poison(DsrError):
    """The record cannot be understood. It goes to the dead-letter topic, bytes unchanged."""


class Refused(DsrError):
    """The command was understood and will not be done. An outcome says so."""


class Deferred(DsrError):
    """Not now. `retry_after_s` is the server's own hint in seconds, if it gave one."""

    def __init__(self, reason: Reason, detail: str = "", retry_after_s: float | None = None) -> None:
        super().__init__(reason, detail)
        self.retry_after_s = retry_after_s


class Fault(StrEnum):
    """What is known about a failed call, which is what decides whether it may be repeated."""

    CREDENTIALS = "credentials"  # 401/403: certainly not applied
    THROTTLED = "throttled"  # 429: certainly not applied
    UNREACHABLE = "unreachable"  # no connection was made: certainly not applied
    REJECTED = "rejected"  # 400 and other 4xx: understood and not applied
    LOST = "lost"  # sent, no usable answer (time-out, reset, 5xx, garbled 200): may or may not be applied


class CallFailed(Deferred):
    """One call to Amplitude gave no usable answer. `status` is the HTTP status, 0 without one."""

    def __init__(self, fault: Fault, reason: Reason, status: int = 0, retry_after_s: float | None = None) -> None:
        super().__init__(reason, f"{fault} (HTTP {status})" if status else str(fault), retry_after_s)
        self.fault = fault
        self.status = status


class LeaseLost(Deferred):
    """Raised by a send gate: the call was not sent, because ownership is no longer certain."""

    def __init__(self) -> None:
        super().__init__(Reason.LEASE_LOST)


class Fatal(DsrError):
    """The process must stop: a supervisor's restart, or a person, is the cure."""
