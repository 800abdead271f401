"""The tracer on OpenTelemetry: spans by the semantic conventions for messaging and HTTP, sent over OTLP/HTTP.

The only module that imports OpenTelemetry, itself imported only by `tracing`. Spans wait in a bounded queue and are
sent by a thread of their own: a collector that is slow or gone costs spans, never commands. Its failures are said
once, in our words, because OpenTelemetry's would quote the collector.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Collection, Mapping, Sequence
from types import TracebackType
from typing import Self

import structlog
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.trace import Link, SpanContext, SpanKind, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from consumer.trace_ports import ON_BEHALF, Span

CLOSE_S = 2.0
"""How long an end may wait for the last spans to be sent."""
MOST_LINKS = 128
"""OpenTelemetry's own default limit of links per span."""

_TEXT = TraceContextTextMapPropagator()
_NOWHERE = Context()
Attributes = dict[str, str | int]


def otlp_tracer(environ: Mapping[str, str], group: str) -> OtlpTracer:
    """A tracer that sends as the `OTEL_*` variables say: endpoint, headers, time-outs, sampler, queue, resource.

    `ValueError`: one of them makes no sense.
    """
    tracer = OtlpTracer(OTLPSpanExporter(), group, _resource(environ))
    for library in ("opentelemetry", "urllib3"):
        logging.getLogger(library).setLevel(logging.CRITICAL)  # from now on `_Reporting` says it, once
    return tracer


def _resource(environ: Mapping[str, str]) -> Resource:
    named = "OTEL_SERVICE_NAME" in environ or "service.name=" in environ.get("OTEL_RESOURCE_ATTRIBUTES", "")
    return Resource.create({} if named else {"service.name": "amplitude-dsr"})


class OtlpTracer:
    """Implements `Tracer`. The sampler is the SDK's: by default it honours the flag of the context that came in."""

    def __init__(self, exporter: SpanExporter, group: str, resource: Resource) -> None:
        self._provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        self._provider.add_span_processor(BatchSpanProcessor(_Reporting(exporter)))
        self._tracer, self._group = self._provider.get_tracer("amplitude-dsr"), group

    def taking(self, topic: str, partition: int, offset: int, context: str | None) -> Span:
        """See `Tracer`. A child of the producer's span."""
        where: Attributes = {
            "messaging.destination.partition.id": str(partition),
            "messaging.kafka.offset": offset,
        }
        told = self._messaging("process", "process", topic) | where
        return self._begin(f"process {topic}", SpanKind.CONSUMER, told, [context] if context else [])

    def committing(self, topic: str, records: int, contexts: Collection[str]) -> Span:
        """See `Tracer`."""
        told = self._messaging("commit", "settle", topic) | {"messaging.batch.message_count": records}
        return self._begin(f"commit {topic}", SpanKind.CLIENT, told, contexts)

    def telling(self, topic: str, context: str | None) -> str | None:
        """See `Tracer`. A span for each message of a batch, because each has a context of its own."""
        if context is None:
            return None
        told: Attributes = {
            "messaging.system": "kafka",
            "messaging.operation.name": "create",
            "messaging.operation.type": "create",
            "messaging.destination.name": topic,
        }
        with self._begin(f"create {topic}", SpanKind.PRODUCER, told, [context]) as span:
            return span.context or context

    def calling(self, method: str, host: str | None, template: str) -> Span:
        """See `Tracer`. The context is not sent to Amplitude."""
        told: Attributes = {"http.request.method": method}
        told |= {"url.template": template} if template else {}
        told |= {"server.address": host} if host else {}
        return self._begin(f"{method} {template}".strip(), SpanKind.CLIENT, told, ON_BEHALF.get())

    def close(self) -> None:
        """See `Tracer`: `CLOSE_S` at most. What is not sent by then is lost."""
        closing = threading.Thread(target=self._provider.shutdown, name="tracing-end", daemon=True)
        closing.start()
        closing.join(CLOSE_S)

    def _messaging(self, name: str, kind: str, topic: str) -> Attributes:
        return {
            "messaging.system": "kafka",
            "messaging.operation.name": name,
            "messaging.operation.type": kind,
            "messaging.destination.name": topic,
            "messaging.consumer.group.name": self._group,
        }

    def _begin(self, name: str, kind: SpanKind, told: Attributes, texts: Collection[str]) -> OtlpSpan:
        """A child where there is one context, links where there are several.

        What joins several contexts has no parent whose flag would decide: it is worth a span if one of them is.
        """
        contexts = [c for c in map(_parsed, dict.fromkeys(texts)) if c.is_valid]
        if len(contexts) == 1:
            parent = trace.set_span_in_context(trace.NonRecordingSpan(contexts[0]), _NOWHERE)
            return OtlpSpan(self._tracer.start_span(name, parent, kind, told))
        if contexts and not any(context.trace_flags.sampled for context in contexts):
            return OtlpSpan(trace.INVALID_SPAN)
        links = [Link(context) for context in contexts if context.trace_flags.sampled][:MOST_LINKS]
        return OtlpSpan(self._tracer.start_span(name, _NOWHERE, kind, told, links))


def _parsed(text: str) -> SpanContext:
    return trace.get_current_span(_TEXT.extract({"traceparent": text}, _NOWHERE)).get_span_context()


class OtlpSpan:
    """Implements `Span`. The SDK's span is never entered: it would record an exception with its text."""

    __slots__ = ("_failed", "_span")

    def __init__(self, span: trace.Span) -> None:
        self._span, self._failed = span, False

    @property
    def context(self) -> str | None:
        """See `Span`."""
        own = self._span.get_span_context()
        if not own.is_valid:
            return None
        return f"00-{own.trace_id:032x}-{own.span_id:016x}-{own.trace_flags & 1:02x}"

    def answered(self, status: int) -> None:
        """See `Span`. From 400 on, the status is the error's type."""
        self._span.set_attribute("http.response.status_code", status)
        if status >= 400:
            self.failed(str(status))

    def failed(self, why: str) -> None:
        """See `Span`. The first reason stands."""
        if not self._failed:
            self._failed = True
            self._span.set_attribute("error.type", why)
            self._span.set_status(Status(StatusCode.ERROR))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            self.failed(kind.__qualname__)
        self._span.end()


class _Reporting(SpanExporter):
    """An exporter that says in one line that spans are being lost, and in one that they no longer are."""

    def __init__(self, exporter: SpanExporter) -> None:
        self._exporter, self._lost = exporter, 0

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """As the exporter's. In the processor's thread."""
        try:
            result = self._exporter.export(spans)
        except Exception:  # noqa: BLE001 (whatever the libraries below raise: its text may quote the collector)
            result = SpanExportResult.FAILURE
        log, before = structlog.get_logger(), self._lost
        self._lost = 0 if result is SpanExportResult.SUCCESS else before + len(spans)
        if self._lost and not before:
            log.warning("traces are lost")
        elif before and not self._lost:
            log.info("traces arrive again", lost=before)
        return result

    def shutdown(self) -> None:
        """As the exporter's."""
        self._exporter.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """As the exporter's."""
        return self._exporter.force_flush(timeout_millis)
