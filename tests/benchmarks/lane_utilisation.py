"""How much of Amplitude's pace one lane uses under backlog: `python -m tests.benchmarks.lane_utilisation [IDS]`.

The stand-in runs in a process of its own with its limiter on (0.95 s between calls); once it answers at once, and once
1.5 s late. Without Kafka: every turn is committed at once, in the lane's own event loop. A slot is one second from
the first send to the last; the bar is 98 % of the slots, full batches, and client stamps 1.000 s apart or more.
"""

import asyncio
import itertools
import sys

from consumer.lanes import LanePolicy
from tests.benchmarks.pocket import Stamps, control, member, pocket

APP = "829000"


async def measure(latency_s, ids):
    """One row of the table."""
    meter = Stamps()
    with pocket([APP]) as url:
        if latency_s:
            control(url, "faults", {"kind": "latency", "seconds": latency_s, "count": None})
        async with member(url, [APP], LanePolicy(requester="dsr"), meter) as service:
            for n in range(ids):
                service.tell(f"u-{n}", project=APP)
            await service.until(lambda: not service.shard.counts()["active"], seconds=ids / 50 + 60)
        throttled = control(url, "counters")["apps"][APP]["throttled"]
    stamps, sizes = sorted(meter.left[APP]), meter.ids[APP]
    gaps = [b - a for a, b in itertools.pairwise(stamps)]
    share = (len(stamps) - 1) / (stamps[-1] - stamps[0])
    print(
        f"{latency_s:9.1f} {len(stamps):6} {share:10.1%} {sum(sizes) / len(sizes):13.1f} {min(gaps):14.4f}"
        f" {max(gaps):8.4f} {throttled:10}"
    )


def main():
    """Print the table."""
    ids = int(sys.argv[1]) if len(sys.argv) > 1 else 3_000
    print("latency s  calls  slots used  ids per call  least spacing  most, s  throttled")
    for latency_s in (0.0, 1.5):
        asyncio.run(measure(latency_s, ids))


if __name__ == "__main__":
    main()
