"""`dsr sandbox`: a stand-in for Amplitude, and if you like a broker, to try things and to write tests against."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from consumer.cli.embedded import TOPICS
from consumer.cli.options import AsJson, now
from consumer.cli.printing import DIM, emit, remark, say
from consumer.domain.subject import Millis
from consumer.ports import Clock, Region
from consumer.sandbox.amplitude.history import app_number
from consumer.sandbox.amplitude.keys import Holder, Level
from consumer.sandbox.amplitude.knobs import Knobs
from consumer.sandbox.amplitude.server import PocketAmplitude
from consumer.sandbox.amplitude.shelf import MadeUp
from consumer.sandbox.broker import EmbeddedBroker
from consumer.sandbox.clock import ManualClock, ScaledClock
from consumer.settings import KafkaSettings

PARTITIONS = 3
DEFAULT_APP = "829000"
NAMED = {DEFAULT_APP: ("shop", "acme")}
"""Projects and orgs as the documentation's examples call them; others are called what Amplitude calls them."""
FORGETFUL = (
    "this broker keeps no offsets: a restart of `dsr run` reads every command again (answered as duplicates), and "
    "`dlq redrive` repeats itself"
)


def sandbox(
    kafka: Annotated[bool, typer.Option("--kafka", help="Also a broker in this process, with our topics.")] = False,
    project: Annotated[
        list[str] | None,
        typer.Option(metavar="APP[:KEY:SECRET[:REGION[:ORG]]]", help="Repeatable; keys are made by rule if left out."),
    ] = None,
    host: Annotated[str, typer.Option(help="Where to listen.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="As the US host; 0: any free one.")] = 0,
    eu_port: Annotated[int, typer.Option(help="As the EU host; 0: any free one.")] = 0,
    speed: Annotated[
        float, typer.Option(min=0.0, help="Calendar seconds per real second; 86400: a day a second.")
    ] = 1.0,
    manual: Annotated[bool, typer.Option("--manual", help="The calendar moves only by POST /fake/clock.")] = False,
    start_ms: Annotated[int | None, typer.Option(help="Calendar time at the start; default: now.")] = None,
    origin_s: Annotated[float | None, typer.Option(help="Unix time at which the calendar stood at --start-ms.")] = None,
    lead_days: Annotated[int, typer.Option(min=0, help="Days from a request to its job's day.")] = 12,
    gate_s: Annotated[float, typer.Option(min=0.0, help="Least time between two calls; 0: no limit.")] = 0.95,
    events_per_hour: Annotated[
        int, typer.Option(min=0, help="Made-up events in each hour of the exports; every tenth hour is empty.")
    ] = 200,
    json: AsJson = False,
) -> None:
    """A stand-in for Amplitude's deletion, copy and export APIs, with their rules and limits, until Ctrl-C.

    Everybody exists there; user ids that begin with `ghost-` do not. Copies go to
    the folder dsr-copies. Exports hold made-up events with e-mail addresses,
    IBANs and card numbers in them.
    `/fake/*` seeds people, injects faults, moves the calendar and shows counters.
    The made-up keys are printed: they open nothing else. With --kafka the topics
    are there already, and `dsr topics` cannot look at them. App 829000, which
    is there if none is named, is called `shop` in the settings.

    \b
    Examples:
      dsr sandbox --kafka > dsr.toml      # then, in another terminal: dsr run
      dsr sandbox --speed 86400 --project 829000 --project 829001:::eu

    \b
    Prints settings for dsr.toml. JSON, once: {"us","eu","bootstrap",
      "projects":[{"app","region","org","api_key","secret_key"}],
      "orgs":(as those)}
    Exit codes: 0 ended by you; 2 usage or settings.
    """
    holders = [_holder(text) for text in project or [DEFAULT_APP]]
    orgs = {holder.org: holder.region for holder, _ in reversed(holders)}  # an org is in one region: its first's
    start = Millis(start_ms) if start_ms is not None else now()
    clock: Clock = ManualClock(start) if manual else ScaledClock(start, speed, origin_s=origin_s)
    pocket = PocketAmplitude(clock, Knobs(lead_days=lead_days, gate_s=gate_s))
    keyed = [(holder, pocket.world.keys.add(holder, pair)) for holder, pair in holders]
    org_holders = [Holder(region, Level.ORG, org, None) for org, region in orgs.items()]
    keyed += [(holder, pocket.world.keys.add(holder)) for holder in org_holders]
    for holder, _ in holders:
        pocket.world.shelf.make_up(str(holder.app), MadeUp(events_per_hour, empty_every=10))
    with _broker(kafka) as bootstrap:
        asyncio.run(_serve(pocket, (host, port, eu_port), keyed, bootstrap, json=json))


def _holder(text: str) -> tuple[Holder, tuple[str, str] | None]:
    app, key, secret, region, org = (text.split(":") + [""] * 5)[:5]
    try:
        holder = Holder(Region(region or "us"), Level.PROJECT, org or "36001", app)
    except ValueError:
        raise typer.BadParameter("the region is us or eu") from None
    return holder, ((key, secret) if key and secret else None)


@contextmanager
def _broker(wanted: bool) -> Iterator[str | None]:
    if not wanted:
        yield None
        return
    names = KafkaSettings()
    topics = dict.fromkeys((getattr(names, name) for name in TOPICS), PARTITIONS) | {names.dead_letters: 1}
    with EmbeddedBroker(topics) as broker:
        yield broker.bootstrap


async def _serve(
    pocket: PocketAmplitude,
    address: tuple[str, int, int],
    keyed: list[tuple[Holder, tuple[str, str]]],
    bootstrap: str | None,
    *,
    json: bool,
) -> None:
    stopped = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    try:
        await pocket.start(*address)
    except OSError:
        raise typer.BadParameter("that host and port cannot be listened on: is the port in use already?") from None
    if json:
        emit(_as_json(pocket, keyed, bootstrap))
    else:
        say(_snippet(pocket, keyed, bootstrap))
    if bootstrap is not None:
        remark(FORGETFUL)
    remark("the sandbox is open; Ctrl-C closes it, and all is forgotten", DIM)
    await stopped.wait()
    await pocket.stop()


def _as_json(
    pocket: PocketAmplitude, keyed: list[tuple[Holder, tuple[str, str]]], bootstrap: str | None
) -> dict[str, Any]:
    told = [
        {"app": holder.app, "region": holder.region.value, "org": holder.org, "api_key": pair[0], "secret_key": pair[1]}
        for holder, pair in keyed
    ]
    hosts = {"us": pocket.url_of(Region.US), "eu": pocket.url_of(Region.EU)}
    projects, orgs = ([each for each in told if (each["app"] is None) is org] for org in (False, True))
    return {**hosts, "bootstrap": bootstrap, "projects": projects, "orgs": orgs}


def _snippet(pocket: PocketAmplitude, keyed: list[tuple[Holder, tuple[str, str]]], bootstrap: str | None) -> str:
    """Settings that go with it."""
    lines = ["# made-up keys of a sandbox: they open nothing else", "linger_s = 1"]
    if bootstrap is not None:
        lines += ["", "[kafka]", f'bootstrap_servers = "{bootstrap}"', f"partitions = {PARTITIONS}"]
        lines += ["verify_topics = false  # this broker cannot describe them", f"# {FORGETFUL}"]
    lines += ["", "[discovery]", 'fingerprint_key = "made-up key of a sandbox"']
    lines += ["", "[copies]", f'store = "{(Path.cwd() / "dsr-copies").as_uri()}"', "poll_minutes = 0.05"]
    orgs = {holder.org: NAMED.get(str(holder.app), ("", holder.org))[1] for holder, _ in keyed if holder.app}
    for holder, (api_key, secret_key) in keyed:
        name, org = NAMED.get(str(holder.app), (str(holder.app), holder.org))
        of_project = [f'[projects."{name}"]', f'org = "{org}"', f"app_id = {app_number(str(holder.app))}"]
        lines += [
            "",
            *(of_project if holder.app else [f'[orgs."{orgs[holder.org]}"]']),
            f'region = "{holder.region.value}"',
            f'base_url = "{pocket.url_of(holder.region)}"',
            f'api_key = "{api_key}"',
            f'secret_key = "{secret_key}"',
        ]
    return "\n".join(lines)
