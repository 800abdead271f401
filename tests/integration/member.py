"""A whole member for chaos, in a process that can be killed: `python -m tests.integration.member JSON`."""

import asyncio
import json
import sys

from consumer.domain.errors import Fault
from consumer.domain.retry import Schedule
from consumer.lanes import LanePolicy
from consumer.sandbox.clock import ScaledClock
from consumer.service import RequestsStage
from consumer.settings import AdminSettings, KafkaSettings, ProjectSettings, Settings

QUICK = {fault: Schedule(1.0, 2.0, 0.2) for fault in Fault}


async def serve(told):
    clock = ScaledClock(told["start_ms"], told["speed"], origin_s=told["origin_s"])
    prefix = told["prefix"]
    kafka = KafkaSettings(
        bootstrap_servers=told["bootstrap"],
        group_id=f"{prefix}-group",
        replica=told["name"],
        session_timeout_ms=6_000,
        partitions=told["partitions"],
        commands=f"{prefix}.commands",
        outcomes=f"{prefix}.outcomes",
        dead_letters=f"{prefix}.dlq",
        ledger=f"{prefix}.ledger",
    )
    projects = {name: ProjectSettings(**project) for name, project in told["projects"].items()}
    policy = LanePolicy(linger_s=0.3, poll_every_ms=3 * 86_400_000, requester="dsr", schedules=QUICK)
    await RequestsStage(Settings(kafka=kafka, projects=projects, admin=AdminSettings(port=None)), clock, policy).run()


if __name__ == "__main__":
    asyncio.run(serve(json.loads(sys.argv[1])))
