"""A broker inside this process, for `dsr demo` and unit tests: librdkafka's mock cluster, from confluent-kafka's wheel.

It speaks Kafka's protocol on loopback, to any client in any process, and starts in a twentieth of a second. It is no
Kafka: offsets sent to a transaction are DROPPED, aborted records are visible, nobody is fenced, re-sent batches are not
deduplicated, nothing is compacted, at most 5 MiB of a partition are kept, topics cannot be created or described by an
admin client, and all is lost with the process. So a program on it is at-least-once, and a test on it proves nothing
about transactions. librdkafka calls the interface experimental: it is used here only, never by the service.
"""

from __future__ import annotations

import ctypes
from collections.abc import Mapping
from pathlib import Path
from typing import Self

import confluent_kafka

_PRODUCER = 0  # rd_kafka_type_t; a mock cluster hangs on a client instance of any type
_ERROR_SIZE = 512
_POINTER, _TEXT, _INT = ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int
_CALLS = {
    "rd_kafka_conf_new": (_POINTER, []),
    "rd_kafka_conf_set": (_INT, [_POINTER, _TEXT, _TEXT, _TEXT, ctypes.c_size_t]),
    "rd_kafka_new": (_POINTER, [_INT, _POINTER, _TEXT, ctypes.c_size_t]),
    "rd_kafka_destroy": (None, [_POINTER]),
    "rd_kafka_mock_cluster_new": (_POINTER, [_POINTER, _INT]),
    "rd_kafka_mock_cluster_destroy": (None, [_POINTER]),
    "rd_kafka_mock_cluster_bootstraps": (_TEXT, [_POINTER]),
    "rd_kafka_mock_topic_create": (_INT, [_POINTER, _TEXT, _INT, _INT]),
    "rd_kafka_mock_push_request_errors_array": (
        None,
        [_POINTER, ctypes.c_int16, ctypes.c_size_t, ctypes.POINTER(_INT)],
    ),
    "rd_kafka_mock_broker_set_down": (_INT, [_POINTER, ctypes.c_int32]),
    "rd_kafka_mock_broker_set_up": (_INT, [_POINTER, ctypes.c_int32]),
    "rd_kafka_mock_group_initial_rebalance_delay_ms": (None, [_POINTER, ctypes.c_int32]),
}

_REQUESTS = {
    "Produce": 0,
    "Fetch": 1,
    "Metadata": 3,
    "OffsetCommit": 8,
    "FindCoordinator": 10,
    "InitProducerId": 22,
    "EndTxn": 26,
}
"""Kafka's request types that `push_errors` can fail, by name."""
_BROKER = 1


class EmbeddedBroker:
    """One broker on a random loopback port while the `with` block lasts. `topics` maps names to partition counts.

    A topic that is not in `topics` springs up with 4 partitions when it is first used. Entering and leaving block for
    milliseconds; entering raises `RuntimeError` where the installed librdkafka has no mock cluster.
    """

    def __init__(self, topics: Mapping[str, int]) -> None:
        self._topics = dict(topics)
        self._library: ctypes.CDLL | None = None
        self._client: int | None = None
        self._cluster: int | None = None

    @property
    def bootstrap(self) -> str:
        """`bootstrap.servers` of the running broker."""
        library, cluster = self._running()
        return str(library.rd_kafka_mock_cluster_bootstraps(cluster).decode())

    def create_topic(self, name: str, partitions: int) -> None:
        """Make one more topic. `RuntimeError` when it exists or has no partition, which the mock itself would take."""
        library, cluster = self._running()
        if partitions < 1 or library.rd_kafka_mock_topic_create(cluster, name.encode(), partitions, 1):
            raise RuntimeError(f"the embedded broker refused the topic {name}")

    def push_errors(self, request: str, *codes: int) -> None:
        """Answer the next requests of one type with these error codes of Kafka, one each. `KeyError` for the type."""
        library, cluster = self._running()
        errors = (_INT * len(codes))(*codes)
        library.rd_kafka_mock_push_request_errors_array(cluster, _REQUESTS[request], len(codes), errors)

    def down(self) -> None:
        """Close every connection and refuse new ones. What is stored stays."""
        library, cluster = self._running()
        library.rd_kafka_mock_broker_set_down(cluster, _BROKER)

    def up(self) -> None:
        """Serve again."""
        library, cluster = self._running()
        library.rd_kafka_mock_broker_set_up(cluster, _BROKER)

    def close(self) -> None:
        """End the broker and lose its data. Can be called twice."""
        if self._library is not None and self._cluster:
            self._library.rd_kafka_mock_cluster_destroy(self._cluster)
        if self._library is not None and self._client:
            self._library.rd_kafka_destroy(self._client)
        self._cluster = self._client = None

    def __enter__(self) -> Self:
        self._library = library = _library()
        error = ctypes.create_string_buffer(_ERROR_SIZE)
        settings = library.rd_kafka_conf_new()
        # The client is only a hook to hang the cluster on; unasked, it warns on stderr that it has no brokers.
        library.rd_kafka_conf_set(settings, b"log_level", b"0", error, _ERROR_SIZE)
        self._client = library.rd_kafka_new(_PRODUCER, settings, error, _ERROR_SIZE)
        self._cluster = library.rd_kafka_mock_cluster_new(self._client, 1) if self._client else None
        try:
            _, cluster = self._running()
            library.rd_kafka_mock_group_initial_rebalance_delay_ms(cluster, 0)  # 3 s otherwise
            for name, partitions in self._topics.items():
                self.create_topic(name, partitions)
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _running(self) -> tuple[ctypes.CDLL, int]:
        if self._library is None or not self._cluster:
            raise RuntimeError("the embedded broker is not running")
        return self._library, self._cluster


def _library() -> ctypes.CDLL:
    """The very library that confluent_kafka has loaded, with the signatures of `_CALLS`."""
    package = Path(confluent_kafka.__file__).parent
    bundled = [*package.parent.glob("confluent_kafka.libs/librdkafka*"), *package.glob(".dylibs/librdkafka*")]
    try:
        library = ctypes.CDLL(str(bundled[0]))
        for name, (result, arguments) in _CALLS.items():
            call = getattr(library, name)
            call.restype, call.argtypes = result, arguments
    except (IndexError, OSError, AttributeError):
        raise RuntimeError(
            "no embedded broker: this confluent-kafka does not bring librdkafka's mock cluster"
        ) from None
    return library
