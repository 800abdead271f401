"""A collector of traces: OTLP over HTTP on loopback, decoded by OpenTelemetry's own protobuf."""

from contextlib import asynccontextmanager

from aiohttp import web
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)


class Collector:
    """`raw`: every byte that came in; `requests`: what it means. `status` is what it answers."""

    def __init__(self):
        self.raw, self.requests, self.status, self.url = b"", [], 200, ""

    async def take(self, request):
        body = await request.read()
        assert request.headers["Content-Type"] == "application/x-protobuf"
        self.raw += repr(request.headers).encode() + body
        self.requests.append(ExportTraceServiceRequest.FromString(body))
        answer = ExportTraceServiceResponse().SerializeToString()
        return web.Response(status=self.status, body=answer, content_type="application/x-protobuf")

    @property
    def spans(self):
        """All of them, in the order in which they came."""
        told = [
            scope for request in self.requests for resource in request.resource_spans for scope in resource.scope_spans
        ]
        return [span for scope in told for span in scope.spans]

    def named(self, name):
        return [span for span in self.spans if span.name == name]

    @property
    def service(self):
        told = {a.key: a.value.string_value for a in self.requests[0].resource_spans[0].resource.attributes}
        return told["service.name"]


def told(span):
    """A span's attributes."""
    found = {a.key: a.value for a in span.attributes}
    return {key: value.string_value or value.int_value for key, value in found.items()}


@asynccontextmanager
async def collecting():
    collector, app = Collector(), web.Application()
    app.router.add_post("/v1/traces", collector.take)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    collector.url = f"http://127.0.0.1:{site._server.sockets[0].getsockname()[1]}"
    try:
        yield collector
    finally:
        await runner.cleanup()
