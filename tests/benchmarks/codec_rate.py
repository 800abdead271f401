"""Commands decoded and outcomes encoded each second on one core: `python -m tests.benchmarks.codec_rate`.

Three rounds of each; the best is printed, as the others only tell what else the machine was doing.
"""

import io
import time
from collections.abc import Callable

import fastavro

import schemas
from consumer.adapters.avro.codec import Codec
from consumer.adapters.avro.source import DirectorySource, admit
from tests.fakes.commands import NOW, fields

RECORDS = 50_000
OUTCOME = {
    "outcome_id": "5f0e0e0c-7f1d-5a51-9d2e-0d0c7d7b8a01",
    "kind": "stage",
    "subject_request_id": "0b0c2a52-9d8c-4a57-8a0a-3a9f30a4d9b1",
    "project": "shop",
    "org": "acme",
    "stage": "submitted",
    "request_status": "in_progress",
    "results": [{"position": 0, "stage": "submitted"}],
    "occurred_time": NOW,
}


class Newer(DirectorySource):
    """Answers as if every writer had one field more than we know, so that records must be resolved."""

    def by_id(self, schema_id: int):
        """The commands' schema with a field appended."""
        schema = schemas.load(schemas.COMMANDS)
        schema["fields"].append({"name": "note", "type": "string", "default": ""})
        return admit(schema_id, schema)


def rate(call: Callable[[], object]) -> float:
    """Calls a second, best of three rounds."""
    rounds = []
    for _ in range(3):
        began = time.perf_counter()
        for _ in range(RECORDS):
            call()
        rounds.append(RECORDS / (time.perf_counter() - began))
    return max(rounds)


def main() -> None:
    """Print the rates."""
    codec, newer = Codec(DirectorySource()), Codec(Newer())
    record = fields("user-1234567")
    command = codec.encode(schemas.COMMANDS, record)
    outcome, encode = codec.encode(schemas.OUTCOMES, OUTCOME), codec.encoder(schemas.OUTCOMES)
    typed = fastavro.parse_schema(schemas.load(schemas.COMMANDS))
    rows: dict[str, tuple[int, Callable[[], object]]] = {
        "decode a command": (len(command), lambda: codec.decode_command(command)),
        "  the same, newer writer": (len(command) + 1, lambda: newer.decode_command(command + b"\0")),
        "  fastavro alone, with logical types": (
            len(command),
            lambda: fastavro.schemaless_reader(io.BytesIO(command[5:]), typed, None),
        ),
        "encode a command": (len(command), lambda: codec.encode(schemas.COMMANDS, record)),
        "encode an outcome": (len(outcome), lambda: encode(OUTCOME)),
    }
    for name, (size, call) in rows.items():
        print(f"{name:38} {size:4} B  {rate(call):9,.0f}/s")


if __name__ == "__main__":
    main()
