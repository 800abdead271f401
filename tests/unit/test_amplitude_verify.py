"""Testing a key pair: one GET, repeated on the other region's host when it is refused."""

from __future__ import annotations

import asyncio

import pytest

from consumer.adapters.amplitude import AmplitudeClient, Timeouts, hosts
from consumer.domain.subject import Millis
from consumer.ports import Access, CredentialVerdict, Region
from consumer.sandbox.amplitude import Fault, Kind, Knobs, PocketAmplitude
from consumer.sandbox.clock import ManualClock
from tests.fakes.amplitude import RawServer, access, always, answer

CLOCK = ManualClock(Millis(1_781_611_200_000))
TODAY = "2026-06-16"


@pytest.mark.parametrize(
    ("response", "verdict"),
    [
        (answer(), CredentialVerdict.VALID),
        (answer(401), CredentialVerdict.REFUSED),
        (answer(403), CredentialVerdict.REFUSED),
        (answer(429), CredentialVerdict.BUSY),
        (answer(404), CredentialVerdict.WRONG_URL),
        (answer(302, Location="/login"), CredentialVerdict.WRONG_URL),
        (answer(body=b"\n<!DOCTYPE html>"), CredentialVerdict.WRONG_URL),
        (answer(body=b'"a message"'), CredentialVerdict.UNKNOWN),
        (answer(body=b"garbled"), CredentialVerdict.UNKNOWN),
        (answer(400), CredentialVerdict.UNKNOWN),
        (answer(500), CredentialVerdict.UNKNOWN),
        (b"", CredentialVerdict.UNKNOWN),
    ],
)
async def test_every_answer_has_a_verdict(response: bytes, verdict: CredentialVerdict) -> None:
    """Only a list of jobs proves a key pair; verify never raises."""

    async def script(server: RawServer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await server.request(reader)
        writer.write(response)

    async with RawServer(script) as server, AmplitudeClient(CLOCK) as client:
        assert await client.verify(access(server.base_url)) is verdict
        assert [request.split(b"\r\n")[0].decode() for request in server.requests] == [
            f"GET /api/2/deletions/users?start_day={TODAY}&end_day={TODAY} HTTP/1.1"
        ]


async def test_a_host_that_does_not_answer_leaves_it_unknown() -> None:
    """No connection and no answer in time say nothing about the keys."""

    async def silent(server: RawServer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    async with RawServer(silent) as server, AmplitudeClient(CLOCK, timeouts=Timeouts(list_s=0.2)) as client:
        assert await client.verify(access(server.base_url)) is CredentialVerdict.UNKNOWN
    async with AmplitudeClient(CLOCK) as client:
        assert await client.verify(access(server.base_url)) is CredentialVerdict.UNKNOWN


@pytest.mark.parametrize("region", Region)
async def test_keys_of_the_other_region_are_recognised(region: Region) -> None:
    """A region mix-up looks like wrong keys; the same GET on the other host tells them apart."""
    async with PocketAmplitude(CLOCK, Knobs(gate_s=0)) as pocket:
        right = pocket.access("829000", region=region)
        wrong = Access(right.project, right.org, hosts.OTHER[region], right.keys, pocket.url_of(hosts.OTHER[region]))
        async with AmplitudeClient(CLOCK, other_region_url=pocket.url_of(region)) as client:
            assert await client.verify(right) is CredentialVerdict.VALID
            assert await client.verify(wrong) is CredentialVerdict.WRONG_REGION
            assert pocket.seen("829000").requests == {"GET": 2}
            pocket.misbehave(Fault(Kind.STATUS, status=500))
            assert await client.verify(wrong) is CredentialVerdict.REFUSED


async def test_keys_refused_in_both_regions_are_refused() -> None:
    """Then the key is wrong, not the region."""
    async with RawServer(always(answer(403))) as here, RawServer(always(answer(401))) as there:
        async with AmplitudeClient(CLOCK, other_region_url=there.base_url) as client:
            assert await client.verify(access(here.base_url)) is CredentialVerdict.REFUSED
        assert (len(here.requests), len(there.requests)) == (1, 1)


async def test_only_a_refusal_is_tried_elsewhere() -> None:
    """Keys are not shown to another host without need."""
    async with RawServer(always(answer(429))) as here, RawServer(always(answer())) as there:
        async with AmplitudeClient(CLOCK, other_region_url=there.base_url) as client:
            assert await client.verify(access(here.base_url)) is CredentialVerdict.BUSY
        assert there.requests == []


def test_the_hosts_are_those_of_the_documentation() -> None:
    """An override replaces the region's host and has no other region."""
    assert hosts.base_url(access(region=Region.US)) == "https://amplitude.com"
    assert hosts.base_url(access(region=Region.EU)) == "https://analytics.eu.amplitude.com"
    assert hosts.base_url(access("http://127.0.0.1:1/")) == "http://127.0.0.1:1"
    assert hosts.other_base_url(access(region=Region.EU)) == "https://amplitude.com"
    assert hosts.other_base_url(access(region=Region.US)) == "https://analytics.eu.amplitude.com"
    assert hosts.other_base_url(access("http://127.0.0.1:1")) is None
