"""`dsr run` and `dsr topics` as a person starts them, on a real Kafka."""

import os
import signal
import subprocess
import sys
import time

import schemas
from consumer.domain.routing import partition_of
from tests.fakes.commands import fields
from tests.integration import intake_worker
from tests.integration.test_intake_on_kafka import PARTITIONS, ROOT, Rehearsal

DSR = [sys.executable, "-c", "from consumer.cli import main; main()"]


def settings(rehearsal, tmp_path):
    names = rehearsal.topics
    file = tmp_path / "dsr.toml"
    file.write_text(
        f"""
        [kafka]
        bootstrap_servers = "{rehearsal.bootstrap}"
        group_id = "{rehearsal.prefix}-group"
        replica = "one"
        commands = "{names.commands}"
        outcomes = "{names.outcomes}"
        dead_letters = "{names.dead_letters}"
        ledger = "{names.ledger}"
        [admin]
        port = 0
        [projects.p0]
        api_key = "made-up"
        secret_key = "hunter2"
        base_url = "http://127.0.0.1:1"
        """,
        encoding="utf-8",
    )
    return file


def test_topics_are_found_wanting_by_their_names(kafka_bootstrap, tmp_path):
    """Exit code 1 and a line for each flaw."""
    rehearsal = Rehearsal(kafka_bootstrap)
    file = settings(rehearsal, tmp_path)
    done = subprocess.run([*DSR, "topics", "check", "-s", file], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert f"{rehearsal.topics.ledger}: " in done.stdout
    assert "Finding(" not in done.stdout
    assert "Traceback" not in done.stderr


def test_run_takes_commands_in_without_amplitude_and_ends_cleanly_on_sigterm(kafka_bootstrap, tmp_path):
    """Intake does not mind that Amplitude is down. JSON logs, exit code 0, no secret and no person in print."""
    rehearsal = Rehearsal(kafka_bootstrap)
    record = fields("jane-roe", project="p0", submitted_time=int(time.time() * 1000))
    rehearsal.send([intake_worker.codec.encode(schemas.COMMANDS, record)])
    command = [*DSR, "run", "-s", str(settings(rehearsal, tmp_path))]
    member = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=os.environ)
    try:
        rehearsal.wait_for(1, 60)
        member.send_signal(signal.SIGTERM)
        printed, _ = member.communicate(timeout=60)
    finally:
        member.kill()
        member.wait()
    assert member.returncode == 0, printed
    assert b'"event": "started"' in printed
    assert b'"event": "stopped"' in printed
    assert b"jane" not in printed
    assert b"hunter2" not in printed


def test_wrong_settings_end_with_two_and_a_sentence(tmp_path):
    """Never a traceback, never a value."""
    file = tmp_path / "dsr.toml"
    file.write_text('[projects.shop]\nsecret_key = "hunter2"\n', encoding="utf-8")
    done = subprocess.run([*DSR, "check", "-s", file], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert "projects.shop" in done.stderr
    assert "hunter2" not in done.stderr + done.stdout
    assert "Traceback" not in done.stderr


def dsr(*arguments):
    return subprocess.run([*DSR, *map(str, arguments)], cwd=ROOT, capture_output=True, text=True, timeout=90)


def test_a_halt_is_shown_and_lifted_from_the_command_line_while_the_service_runs(kafka_bootstrap, tmp_path):
    """Nothing of the partition is taken in before a person says so, and everything after."""
    rehearsal = Rehearsal(kafka_bootstrap)
    file = settings(rehearsal, tmp_path)
    home = partition_of("p0", PARTITIONS)
    record = fields("jane-roe", project="p0", submitted_time=int(time.time() * 1000))
    rehearsal.send([b"\0poison"] * 150, partition=home)
    rehearsal.send([intake_worker.codec.encode(schemas.COMMANDS, record)], partition=home)
    member = subprocess.Popen(
        [*DSR, "run", "-s", str(file)], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    try:
        until = time.monotonic() + 60
        while "too_many_dead_letters" not in (said := dsr("status", "-s", file).stdout) and time.monotonic() < until:
            time.sleep(0.5)
        assert "too_many_dead_letters" in said
        assert rehearsal.outcomes() == []
        lifted = dsr("resume", "--halted", "-s", file)
        assert lifted.returncode == 0, lifted.stderr
        assert "too_many_dead_letters" in lifted.stdout + lifted.stderr
        (outcome,) = rehearsal.wait_for(1, 60)
        assert outcome["stage"] == "accepted"
        assert len(rehearsal.read(rehearsal.topics.dead_letters)) == 150
    finally:
        member.send_signal(signal.SIGTERM)
        member.communicate(timeout=60)
    assert member.returncode == 0
