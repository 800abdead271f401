"""`dsr check`: test your integration. Every key pair, against every API it is needed for, by reads only."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import typer

from consumer.adapters.amplitude.client import AmplitudeClient
from consumer.adapters.amplitude.dsar import DsarClient
from consumer.adapters.amplitude.verify import verdict_of
from consumer.adapters.sealing import AgeSealer
from consumer.adapters.store import open_store
from consumer.cli.options import AsJson, File
from consumer.cli.printing import emit, remark, say, show, table
from consumer.copy_ports import Gone, StoreFailed
from consumer.domain.errors import CallFailed, Fatal
from consumer.domain.subject import OrgId, ProjectId
from consumer.ports import CredentialVerdict, Region
from consumer.service import SystemClock
from consumer.settings import OrgSettings, ProjectSettings, Settings, load

USER_PRIVACY = "User Privacy v1"
DSAR = "DSAR"
STORE = "store of copies"

USABLE = frozenset({CredentialVerdict.VALID, CredentialVerdict.BUSY})
MISSING = "key missing"
PROBE = "dsr-check"
OTHER = {Region.US: Region.EU, Region.EU: Region.US}


@dataclass(frozen=True, slots=True)
class Finding:
    """What one key pair (or the store) turned out to be for one API. `project` may be an org's name. `hint` says what
    to do next, if there is something to do."""

    project: str
    region: Region | None
    api: str
    verdict: str
    usable: bool
    hint: str | None


def check(settings: File = None, json: AsJson = False) -> None:
    """Test your integration: every key pair against each API it is needed for, by one read each. Changes nothing
    in Amplitude; where there is a store for copies, a small file is written there
    and deleted.

    \b
    Example:
      dsr check

    \b
    JSON, one a key pair and API:
      {"project","region","api","usable","verdict","hint"}
    Exit codes: 0 all are usable; 1 one is not, or there is no project; 2 usage
      or settings.
    """
    loaded = load(settings)
    findings = asyncio.run(_verify(loaded))
    if json:
        for finding in findings:
            emit(_as_json(finding))
    elif findings:
        _table(findings)
    else:
        say("no projects in the settings")
        remark("add [projects.NAME] with region, api_key_file and secret_key_file to dsr.toml")
    raise typer.Exit(0 if findings and all(finding.usable for finding in findings) else 1)


def _table(findings: list[Finding]) -> None:
    filled = table("project", "region", "API", "verdict")
    for finding in findings:
        colour = "green" if finding.usable else "red"
        filled.add_row(finding.project, finding.region or "-", finding.api, f"[{colour}]{finding.verdict}[/]")
    show(filled)
    for finding in findings:
        if finding.hint:
            remark(f"{finding.project}: {finding.hint}")


async def _verify(settings: Settings) -> list[Finding]:
    async with AmplitudeClient(SystemClock()) as client, DsarClient(client) as dsar:
        found = [await _judge(client, settings, name, project) for name, project in settings.projects.items()]
        found += [await _judge_org(dsar, settings, name, org) for name, org in settings.orgs.items()]
    return found + ([await _judge_store(settings)] if settings.copies.store else [])


async def _judge_org(dsar: DsarClient, settings: Settings, name: str, org: OrgSettings) -> Finding:
    """One look at a job that is nobody's (1 unit of the budget): that it is not there is said to good keys only."""
    access = settings.org_access(OrgId(name))
    if access is None:
        hint = f"orgs.{name}: a key is missing, empty or not readable by this user"
        return Finding(name, org.region, DSAR, MISSING, usable=False, hint=hint)
    try:
        await dsar.job(access, 0, lambda: None)
    except CallFailed as failed:
        verdict = verdict_of(failed)
    except Gone:
        verdict = CredentialVerdict.VALID
    else:
        verdict = CredentialVerdict.VALID
    refused = "Amplitude refuses the pair: these must be the org's own keys, which Amplitude's support issues"
    hints = {CredentialVerdict.REFUSED: f"{refused}; is the region right?"}
    next_one = hints.get(verdict) or next_step(verdict, name, org.region)
    return Finding(name, org.region, DSAR, verdict.value, usable=verdict in USABLE, hint=next_one)


async def _judge_store(settings: Settings) -> Finding:
    """A small file is written, read and deleted."""
    try:
        store = open_store(settings.copies.store or "", settings.copies.store_options)
        AgeSealer(settings.copies.recipients)
        await store.put(PROBE, _probe())
        read = b"".join([chunk async for chunk in store.get(PROBE)])
        await store.remove([PROBE])
    except (StoreFailed, Fatal) as failed:
        hint = failed.detail or "copies.store: a file could not be written, read and deleted there"
        return Finding("copies", None, STORE, "not usable", usable=False, hint=hint)
    usable = read == b"dsr check"
    return Finding("copies", None, STORE, "writable" if usable else "gives other bytes back", usable=usable, hint=None)


async def _probe() -> AsyncIterator[bytes]:
    yield b"dsr check"


async def _judge(client: AmplitudeClient, settings: Settings, name: str, project: ProjectSettings) -> Finding:
    access = settings.access(ProjectId(name))
    if access is None:
        return Finding(name, project.region, USER_PRIVACY, MISSING, usable=False, hint=_missing(name, project))
    verdict = await client.verify(access)
    hint = next_step(verdict, name, project.region)
    return Finding(name, project.region, USER_PRIVACY, verdict.value, usable=verdict in USABLE, hint=hint)


def _missing(name: str, project: ProjectSettings) -> str:
    """Names the settings whose files are missing or empty, never what is in them."""
    kinds = ("api_key", "secret_key")
    lacking = [kind for kind in kinds if not _has(project, kind)]
    named = " and ".join(
        f"projects.{name}.{kind}_file" if getattr(project, f"{kind}_file") else f"projects.{name}.{kind}"
        for kind in lacking
    )
    return f"{named}: missing, empty or not readable by this user"


def _has(project: ProjectSettings, kind: str) -> bool:
    given, file = getattr(project, kind), getattr(project, f"{kind}_file")
    if given is not None:
        return bool(given.get_secret_value())
    try:
        return bool(file.read_text(encoding="utf-8").strip())
    except (OSError, UnicodeDecodeError):
        return False


def next_step(verdict: CredentialVerdict, name: str, region: Region) -> str | None:
    """What to do about a verdict; None when all is well."""
    other = OTHER[region].value
    hints = {
        CredentialVerdict.BUSY: "Amplitude is throttling this project right now; the keys work",
        CredentialVerdict.WRONG_REGION: f'the keys work in the other region: set projects.{name}.region = "{other}"',
        CredentialVerdict.REFUSED: "Amplitude refuses the pair: is it this project's API key with its SECRET key "
        "(Settings > Projects), neither deleted nor of an org?",
        CredentialVerdict.WRONG_URL: f"projects.{name}.base_url is no API host; leave it out to use the region's own",
        CredentialVerdict.UNKNOWN: "no usable answer: is the host reachable from here (proxy, firewall)? Try again",
    }
    return hints.get(verdict)


def _as_json(finding: Finding) -> dict[str, Any]:
    return {
        "project": finding.project,
        "region": finding.region.value if finding.region else None,
        "api": finding.api,
        "usable": finding.usable,
        "verdict": finding.verdict,
        "hint": finding.hint,
    }
