"""`python -m consumer.sandbox.amplitude`: the stand-in as a process. Prints its US base URL, then its EU one."""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
import time

from consumer.domain.subject import Millis
from consumer.ports import Clock, Region
from consumer.sandbox.amplitude.keys import Holder, Level
from consumer.sandbox.amplitude.knobs import Knobs
from consumer.sandbox.amplitude.server import PocketAmplitude
from consumer.sandbox.amplitude.shelf import MadeUp
from consumer.sandbox.clock import ManualClock, ScaledClock


def main() -> None:
    """Serve until SIGINT or SIGTERM."""
    asyncio.run(serve(_parser().parse_args()))


async def serve(options: argparse.Namespace) -> None:
    """Listen, print where, and wait for a signal."""
    knobs = Knobs(lead_days=options.lead_days, gate_s=options.gate_s)
    pocket = PocketAmplitude(_clock(options), knobs)
    for project in options.project or ["829000"]:
        holder, pair = _project(project)
        pocket.world.keys.add(holder, pair)
        if holder.app is not None:
            pocket.world.shelf.make_up(holder.app, MadeUp(options.events_per_hour, empty_every=10))
    stopped = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    await pocket.start(options.host, options.port, options.eu_port)
    sys.stdout.write(f"{pocket.base_url}\n{pocket.url_of(Region.EU)}\n")
    sys.stdout.flush()
    await stopped.wait()
    await pocket.stop()


def _clock(options: argparse.Namespace) -> Clock:
    start = Millis(options.start_ms if options.start_ms is not None else int(time.time() * 1000))
    return ManualClock(start) if options.manual else ScaledClock(start, options.speed, origin_s=options.origin_s)


def _project(text: str) -> tuple[Holder, tuple[str, str] | None]:
    """`app[:api_key:secret_key[:region[:org]]]`; without keys they follow from the app by rule."""
    app, *rest = text.split(":")
    pair = (rest[0], rest[1]) if len(rest) > 1 and rest[0] else None
    region, org = (rest[2:] + ["us", "36001"][len(rest[2:]) :])[:2]
    return Holder(Region(region), Level.PROJECT, org, app), pair


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m consumer.sandbox.amplitude", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--eu-port", type=int, default=0)
    parser.add_argument("--speed", type=float, default=1.0, help="calendar seconds per real second")
    parser.add_argument("--start-ms", type=int, help="calendar time at the start; default: now")
    parser.add_argument("--origin-s", type=float, help="Unix time at which the calendar stood at --start-ms")
    parser.add_argument("--manual", action="store_true", help="the calendar moves only by POST /fake/clock")
    parser.add_argument("--lead-days", type=int, default=12)
    parser.add_argument("--gate-s", type=float, default=0.95)
    parser.add_argument("--events-per-hour", type=int, default=200, help="made-up events of each project's exports")
    parser.add_argument("--project", action="append", metavar="APP[:KEY:SECRET[:REGION[:ORG]]]")
    return parser


if __name__ == "__main__":
    main()
