"""A member of the discovery stage in a process that can be killed: `python -m tests.chaos.discovery_member JSON`."""

import asyncio
import json
import signal
import sys

from consumer.adapters.logs import configure
from consumer.discovery_service import DiscoveryStage
from consumer.domain.errors import Fault
from consumer.domain.retry import Schedule
from consumer.settings import AdminSettings, DiscoverySettings, KafkaSettings, ProjectSettings, Settings
from tests.chaos.workers import SESSION_MS

QUICK = {fault: Schedule(0.5, 2.0, 0.2) for fault in Fault}


def settings(told):
    prefix = told["prefix"]
    names = ("discovery_commands", "discovery_tasks", "discovery_results", "discovery_ledger", "discovery_outcomes")
    topics = {name: f"{prefix}.{name}" for name in (*names, "inventory", "dead_letters")}
    kafka = KafkaSettings(
        bootstrap_servers=told["bootstrap"],
        group_id=f"{prefix}-group",
        replica=told["name"],
        session_timeout_ms=SESSION_MS,
        partitions=told["partitions"],
        verify_topics=False,
        **topics,
    )
    return Settings(
        kafka=kafka,
        projects={name: ProjectSettings(**project) for name, project in told["projects"].items()},
        admin=AdminSettings(port=None),
        discovery=DiscoverySettings(
            fingerprint_key="the same for all members",
            processes=told.get("processes", 1),
            grace_s=told.get("grace_s", 1.0),
            longest_window_hours=told.get("longest", 2),
            engine=told.get("engine", "auto"),
        ),
    )


async def serve(told):
    stage = DiscoveryStage(settings(told), schedules=QUICK)
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stage.stop)
    await stage.run()


if __name__ == "__main__":
    configure("info", sys.stdout)
    asyncio.run(serve(json.loads(sys.argv[1])))
