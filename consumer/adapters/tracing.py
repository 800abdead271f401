"""Whether this process traces: if the extra is installed and the standard `OTEL_*` variables name a collector.

OpenTelemetry is imported only then; without it the service is given a `NoTracer`.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from importlib.util import find_spec

import structlog

from consumer.domain.errors import Fatal, Reason
from consumer.trace_ports import NoTracer, Tracer

ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
NEEDED = ("opentelemetry.sdk", "opentelemetry.exporter.otlp.proto.http")


def wanted(environ: Mapping[str, str]) -> bool:
    """Whether the environment asks for traces over OTLP; an exporter of another kind is none of ours."""
    if environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return False
    exporter = environ.get("OTEL_TRACES_EXPORTER", "").strip().lower()
    return exporter == "otlp" or (not exporter and any(environ.get(name) for name in ENDPOINTS))


def open_tracer(environ: Mapping[str, str], group: str) -> Tracer:
    """The tracer that the environment asks for; says so in one line of the log. `group`: the consumer group's name.

    `Fatal(INVALID_SETTINGS)` if a variable makes no sense.
    """
    if not wanted(environ):
        return NoTracer()
    log = structlog.get_logger()
    if not _installed():
        log.warning("tracing is asked for but not installed", install="amplitude-dsr[tracing]")
        return NoTracer()
    try:
        tracer: Tracer = import_module("consumer.adapters.spans").otlp_tracer(environ, group)
    except ValueError:
        raise Fatal(Reason.INVALID_SETTINGS, "OpenTelemetry does not take the value of an OTEL_ variable") from None
    log.info("tracing", exporter="otlp", protocol="http/protobuf")
    return tracer


def _installed() -> bool:
    try:
        return all(find_spec(name) is not None for name in NEEDED)
    except ModuleNotFoundError:  # of a package above
        return False
