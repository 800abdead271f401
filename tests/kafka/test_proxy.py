"""The fault proxy does what its switches say. No Kafka needed: an echo server stands behind it."""

from __future__ import annotations

import contextlib
import socket
import socketserver
import threading
import time

import pytest

from tests.kafka.proxy import FaultProxy, Mode


class Echo(socketserver.BaseRequestHandler):
    def handle(self):
        try:
            while chunk := self.request.recv(4096):
                self.request.sendall(chunk)
        except OSError:
            pass


@pytest.fixture
def proxy():
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Echo) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        with FaultProxy(server.server_address[1]) as proxy:
            yield proxy
        server.shutdown()
        thread.join(5)


def connect(proxy):
    return socket.create_connection(("127.0.0.1", proxy.port), timeout=2)


def echo(connection):
    connection.sendall(b"hello")
    return connection.recv(5)


def test_bytes_pass_both_ways(proxy):
    """Nothing is changed by default."""
    with connect(proxy) as connection:
        assert echo(connection) == b"hello"


def test_a_delay_is_added_each_way(proxy):
    """0.1 s there and 0.1 s back."""
    with connect(proxy) as connection:
        proxy.delay_s = 0.1
        began = time.monotonic()
        assert echo(connection) == b"hello"
        assert time.monotonic() - began >= 0.2


def test_stalled_bytes_arrive_when_it_ends(proxy):
    """They are kept, as in a network that hangs."""
    with connect(proxy) as connection:
        proxy.mode = Mode.STALL
        connection.settimeout(0.3)
        with pytest.raises(TimeoutError):
            echo(connection)
        proxy.mode = Mode.PASS
        connection.settimeout(2)
        assert connection.recv(5) == b"hello"


def test_a_cut_ends_open_connections_and_new_ones_work(proxy):
    """Reset or end of file, never silence."""
    with connect(proxy) as connection:
        assert echo(connection) == b"hello"
        proxy.cut()
        with contextlib.suppress(ConnectionResetError):
            assert connection.recv(5) == b""
    with connect(proxy) as connection:
        assert echo(connection) == b"hello"


def test_refused_connections_are_ended_at_once(proxy):
    """And open ones live on."""
    with connect(proxy) as old:
        assert echo(old) == b"hello"
        proxy.mode = Mode.REFUSE
        with connect(proxy) as new, contextlib.suppress(ConnectionResetError):
            assert new.recv(5) == b""
        assert echo(old) == b"hello"
