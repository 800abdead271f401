"""Made-up commands, as the codec hands them over."""

from typing import Any
from uuid import uuid4

from consumer.domain.command import ProjectRule, judge, parse
from consumer.domain.erasure import accept

NOW = 1_781_610_000_000
RULE = ProjectRule("shop", "acme")


def fields(*user_ids: str, **changed: Any) -> dict[str, Any]:
    """A decoded `DsrCommand` that submits an erasure for the user ids."""
    record = {
        "command_id": str(uuid4()),
        "command": "submit",
        "subject_request_id": str(uuid4()),
        "subject_request_type": "erasure",
        "regulation": "gdpr",
        "submitted_time": NOW - 3_600_000,
        "deadline": None,
        "org": None,
        "project": "shop",
        "scope": "project",
        "subject_identities": [identity(u) for u in user_ids],
        "requested_by": "privacy-desk",
        "issued_time": NOW,
        "expires_time": None,
        "api_version": "2.0",
        "projects": [],
    }
    return record | changed


def identity(value: str, kind: str = "controller_customer_id", form: str = "raw") -> dict[str, str]:
    """One OpenDSR identity."""
    return {"identity_type": kind, "identity_value": value, "identity_format": form}


def accepted(*user_ids: str, rule: ProjectRule = RULE, over_cap: bool = False, **changed: Any):
    """The ledger entry of such a command, just accepted."""
    command = parse(fields(*user_ids, **changed), NOW)
    return accept(command, judge(command.identities, rule), rule, NOW, over_cap=over_cap)
