"""What one answer to the deletion list says about a key pair and its host. Pure but for reading the body.

Source: the answers of Amplitude that peers use for "Test your integration", collected in "8. cheap credential check".
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import aiohttp

from consumer.adapters.amplitude.reply import Reply, Unreadable, WebPage
from consumer.domain.errors import CallFailed, Fault
from consumer.ports import CredentialVerdict


async def verdict_of_body(
    response: aiohttp.ClientResponse, read: Callable[[aiohttp.ClientResponse], Awaitable[Reply]]
) -> CredentialVerdict:
    """Of a 200: a list is valid, a web page means that the URL is that of the browser application."""
    try:
        await read(response)
    except WebPage:
        return CredentialVerdict.WRONG_URL
    except Unreadable:
        return CredentialVerdict.UNKNOWN
    return CredentialVerdict.VALID


def verdict_of(failure: CallFailed) -> CredentialVerdict:
    """Of every other answer. A redirect leads to a login page or to another host: the URL is wrong either way."""
    if failure.fault is Fault.CREDENTIALS:
        return CredentialVerdict.REFUSED
    if failure.fault is Fault.THROTTLED:
        return CredentialVerdict.BUSY
    if failure.status == 404 or 300 <= failure.status < 400:
        return CredentialVerdict.WRONG_URL
    return CredentialVerdict.UNKNOWN
