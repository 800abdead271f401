"""Ask for a person to be erased, and follow the request: Kafka and Avro libraries alone, nothing of Amplitude DSR.

    pip install confluent-kafka fastavro
    python erase.py --project shop --user-id u-1001 --until done

Prints one JSON object a line: the request, then each of its outcomes. Exit codes: 0 the stage of `--until` was reached,
1 the request ended otherwise, 2 nothing more was heard in time.
"""

import argparse
import json
import sys
import time
from io import BytesIO
from pathlib import Path
from uuid import uuid4

from confluent_kafka import OFFSET_END, Consumer, Producer, TopicPartition
from fastavro import parse_schema, schemaless_reader, schemaless_writer
from fastavro.schema import fingerprint, to_parsing_canonical_form

SCHEMAS = Path(__file__).resolve().parents[2]
COMMANDS, OUTCOMES = SCHEMAS / "dsr.commands-value" / "2.avsc", SCHEMAS / "dsr.outcomes-value" / "1.avsc"
ENDS = {"done", "not_found", "cancelled", "too_late", "refused", "failed", "expired"}
FRAME = 5  # a zero byte and four of the schema's id


def single_object(schema, record):
    """Avro's single-object encoding: two marker bytes, the schema's fingerprint, the datum. It needs no registry."""
    crc = bytes.fromhex(fingerprint(to_parsing_canonical_form(schema), "CRC-64-AVRO"))
    out = BytesIO(b"\xc3\x01" + crc)
    out.seek(0, 2)
    schemaless_writer(out, schema, record)
    return out.getvalue()


def erasure(project, user_id):
    """The command. Ids are made here, so that sending it twice is asking once."""
    now = int(time.time() * 1000)
    identity = {"identity_type": "controller_customer_id", "identity_value": user_id, "identity_format": "raw"}
    return {
        "command_id": str(uuid4()),
        "command": "submit",
        "subject_request_id": str(uuid4()),
        "subject_request_type": "erasure",
        "regulation": "gdpr",
        "submitted_time": now,
        "project": project,
        "subject_identities": [identity],
        "issued_time": now,
    }


def publish(bootstrap, topic, value):
    """Returns when Kafka has the command for good; raises otherwise."""
    failed = []
    producer = Producer({"bootstrap.servers": bootstrap, "enable.idempotence": True})
    producer.produce(topic, value, on_delivery=lambda error, _: failed.append(error) if error else None)
    if producer.flush(30) or failed:
        raise SystemExit("the command did not reach Kafka")


def at_the_end(bootstrap, topic):
    """A reader of what is committed from now on. Positions are taken before the command is sent: nothing is missed."""
    config = {"bootstrap.servers": bootstrap, "group.id": f"erase-{uuid4()}", "isolation.level": "read_committed"}
    consumer = Consumer(config)
    places = [TopicPartition(topic, p, OFFSET_END) for p in consumer.list_topics(topic, 10).topics[topic].partitions]
    for place in places:
        place.offset = consumer.get_watermark_offsets(place, 10)[1]
    consumer.assign(places)
    return consumer


def outcomes(consumer, request_id, seconds):
    """The outcomes of one request, as they are said. They are keyed by its id."""
    schema = parse_schema(json.loads(OUTCOMES.read_text(encoding="utf-8")))
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        message = consumer.poll(0.5)
        if message is not None and message.error() is None and message.key() == request_id.encode():
            yield schemaless_reader(BytesIO(message.value()[FRAME:]), schema, None)


def main():
    """Ask, and follow."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bootstrap", default="127.0.0.1:9092")
    parser.add_argument("--commands", default="dsr.commands")
    parser.add_argument("--outcomes", default="dsr.outcomes")
    parser.add_argument("--project", required=True)
    parser.add_argument("--user-id", required=True)
    parser.add_argument("--until", default="done")
    parser.add_argument("--seconds", type=float, default=40 * 86_400)
    asked = parser.parse_args()
    schema = parse_schema(json.loads(COMMANDS.read_text(encoding="utf-8")))
    command = erasure(asked.project, asked.user_id)
    consumer = at_the_end(asked.bootstrap, asked.outcomes)
    publish(asked.bootstrap, asked.commands, single_object(schema, command))
    print(json.dumps({"request": command["subject_request_id"]}), flush=True)
    for outcome in outcomes(consumer, command["subject_request_id"], asked.seconds):
        told = {name: outcome[name] for name in ("kind", "stage", "reason", "notice", "slack_seconds")}
        print(json.dumps(told), flush=True)
        if outcome["kind"] == "stage" and outcome["stage"] == asked.until:
            return 0
        if outcome["kind"] == "stage" and outcome["stage"] in ENDS:
            return 1
    return 2


if __name__ == "__main__":
    sys.exit(main())
