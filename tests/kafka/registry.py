"""A Confluent-compatible schema registry in memory, for tests: register, look up, by id, compatibility, and faults.

Compatibility is judged by Apache `avro`, BACKWARD_TRANSITIVE, as in a registry with that default. Every request
is recorded in `seen`; `fault`, when set, answers instead.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestServer
from avro.compatibility import ReaderWriterCompatibilityChecker, SchemaCompatibilityType
from avro.errors import AvroException
from avro.schema import parse

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(slots=True)
class Registry:
    """The state and the handlers. Ids count from 1 and are shared by equal schemas, as in the real one."""

    schemas: list[str] = field(default_factory=list)
    subjects: dict[str, list[int]] = field(default_factory=dict)
    seen: list[str] = field(default_factory=list)
    fault: Answer | None = None

    def app(self) -> web.Application:
        """The HTTP application, ready to be served."""
        app = web.Application(middlewares=[self._witness])
        app.add_routes(
            [
                web.get("/schemas/ids/{id}", self._by_id),
                web.post("/subjects/{subject}", self._look_up),
                web.post("/subjects/{subject}/versions", self._register),
                web.post("/compatibility/subjects/{subject}/versions/latest", self._compatible),
            ]
        )
        return app

    @web.middleware
    async def _witness(self, request: web.Request, handler: Answer) -> web.StreamResponse:
        self.seen.append(f"{request.method} {request.path}")
        return await (self.fault or handler)(request)

    async def _by_id(self, request: web.Request) -> web.Response:
        number = int(request.match_info["id"])
        if not 1 <= number <= len(self.schemas):
            return _error(404, 40403, "Schema not found")
        return web.json_response({"schema": self.schemas[number - 1]})

    async def _look_up(self, request: web.Request) -> web.Response:
        subject, text = request.match_info["subject"], await _schema(request)
        if subject not in self.subjects:
            return _error(404, 40401, "Subject not found")
        number = self._number(text)
        if number not in self.subjects[subject]:
            return _error(404, 40403, "Schema not found")
        version = self.subjects[subject].index(number) + 1
        return web.json_response({"subject": subject, "id": number, "version": version, "schema": text})

    async def _register(self, request: web.Request) -> web.Response:
        subject, text = request.match_info["subject"], await _schema(request)
        try:
            parse(text)
        except AvroException:
            return _error(422, 42201, "Invalid schema")
        if not self._accepts(subject, text):
            return _error(409, 409, "Incompatible with an earlier schema")
        return web.json_response({"id": self.add(subject, text)})

    async def _compatible(self, request: web.Request) -> web.Response:
        subject = request.match_info["subject"]
        if subject not in self.subjects:
            return _error(404, 40401, "Subject not found")
        return web.json_response({"is_compatible": self._accepts(subject, await _schema(request))})

    def add(self, subject: str, text: str) -> int:
        """Register without any check; the id."""
        number = self._number(text)
        if not number:
            self.schemas.append(_canonical(text))
            number = len(self.schemas)
        numbers = self.subjects.setdefault(subject, [])
        if number not in numbers:
            numbers.append(number)
        return number

    def _number(self, text: str) -> int:
        text = _canonical(text)
        return self.schemas.index(text) + 1 if text in self.schemas else 0

    def _accepts(self, subject: str, text: str) -> bool:
        return all(can_read(text, self.schemas[number - 1]) for number in self.subjects.get(subject, []))


def can_read(reader: str, writer: str) -> bool:
    """Apache Avro's verdict. It overlooks logical types."""
    checker = ReaderWriterCompatibilityChecker()
    verdict = checker.get_compatibility(reader=parse(reader), writer=parse(writer))
    return verdict.compatibility is SchemaCompatibilityType.compatible


async def _schema(request: web.Request) -> str:
    body: dict[str, Any] = await request.json()
    return _canonical(body["schema"])


def _canonical(text: str) -> str:
    return json.dumps(json.loads(text), sort_keys=True)


def _error(status: int, code: int, message: str) -> web.Response:
    return web.json_response({"error_code": code, "message": message}, status=status)


@asynccontextmanager
async def serving(registry: Registry) -> AsyncIterator[str]:
    """Serve on a free loopback port; yields the base URL."""
    server = TestServer(registry.app())
    await server.start_server()
    try:
        yield str(server.make_url("")).rstrip("/")
    finally:
        await server.close()
