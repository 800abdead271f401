"""A member of the requests stage that makes copies, in a process that can be killed: `... copies_member JSON`."""

import asyncio
import json
import signal
import sys

from consumer.adapters.logs import configure
from consumer.copies import CopyPolicy
from consumer.lanes import LanePolicy
from consumer.sandbox.clock import ScaledClock
from consumer.service import RequestsStage
from consumer.settings import AdminSettings, CopySettings, KafkaSettings, OrgSettings, ProjectSettings, Settings
from tests.chaos.workers import SESSION_MS


def settings(told):
    prefix = told["prefix"]
    kafka = KafkaSettings(
        bootstrap_servers=told["bootstrap"],
        group_id=f"{prefix}-group",
        replica=told["name"],
        session_timeout_ms=SESSION_MS,
        partitions=told["partitions"],
        verify_topics=False,
        **{name: f"{prefix}.{name}" for name in ("commands", "outcomes", "dead_letters", "ledger")},
    )
    return Settings(
        kafka=kafka,
        projects={name: ProjectSettings(**project) for name, project in told["projects"].items()},
        orgs={name: OrgSettings(**org) for name, org in told["orgs"].items()},
        copies=CopySettings(**told["copies"]),
        admin=AdminSettings(port=None),
    )


async def serve(told):
    factor = told["factor"]
    clock = ScaledClock(told["start"], factor, origin_s=told["origin_s"])
    stage = RequestsStage(settings(told), clock, LanePolicy(linger_s=0.5), copy_policy=CopyPolicy().scaled(factor))
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stage.stop)
    await stage.run()


if __name__ == "__main__":
    configure("info", sys.stdout)
    asyncio.run(serve(json.loads(sys.argv[1])))
