"""A subscriber as the contract wants it: `read_committed`, every partition from the beginning, nothing remembered."""

import threading

from confluent_kafka import OFFSET_BEGINNING, Consumer, TopicPartition

import schemas
from tests.integration.intake_worker import codec

ENDS = {"done", "not_found", "cancelled", "too_late", "failed", "refused"}


class Witness(threading.Thread):
    """`said`: every outcome in the order of its partition. `ended`: the requests that have reached an end."""

    def __init__(self, bootstrap, topic, partitions):
        super().__init__(daemon=True)
        self._reader = Consumer(
            {"bootstrap.servers": bootstrap, "group.id": "witness", "isolation.level": "read_committed", "log_level": 0}
        )
        self._reader.assign([TopicPartition(topic, p, OFFSET_BEGINNING) for p in range(partitions)])
        self._stopping = threading.Event()
        self.said, self.ended = [], set()

    def run(self):
        while not self._stopping.is_set():
            for message in self._reader.consume(1_000, 0.2):
                if not message.error():
                    outcome = codec.decode(schemas.OUTCOMES, message.value())
                    self.said.append(outcome)
                    if outcome["kind"] == "stage" and outcome["stage"] in ENDS:
                        self.ended.add(outcome["subject_request_id"])
        self._reader.close()

    def stop(self):
        self._stopping.set()
        self.join(30)
