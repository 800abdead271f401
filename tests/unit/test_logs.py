"""One line for each unit of work, and no word of anybody else's."""

import json
import logging
import socket
import subprocess
import sys
import threading
import time

import pytest
import structlog
from confluent_kafka import Producer

from consumer.adapters.logs import KafkaLog
from consumer.adapters.meters import LoggingMeter, Meters
from consumer.domain.errors import Reason
from consumer.domain.statement import Kind, Notice
from consumer.domain.subject import Secret
from consumer.ports import NoMeter
from tests.fakes.log_capture import configured
from tests.unit.test_metrics import outcome


class Recorder(NoMeter):
    """Remembers the names of the methods that were called."""

    def __init__(self):
        self.seen = []

    def __getattribute__(self, name):
        if name != "seen" and not name.startswith("_"):
            self.seen.append(name)
        return object.__getattribute__(self, name)


def everything(meter):
    meter.called("shop", "POST", "ok", 0.2)
    meter.called("shop", "POST", "lost", 0.2)
    meter.batched("shop", 42)
    meter.resubmitted("shop", 3)
    for _ in range(3):
        meter.said(outcome())
    meter.said(outcome(kind=Kind.NOTICE, notice=Notice.WAITING, reason=Reason.THROTTLED))
    meter.buried(Reason.UNDECODABLE)
    meter.buried(Reason.UNDECODABLE)
    meter.committed(0.0123, 5)
    meter.restored(1.5)


def test_a_unit_of_work_is_a_line():
    """Outcomes and dead letters are counted by what they are, in the lines of their transaction."""
    with configured() as lines:
        everything(LoggingMeter(structlog.get_logger()))
    told = [{k: v for k, v in line.items() if k != "timestamp"} for line in lines.all]
    said = {"stage/scheduled": 3, "notice/waiting/throttled": 1}
    assert told == [
        {
            "event": "call failed",
            "level": "warning",
            "project": "shop",
            "method": "POST",
            "fault": "lost",
            "took_s": 0.2,
        },
        {"event": "batch sent", "level": "info", "project": "shop", "ids": 42},
        {"event": "ids sent again", "level": "warning", "project": "shop", "ids": 3},
        {"event": "committed", "level": "info", "commands": 5, "outcomes": said, "took_s": 0.0123},
        {"event": "dead letters", "level": "warning", "reason": "undecodable", "records": 2},
        {"event": "partition restored", "level": "info", "took_s": 1.5},
    ]


def test_what_was_counted_is_said_once_and_an_empty_transaction_not_at_all():
    """An idle member proves its lease all the time; that is for debug."""
    with configured() as lines:
        meter = LoggingMeter(structlog.get_logger())
        meter.said(outcome())
        meter.committed(0.01, 0)
        meter.committed(0.01, 0)
    assert [{"stage/scheduled": 1}] == [line["outcomes"] for line in lines.all]


def test_meters_tell_each_of_them_everything():
    """Nothing of the port is forgotten."""
    one, two = Recorder(), Recorder()
    everything(Meters(one, two))
    port = {"called", "batched", "resubmitted", "said", "buried", "committed", "restored"}
    assert port == set(one.seen)
    assert one.seen == two.seen


def test_an_exception_is_its_class_and_the_way_it_took():
    """Its text may quote whatever it failed on."""
    with configured() as lines:
        try:
            {}["jane.roe@example.com"]
        except KeyError:
            structlog.get_logger().exception("lookup")
    (line,) = lines.all
    assert line["error"] == "KeyError"
    assert "test_an_exception_is_its_class" in line["at"][0]
    assert "jane" not in lines.getvalue()


def test_other_libraries_say_where_and_not_what():
    """asyncio, aiohttp and warnings quote calls, paths and values."""
    with configured() as lines:
        try:
            int("jane-roe")
        except ValueError:
            logging.getLogger("aiohttp.server").exception("Error handling request for %s", "jane-roe")
        logging.getLogger("asyncio").warning("Executing jane-roe took 3 seconds")
        logging.getLogger("other").info("jane-roe")
    first, second = lines.all
    assert ("library", "aiohttp.server", "ValueError") == (first["event"], first["logger"], first["error"])
    assert ("warning", "asyncio") == (second["level"], second["logger"])
    assert "jane" not in lines.getvalue()


@pytest.mark.parametrize(
    "where", ["raise KeyError('jane-roe')", "threading.Thread(target={}.pop, args=('jane-roe',)).start()"]
)
def test_a_crash_prints_no_text_of_the_exception(where):
    """In the main thread and in any other; in a process of its own, because hooks are the process's."""
    code = f"import threading\nfrom consumer.adapters.logs import configure\nconfigure()\n{where}\n"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    (line,) = [json.loads(line) for line in ended.stderr.splitlines()]
    assert ("crashed", "KeyError") == (line["event"], line["error"])
    assert "jane" not in ended.stdout + ended.stderr


def test_librdkafka_logs_through_us():
    """A broker that is not there is a line at error, from the thread that polls; the password is in none."""
    with socket.socket() as free, configured("debug") as lines:
        free.bind(("127.0.0.1", 0))
        settings = {
            "bootstrap.servers": f"127.0.0.1:{free.getsockname()[1]}",
            "security.protocol": "SASL_PLAINTEXT",
            "sasl.mechanism": "PLAIN",
            "sasl.username": "joe",
            "sasl.password": "hunter2",
            "debug": "conf,security,broker",
        }
        producer = Producer(settings | {"logger": KafkaLog([Secret("hunter2")])})
        until = time.monotonic() + 20
        while not any(line["level"] == "error" for line in lines.all) and time.monotonic() < until:
            producer.poll(0.1)
    failed = next(line for line in lines.all if line["level"] == "error")
    assert ("kafka", "FAIL") == (failed["event"], failed["facility"])
    assert "Connect to" in failed["said"]
    assert {"debug", "error"} <= {line["level"] for line in lines.all}
    assert "hunter2" not in lines.getvalue()


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("sasl_ssl://joe:hunter2@broker:9092/1: down", "sasl_ssl://***@broker:9092/1: down"),
        ("login of jane.roe@example.com failed", "login of ***@example.com failed"),
        ("config property \"sasl.jaas.config\" value 'x y'", "config property *** value ***"),
        ("password hunter2!", "password ***!"),
        ("broker:9092/1: Connection refused (after 0ms in state CONNECT)", None),
    ],
)
def test_what_could_be_a_credential_or_a_value_is_masked(text, wanted):
    """And what an operator needs is left."""
    assert KafkaLog([Secret("hunter2")]).masked(text) == (wanted or text)


def test_threads_may_log_at_once():
    """Lines never mix."""
    with configured() as lines:
        meter = LoggingMeter(structlog.get_logger())
        threads = [threading.Thread(target=lambda: [meter.batched("shop", n) for n in range(200)]) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(lines.all) == 800
