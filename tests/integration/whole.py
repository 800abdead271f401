"""A whole member inside the test: real Kafka thread, real lanes, real sockets, a calendar that the test moves."""

import asyncio
import time

import schemas
from consumer.domain.errors import Fault
from consumer.domain.retry import Schedule
from consumer.domain.routing import partition_of
from consumer.lanes import LanePolicy
from consumer.sandbox.amplitude.knobs import Knobs
from consumer.sandbox.amplitude.server import PocketAmplitude
from consumer.sandbox.clock import ManualClock
from consumer.service import RequestsStage
from consumer.settings import AdminSettings, KafkaSettings, ProjectSettings, Settings
from tests.fakes.commands import fields
from tests.integration import intake_worker
from tests.integration.seams import Watch, between
from tests.integration.test_intake_on_kafka import PARTITIONS, Rehearsal

APP = "829000"
HOME = partition_of("acme", PARTITIONS)
QUICK = {fault: Schedule(0.05, 0.05, 0.02) for fault in Fault}
FAST = LanePolicy(linger_s=0.05, requester="dsr", least_interval_s=0.02, schedules=QUICK, poll_every_ms=3_600_000)


class Whole(Rehearsal):
    """An async context manager. `start` a member, `tell` it commands, `reach` a stage; `restart` is another process's
    view: nothing is kept but what stands in Kafka. One project, `shop`, with the rule that is given."""

    def __init__(self, bootstrap, monkeypatch, *, watch=None, session_ms=6_000, limits=None, **rule):
        super().__init__(bootstrap)
        self._session_ms, self._limits = session_ms, limits or {}
        self.clock, self.rule, self.running = ManualClock(int(time.time() * 1000)), rule, {}
        for module, name, part in between(watch or Watch(), most_s=2.0):
            monkeypatch.setattr(module, name, part)

    async def __aenter__(self):
        self.pocket = PocketAmplitude(self.clock, Knobs(gate_s=0.0))
        await self.pocket.start()
        return self

    async def __aexit__(self, *_):
        for name in list(self.running):
            await self.end(name)
        await self.pocket.stop()

    @property
    def seen(self):
        return self.pocket.seen(APP)

    def settings(self, name):
        access = self.pocket.access(APP)
        keys = {"api_key": access.keys.api_key.reveal(), "secret_key": access.keys.secret_key.reveal()}
        kafka = KafkaSettings(
            bootstrap_servers=self.bootstrap,
            group_id=f"{self.prefix}-group",
            replica=name,
            session_timeout_ms=self._session_ms,
            partitions=PARTITIONS,
            commands=self.topics.commands,
            outcomes=self.topics.outcomes,
            dead_letters=self.topics.dead_letters,
            ledger=self.topics.ledger,
        )
        project = ProjectSettings(org="acme", base_url=access.base_url, **keys, **self.rule)
        others = {"admin": AdminSettings(port=None)} | self._limits
        return Settings(kafka=kafka, projects={"shop": project}, **others)

    def start(self, name="one", policy=FAST, copy_policy=None):
        stage = RequestsStage(self.settings(name), self.clock, policy, copy_policy=copy_policy)
        self.running[name] = stage, asyncio.create_task(stage.run())

    async def end(self, name="one"):
        stage, task = self.running.pop(name)
        stage.stop()
        await task

    async def restart(self, name="one"):
        await self.end(name)
        self.start(name)

    async def tell(self, *users, **changed):
        """Publish a command, by default an erasure of these users, behind those before it. Returns it."""
        now = self.clock.now()
        record = fields(*users, **{"submitted_time": now, "issued_time": now} | changed)
        await asyncio.to_thread(self.send, [intake_worker.codec.encode(schemas.COMMANDS, record)], HOME)
        return record

    async def about(self, record, kind="stage"):
        """What was said about the command's request, for a `read_committed` reader."""
        said = await asyncio.to_thread(self.outcomes)
        return [o for o in said if o["subject_request_id"] == record["subject_request_id"] and o["kind"] == kind]

    async def stages(self, record):
        return [o["stage"] for o in await self.about(record)]

    async def until(self, true, seconds=60):
        """Wait for `true`, a coroutine function or a function, to be so; returns what it gave."""
        until = time.monotonic() + seconds
        while True:
            found = true()
            found = await found if asyncio.iscoroutine(found) else found
            if found:
                return found
            for _, task in self.running.values():
                if task.done():
                    await task
            assert time.monotonic() < until, "it never came"
            await asyncio.sleep(0.1)

    async def reach(self, record, stage):
        async def there():
            return (await self.stages(record))[-1:] == [stage]

        await self.until(there)

    async def answered(self, record, count=1):
        """The replies to the commands about a request, once there are so many."""

        async def enough():
            found = await self.about(record, "reply")
            return len(found) >= count and found

        return await self.until(enough)
