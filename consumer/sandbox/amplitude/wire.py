"""How the stand-in's replies look: key order, types and errors as recorded (Amplitude, "User Privacy API")."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson
from aiohttp import web

from consumer.sandbox.amplitude.book import Entry, JobView

LOGIN_PAGE = "<!DOCTYPE html><html><head><title>Amplitude</title></head><body>Log in</body></html>"
JSON = "application/json"
AS_HTML = "text/html"
"""Recorded: lists and revocations are JSON under this type."""


def entry_json(entry: Entry, *, with_user: bool = False) -> dict[str, Any]:
    """One Amplitude ID of a job."""
    data: dict[str, Any] = {
        "amplitude_id": entry.amplitude_id,
        "requested_on_day": entry.requested_on,
        "requester": entry.requester,
    }
    if with_user and entry.user_id is not None:
        data["user_id"] = entry.user_id
    return data


def job_json(job: JobView, *, with_user: bool = False, invalid: Sequence[str | int] = ()) -> dict[str, Any]:
    """One job; its ids come before its day and status."""
    data: dict[str, Any] = {
        "active_scrub_done_date": job.scrubbed_on,
        "amplitude_ids": [entry_json(entry, with_user=with_user) for entry in job.entries],
        "app": job.app,
        "day": job.day,
        "status": job.status,
    }
    if invalid:
        data["invalid_ids"] = list(invalid)
    return data


def nothing_scheduled(app: str) -> str:
    """The bare message of a POST that found nobody."""
    return f"Nothing scheduled due to invalid amplitude/user ids for app {app}"


def reply(payload: object, content_type: str = JSON, status: int = 200) -> web.Response:
    """A JSON body under the given content type."""
    return web.Response(body=orjson.dumps(payload), content_type=content_type, charset="UTF-8", status=status)


def refusal(status: int) -> web.Response:
    """Wrong keys, wrong level or wrong region."""
    body = {"code": status, "message": f"HTTP {status}: Forbidden (Invalid API Key)", "status": "Forbidden"}
    return reply(body, status=status)


def error(status: int, details: str, retry_after: str | None = None) -> web.Response:
    """The REST family of errors."""
    kind, message = ("invalid", "Bad Request") if status == 400 else ("unspecified", "Unspecified Error")
    body = {"error": {"http_code": status, "type": kind, "message": message, "metadata": {"details": details}}}
    response = reply(body, status=status)
    if retry_after is not None:
        response.headers["Retry-After"] = retry_after
    return response


def login_page() -> web.Response:
    """What the browser application answers: 200 and HTML."""
    return web.Response(text=LOGIN_PAGE, content_type="text/html")
