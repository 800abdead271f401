"""Whether a member treats a thousand lanes alike: `python -m tests.benchmarks.many_lanes [LANES] [SECONDS] [CALLS]`.

*Offered*: CALLS (200) requests of 10 ids a second, for the lanes in turn; each must get 90 % of its own served.
*Saturated*: a tenth of the lanes, with full batches waiting all the time, which is more than one core can send; the
slowest lane must get 0.8 of the median. The calls a second are then how many full lanes one member holds. The stand-in
has a process of its own. Without Kafka: every turn is committed at once and in the lanes' own event loop, one for each
proposal, which makes a member slower than it is.
"""

import asyncio
import statistics
import sys
import time

from consumer.domain.plan import MOST_IDS
from consumer.lanes import LanePolicy
from tests.benchmarks.pocket import Stamps, member, pocket

IDS = 10
POLICY = LanePolicy(linger_s=0.2, requester="dsr", poll_every_ms=10**12)


async def warm(service, apps):
    """Every lane has sent its first batch and read its first list: a member that has been up for a while."""
    for app in apps:
        service.tell(f"{app}-first", project=app)
        await asyncio.sleep(0.01)
    await service.until(lambda: not service.shard.counts()["active"], seconds=120)
    await asyncio.sleep(3)


async def offered(service, apps, seconds, calls):
    """Requests at a steady rate; returns how many each lane was offered."""
    began, told = time.monotonic(), 0
    while (passed := time.monotonic() - began) < seconds:
        while told < passed * calls:
            app = apps[told % len(apps)]
            service.tell(*(f"{app}-{told}-{n}" for n in range(IDS)), project=app)
            told += 1
        await asyncio.sleep(0.005)
    return {app: IDS * len(range(n, told, len(apps))) for n, app in enumerate(apps)}


async def saturated(service, apps, seconds, _calls):
    """More than can be sent: every lane always has three full batches waiting."""
    began, told = time.monotonic(), 0
    waiting = dict.fromkeys(apps, 0)
    while time.monotonic() - began < seconds:
        for app in apps:
            if waiting[app] < 3:
                told += 1
                service.tell(*(f"{app}-{told}-{n}" for n in range(MOST_IDS)), project=app)
        await asyncio.sleep(0.1)
        waiting |= {report.project: report.waiting for report in service.lanes.report()}


async def measure(name, scenario, lanes, seconds, calls):
    """One row of the table."""
    apps, meter = [f"p{n}" for n in range(lanes)], Stamps()
    with pocket(apps) as url:
        async with member(url, apps, POLICY, meter) as service:
            await warm(service, apps)
            meter.__init__()
            cpu_s = time.process_time()
            wanted = await scenario(service, apps, seconds, calls)
            if wanted:
                await asyncio.sleep(3)
            cpu_s = time.process_time() - cpu_s
    began = min(min(stamps) for stamps in meter.left.values())
    ended = max(max(stamps) for stamps in meter.left.values())
    ids = {app: sum(meter.ids.get(app, ())) for app in apps}
    shares = [ids[app] / wanted[app] if wanted else len(meter.left.get(app, ())) for app in apps]
    sent = sum(map(len, meter.left.values()))
    fill = statistics.mean(n for app in apps for n in meter.ids.get(app, ()))
    typical = 1.0 if wanted else statistics.median(shares)
    print(
        f"{name:10} {lanes:6} {ended - began:9.1f} {sent / (ended - began):8.1f} {fill:9.1f}"
        f" {min(shares) / typical:22.2f} {1000 * cpu_s / sent:17.2f}   {meter.answers}"
    )


def main():
    """Print the table."""
    lanes = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000
    seconds = int(sys.argv[2]) if len(sys.argv) > 2 else 30
    calls = int(sys.argv[3]) if len(sys.argv) > 3 else 200
    print("            lanes   seconds  calls/s  ids/call  least served, of what  CPU ms each call   answers")
    asyncio.run(measure("offered", offered, lanes, seconds, calls))
    asyncio.run(measure("saturated", saturated, lanes // 10, seconds, calls))


if __name__ == "__main__":
    main()
