"""A large export through a real worker: `python -m tests.benchmarks.discovery_stream [--gb N]`.

A pocket Amplitude in a process of its own streams one hour that is an archive of so many gigabytes, compressed: members
of a made-up export, again and again under new names, written as they are sent. A whole worker (as `dsr discover`: two
Kafka threads, the HTTP client, the scanner host and its processes) takes it from the socket. Then the same archive is
scanned from a file by the scanner alone, with one process. Prints the rates, and what all processes of the worker held
in memory (PSS) in each quarter of the scan.
"""

import argparse
import asyncio
import itertools
import json
import signal
import subprocess
import sys
import tempfile
import time
import zipfile
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

from confluent_kafka import Consumer, Producer

import schemas
from consumer.adapters.avro.codec import Codec
from consumer.adapters.avro.source import DirectorySource
from consumer.domain.hours import Hour, start_of
from consumer.domain.subject import Millis
from consumer.sandbox.amplitude.export import zipped
from consumer.sandbox.amplitude.knobs import Knobs
from consumer.sandbox.amplitude.server import PocketAmplitude
from consumer.sandbox.amplitude.shelf import Part, Shelf
from consumer.sandbox.broker import EmbeddedBroker
from consumer.sandbox.clock import ScaledClock
from tests.benchmarks import memory
from tests.benchmarks.scanner_rate import EVENTS, archive_of, scan

APP, HOUR = "829000", Hour(494_880)
KAFKA = ("discovery_commands", "discovery_tasks", "discovery_results", "discovery_ledger", "discovery_outcomes")
TOPICS = {f"bench.{name}": 3 for name in (*KAFKA, "inventory", "dead_letters")}
SAMPLE_S = 1.0


def parts(size):
    """Members of the realistic archive under new names, until they are `size` bytes."""
    with zipfile.ZipFile(archive_of("realistic", EVENTS["realistic"])) as archive:
        contents = [archive.read(name) for name in archive.namelist()]
    for number, content in enumerate(itertools.cycle(contents)):
        if size <= 0:
            return
        size -= len(content)
        yield Part(f"{APP}/{APP}_2026-06-16_0#{number}.json.gz", content)


class Repeated(Shelf):
    """One hour that is as large as it is asked to be."""

    def __init__(self, size):
        super().__init__()
        self._all = list(parts(size))

    def hour(self, app, hour):
        return self._all


async def serve(size):
    """The stand-in, until it is ended; prints its address and keys."""
    pocket = PocketAmplitude(ScaledClock(Millis(start_of(Hour(HOUR + 10))), 1.0), Knobs(most_export_bytes=1 << 50))
    pocket.world.shelf = Repeated(size)
    await pocket.start()
    access = pocket.access(APP)
    keys = {"api_key": access.keys.api_key.reveal(), "secret_key": access.keys.secret_key.reveal()}
    print(json.dumps({"base_url": access.base_url, **keys}), flush=True)
    await asyncio.Event().wait()


def streamed(project, processes):
    """(seconds, bytes of text, PSS of each sample) of one window through a worker."""
    with EmbeddedBroker(TOPICS) as broker:
        told = {"bootstrap": broker.bootstrap, "prefix": "bench", "partitions": 3, "name": "w", "grace_s": 0.1}
        told |= {"projects": {"shop": project}, "processes": processes}
        command = [sys.executable, "-m", "tests.chaos.discovery_member", json.dumps(told)]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL) as worker:
            try:
                ask(broker.bootstrap)
                return follow(broker.bootstrap, worker)
            finally:
                worker.send_signal(signal.SIGTERM)


def ask(bootstrap):
    codec, producer = Codec(DirectorySource()), Producer({"bootstrap.servers": bootstrap, "log_level": 0})
    hour = {"from_hour": start_of(HOUR), "to_hour": start_of(HOUR)}
    ids = {"command_id": str(uuid4()), "discovery_id": str(uuid4())}
    fields = {"command": "start", "project": "shop", **ids, **hour}
    producer.produce("bench.discovery_commands", codec.encode(schemas.DISCOVERY_COMMANDS, fields), b"shop")
    producer.flush(10)


def follow(bootstrap, worker):
    """The result, and meanwhile the memory."""
    reader = Consumer(
        {"bootstrap.servers": bootstrap, "group.id": "bench", "auto.offset.reset": "earliest", "log_level": 0}
    )
    reader.subscribe(["bench.discovery_results"])
    codec, samples = Codec(DirectorySource()), []
    while worker.poll() is None:
        message = reader.poll(SAMPLE_S)
        samples.append(memory.held(worker.pid)[0])
        if message is not None and not message.error():
            result = codec.decode(schemas.DISCOVERY_RESULTS, message.value())
            reader.close()
            if result["state"] != "scanned":
                sys.exit(f"the window was not scanned: {result['reason']}")
            return result["seconds"], result["account"], samples
    sys.exit("the worker has ended")


def quarters(samples):
    """The most in each quarter of the scan, in MB."""
    size = max(1, len(samples) // 4)
    return [round(max(samples[at : at + size]) / 1e6) for at in range(0, 4 * size, size) if samples[at : at + size]]


def main():
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--gb", type=float, default=4.0)
    parser.add_argument("--serve", type=int, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.serve:
        asyncio.run(serve(asked.serve))
        return
    size = int(asked.gb * 1e9)
    command = [sys.executable, "-m", "tests.benchmarks.discovery_stream", "--serve", str(size)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            project = json.loads(server.stdout.readline())
            rates = {}
            for processes in (1, 2):
                seconds, account, samples = streamed(project, processes)
                rates[processes] = account["text_bytes"] / 1e6 / seconds
                print(
                    f"socket, {processes} scanner process(es): {account['input_bytes'] / 1e9:.2f} GB compressed,"
                    f" {account['text_bytes'] / 1e9:.1f} GB of text in {seconds:.0f} s: {rates[processes]:.0f} MB/s;"
                    f" PSS of the worker in MB, most in each quarter: {quarters(samples)}",
                    flush=True,
                )
        finally:
            server.kill()
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "export.zip"
        with file.open("wb") as out:
            out.writelines(zipped(parts(size), datetime.now(UTC)))
        began = time.perf_counter()
        told = scan(file, 1)
        disk = told["bytes"] / 1e6 / told["seconds"]
        print(f"file, 1 scanner process: {disk:.0f} MB/s ({time.perf_counter() - began:.0f} s)")
    print(f"socket / file, one process: {rates[1] / disk:.2f} (bar 0.9)")
    print(f"two processes / one, from the socket: {rates[2] / rates[1]:.2f}")


if __name__ == "__main__":
    main()
