"""What many workers would do: `python -m tests.benchmarks.discovery_simulation [--rate BYTES] [--overhead-s S]`.

A simulation, not a measurement: nobody here has a hundred machines. Its planning is the real one (`plan`, `answer`),
and so is where a task goes (murmur2 of project and slot) and what a merge costs, which is measured first. Given are the
rate of one worker (`discovery_stream` measures it), how long Amplitude takes before the first byte, and a company:
projects whose sizes are spread as sizes are. Prints the hours it takes and how much of them the workers are busy.
"""

import argparse
import heapq
import random
import statistics
import time

from consumer.discovery.inventory import Inventory, Window, merge
from consumer.domain.discovery.command import DiscoveryId, Order, OrderKind
from consumer.domain.discovery.discovery import Answer, State, answer, begin
from consumer.domain.discovery.planning import Policy, plan
from consumer.domain.hours import Hour, Span
from consumer.domain.routing import partition_of
from consumer.domain.subject import OrgId
from consumer.sandbox.amplitude.events import made_up
from scanner.engine import make_engine
from scanner.pool import Source
from scanner.ports import Wanted
from scanner.rules import load

FIRST = Hour(490_000)
RATIO = 10
"""Text bytes of a compressed one."""


def merge_s():
    """Seconds that one window's merge takes here: the median of fifty."""
    rules = load()
    engine = make_engine(Wanted(rules, "auto", 1, b"k" * 16))
    data = b"".join(made_up("829000", FIRST, 2_000)[0])
    tally = engine.scan([Source(lambda: [data])], ["it"], lambda *_: None).summary.tally
    inventory, took = Inventory("p"), []
    for number in range(50):
        began = time.perf_counter()
        span = Span(Hour(FIRST + number), Hour(FIRST + number))
        inventory = merge(inventory, Window(span, tally, "r", "k"), rules).inventory
        took.append(time.perf_counter() - began)
    return statistics.median(took)


class Company:
    """Projects with a month each, and the workers that share their slots."""

    def __init__(self, options, workers, merging_s):
        dice = random.Random(options.seed)
        self.options, self.workers, self.merging_s = options, workers, merging_s
        self.bytes_per_hour = {f"p{n}": dice.lognormvariate(options.mean_log, 1.5) for n in range(options.projects)}
        self.newest = Hour(FIRST + options.hours - 1)
        self.discoveries = {name: self._asked(name) for name in self.bytes_per_hour}
        self.queues = [[] for _ in range(options.partitions)]
        self.now = self.busy_s = self.merged_s = 0.0

    def _asked(self, name):
        return begin(Order(OrderKind.START, "c", DiscoveryId("d"), name, FIRST, self.newest), [], self.newest, 0)

    def _issue(self, name):
        slots = self.options.slots
        policy = Policy(256_000_000)
        self.discoveries[name], fresh = plan(self.discoveries[name], slots, self.newest, policy, int(self.now * 1000))
        for window in fresh:
            partition = partition_of(OrgId(f"{name}#{window.slot}"), self.options.partitions)
            self.queues[partition].append((name, window))

    def run(self):
        """Seconds until every hour is scanned."""
        free, ends = set(range(self.workers)), []
        for name in self.discoveries:
            self._issue(name)
        while True:
            for partition, queue in enumerate(self.queues):
                worker = partition % self.workers  # a member owns the partitions that the group gives it
                if queue and worker in free:
                    free.discard(worker)
                    name, window = queue.pop(0)
                    took = (
                        self.options.overhead_s
                        + RATIO * window.span.hours * self.bytes_per_hour[name] / self.options.rate
                    )
                    self.busy_s += took
                    heapq.heappush(ends, (self.now + took, worker, name, window.span))
            if not ends:
                return self.now
            self.now, worker, name, span = heapq.heappop(ends)
            free.add(worker)
            size = int(span.hours * self.bytes_per_hour[name])
            told = Answer(span, State.SCANNED, None, "", {"input_bytes": size})
            self.discoveries[name] = answer(self.discoveries[name], told, int(self.now * 1000))
            self.merged_s += self.merging_s
            self._issue(name)


def main():
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--projects", type=int, default=200)
    parser.add_argument("--hours", type=int, default=720)
    parser.add_argument("--rate", type=float, default=150e6, help="text bytes a second of one worker")
    parser.add_argument(
        "--overhead-s", type=float, default=5.0, help="of a window: Amplitude's first byte, Kafka, merging"
    )
    parser.add_argument("--mean-log", type=float, default=15.0, help="of the compressed bytes of a project's hour")
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    merging_s = merge_s()
    print(f"one merge takes {1000 * merging_s:.1f} ms here; {asked.projects} projects of {asked.hours} hours each")
    print("workers  slots  partitions  hours to do it  GB/s of text  workers busy  one coordinator busy")
    for partitions, slots in ((60, 1), (600, 1), (600, 5)):
        for workers in (1, 10, 100):
            options = argparse.Namespace(**vars(asked), slots=slots, partitions=partitions)
            company = Company(options, workers, merging_s)
            seconds = company.run()
            text = RATIO * asked.hours * sum(company.bytes_per_hour.values())
            print(
                f"{workers:7} {slots:6} {partitions:11} {seconds / 3600:15.1f} {text / seconds / 1e9:13.2f}"
                f" {company.busy_s / seconds / workers:13.0%} {company.merged_s / seconds:21.1%}"
            )
    largest = max(Company(argparse.Namespace(**vars(asked), slots=1, partitions=60), 1, 0).bytes_per_hour.values())
    print(f"the largest project alone takes {RATIO * asked.hours * largest / asked.rate / 3600:.1f} h with one slot")


if __name__ == "__main__":
    main()
