"""EXPERIMENTAL: scheduling through Amplitude's User Privacy API v2, behind a setting that says so.

v2 always deletes in every project of the org. Three published editions of its page contradict each other; this follows
the one with paths (`/user-deletions/org/{org}/requests`) and its body of `userIds` and `amplitudeIds`. It carries no
`requester`, so a lost answer can never be reconciled by its marker.

Its replies are not published. They are not guessed here: a reply in v1's shape is used, any other raises
`CallFailed(LOST)`, because it may have been applied and names no job. Until Amplitude settles v2, expect that.
"""

from __future__ import annotations

from urllib.parse import quote

import aiohttp

from consumer.adapters.amplitude import hosts
from consumer.adapters.amplitude.client import MOST_IDS, AmplitudeClient, Request
from consumer.adapters.amplitude.reply import Reply, Unreadable
from consumer.domain.jobs import Job, Revocation, ScheduleCall, ScheduleReply
from consumer.domain.subject import AmplitudeId, Day
from consumer.ports import Access, Gate, Privacy

TEMPLATE = "/user-deletions/org/{org}/requests"


class EitherVersion:
    """Implements `Privacy` by v1, or by v2 for those projects whose settings say so."""

    def __init__(self, v1: AmplitudeClient) -> None:
        self._v1, self._v2 = v1, AmplitudeClientV2(v1)

    async def schedule(self, access: Access, call: ScheduleCall, gate: Gate) -> ScheduleReply:
        """See `Privacy`."""
        return await self._for(access).schedule(access, call, gate)

    async def jobs(self, access: Access, start: Day, end: Day, gate: Gate) -> list[Job]:
        """See `Privacy`."""
        return await self._for(access).jobs(access, start, end, gate)

    async def revoke(self, access: Access, amplitude_id: AmplitudeId, day: Day, gate: Gate) -> Revocation:
        """See `Privacy`."""
        return await self._for(access).revoke(access, amplitude_id, day, gate)

    def _for(self, access: Access) -> Privacy:
        return self._v2 if access.org_wide else self._v1


class AmplitudeClientV2:
    """Implements `Privacy` on a v1 client, which it uses for transport and for `revoke`: v2 offers no revocation."""

    def __init__(self, v1: AmplitudeClient) -> None:
        self._v1 = v1

    async def schedule(self, access: Access, call: ScheduleCall, gate: Gate) -> ScheduleReply:
        """POST, for the whole org. A reply without a job is lost: in v2 it does not mean that nobody was found."""
        if not 0 < len(call) <= MOST_IDS:
            raise ValueError(f"a call carries 1 to {MOST_IDS} ids")
        body = {
            "userIds": [subject.reveal() for subject in call.user_ids],
            "amplitudeIds": [int(amplitude_id) for amplitude_id in call.amplitude_ids],
        }
        request = Request("POST", _url(access), body=body, template=TEMPLATE)
        reply = await self._v1.call(access, request, gate, self._read_scheduled)
        return ScheduleReply(reply.jobs, reply.invalid)

    async def jobs(self, access: Access, start: Day, end: Day, gate: Gate) -> list[Job]:
        """GET of the org's requests; v2 has no window, so it is applied here."""
        request = Request("GET", _url(access), total_s=300.0, template=TEMPLATE)
        reply = await self._v1.call(access, request, gate, self._v1.read_list)
        return [job for job in reply.jobs if start <= job.day <= end]

    async def revoke(self, access: Access, amplitude_id: AmplitudeId, day: Day, gate: Gate) -> Revocation:
        """Through v1, as the page of v2 says."""
        return await self._v1.revoke(access, amplitude_id, day, gate)

    async def _read_scheduled(self, response: aiohttp.ClientResponse) -> Reply:
        reply = await self._v1.read_reply(response)
        if not reply.jobs:
            raise Unreadable
        return reply


def _url(access: Access) -> str:
    return f"{hosts.base_url(access, hosts.PRIVACY_V2)}/user-deletions/org/{quote(access.org, safe='')}/requests"
