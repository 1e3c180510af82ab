"""OTLP export of traces and logs: batched, bounded, counted, and never in anybody's way."""

import logging
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.exporter.otlp.proto.grpc._log_exporter import OTLPLogExporter as GrpcLogExporter
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as GrpcSpanExporter
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter as HttpLogExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as HttpSpanExporter
from opentelemetry.sdk._logs import LoggerProvider, ReadableLogRecord, ReadWriteLogRecord
from opentelemetry.sdk._logs.export import (
    BatchLogRecordProcessor,
    LogRecordExporter,
    LogRecordExportResult,
)
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.trace import NonRecordingSpan, set_span_in_context

from telemetry import metrics
from telemetry.logs import log_fields
from telemetry.redact import Redactor

EXPORT_TIMEOUT_SECONDS: Final = 5
SHUTDOWN_MILLISECONDS: Final = 3000
"""How long each signal may take to send what is left at the end: no collector holds up a restart."""

_SEVERITIES: Final = {
    "DEBUG": SeverityNumber.DEBUG,
    "INFO": SeverityNumber.INFO,
    "WARNING": SeverityNumber.WARN,
    "ERROR": SeverityNumber.ERROR,
    "CRITICAL": SeverityNumber.FATAL,
}


@dataclass(frozen=True, slots=True)
class ExportSettings:
    """Where telemetry is sent. With no endpoint, the standard OTEL_EXPORTER_OTLP_* variables decide."""

    endpoint: str | None = None
    protocol: str = "grpc"
    headers: Mapping[str, str] = field(default_factory=dict)
    logs: bool = True

    def enabled(self, signal: str) -> bool:
        names = ("OTEL_EXPORTER_OTLP_ENDPOINT", f"OTEL_EXPORTER_OTLP_{signal.upper()}_ENDPOINT")
        return bool(self.endpoint or any(os.environ.get(name) for name in names))

    def over_http(self, signal: str) -> bool:
        """Settings decide where they name the endpoint, the standard variables where those do."""
        protocol = self.protocol
        if self.endpoint is None:
            general = os.environ.get("OTEL_EXPORTER_OTLP_PROTOCOL", protocol)
            protocol = os.environ.get(f"OTEL_EXPORTER_OTLP_{signal.upper()}_PROTOCOL", general)
        return protocol.startswith("http")

    def url(self, signal: str) -> str | None:
        """The endpoint for OTLP over HTTP, which has a path a signal (OTLP specification 1.x)."""
        return None if self.endpoint is None else f"{self.endpoint.rstrip('/')}/v1/{signal}"

    def timeout(self, signal: str) -> float | None:
        """Seconds for one batch, retries included; None where a standard variable tells."""
        names = ("OTEL_EXPORTER_OTLP_TIMEOUT", f"OTEL_EXPORTER_OTLP_{signal.upper()}_TIMEOUT")
        return None if any(os.environ.get(name) for name in names) else EXPORT_TIMEOUT_SECONDS


class CountingSpanExporter(SpanExporter):
    """Counts what the collector took and what it did not."""

    def __init__(self, exporter: SpanExporter) -> None:
        self._exporter = exporter

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        try:
            result = self._exporter.export(spans)
        except Exception:
            _count("traces", len(spans), taken=False)
            raise
        _count("traces", len(spans), taken=result is SpanExportResult.SUCCESS)
        return result

    def shutdown(self) -> None:
        self._exporter.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        return self._exporter.force_flush(timeout_millis)


class CountingLogExporter(LogRecordExporter):
    """Likewise for log records."""

    def __init__(self, exporter: LogRecordExporter) -> None:
        self._exporter = exporter

    def export(self, batch: Sequence[ReadableLogRecord]) -> LogRecordExportResult:
        try:
            result = self._exporter.export(batch)
        except Exception:
            _count("logs", len(batch), taken=False)
            raise
        _count("logs", len(batch), taken=result is LogRecordExportResult.SUCCESS)
        return result

    def shutdown(self) -> None:
        self._exporter.shutdown()  # type: ignore[no-untyped-call]  # the library has no hint on it

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        return True


def _count(signal: str, items: int, *, taken: bool) -> None:
    if taken:
        metrics.EXPORTED.labels(signal).inc(items)
    else:
        metrics.DROPPED.labels(signal, "export_failed").inc(items)


class CountingBatchSpanProcessor(BatchSpanProcessor):
    """The SDK's, whose full queue drops the oldest span: that is counted. Its shutdown has a bound."""

    def on_end(self, span: ReadableSpan) -> None:
        waiting = self._batch_processor._queue
        if span.context and span.context.trace_flags.sampled and len(waiting) == waiting.maxlen:
            metrics.DROPPED.labels("traces", "queue_full").inc()
        super().on_end(span)

    def shutdown(self) -> None:
        self._batch_processor.shutdown(SHUTDOWN_MILLISECONDS)


class CountingBatchLogProcessor(BatchLogRecordProcessor):
    """Likewise for log records."""

    def on_emit(self, log_record: ReadWriteLogRecord) -> None:
        waiting = self._batch_processor._queue
        if len(waiting) == waiting.maxlen:
            metrics.DROPPED.labels("logs", "queue_full").inc()
        super().on_emit(log_record)

    def shutdown(self) -> None:
        self._batch_processor.shutdown(SHUTDOWN_MILLISECONDS)


def span_processor(settings: ExportSettings) -> BatchSpanProcessor | None:
    """The processor that sends sampled spans, or none where no endpoint is set."""
    if not settings.enabled("traces"):
        return None
    exporter: SpanExporter
    if settings.over_http("traces"):
        exporter = HttpSpanExporter(
            endpoint=settings.url("traces"),
            headers=dict(settings.headers) or None,
            timeout=settings.timeout("traces"),
        )
    else:
        exporter = GrpcSpanExporter(
            endpoint=settings.endpoint,
            headers=dict(settings.headers) or None,
            timeout=settings.timeout("traces"),
        )
    return CountingBatchSpanProcessor(CountingSpanExporter(exporter))


def logger_provider(settings: ExportSettings, resource: Resource) -> LoggerProvider | None:
    """Sends log records, or none where no endpoint is set or logs are not to be exported."""
    if not settings.logs or not settings.enabled("logs"):
        return None
    exporter: LogRecordExporter
    if settings.over_http("logs"):
        exporter = HttpLogExporter(
            endpoint=settings.url("logs"),
            headers=dict(settings.headers) or None,
            timeout=settings.timeout("logs"),
        )
    else:
        exporter = GrpcLogExporter(
            endpoint=settings.endpoint,
            headers=dict(settings.headers) or None,
            timeout=settings.timeout("logs"),
        )
    provider = LoggerProvider(resource=resource, shutdown_on_exit=False)
    provider.add_log_record_processor(CountingBatchLogProcessor(CountingLogExporter(exporter)))
    return provider


class OtlpLogHandler(logging.Handler):
    """Hands the very fields that the log file gets to the OTLP log exporter."""

    def __init__(self, provider: LoggerProvider, redactor: Redactor) -> None:
        super().__init__()
        self._provider = provider
        self._redactor = redactor

    def emit(self, record: logging.LogRecord) -> None:
        if record.name.startswith("opentelemetry"):
            return  # what goes wrong with export is not exported: it would feed itself
        line = log_fields(record, self._redactor)
        span = getattr(record, "span_context", None)
        attributes = {
            name: value
            for name, value in line.items()
            if name not in ("timestamp", "level", "message", "trace_id", "span_id", "trace_flags")
        }
        self._provider.get_logger(record.name).emit(
            LogRecord(
                timestamp=int(record.created * 1e9),
                context=set_span_in_context(NonRecordingSpan(span)) if span else None,
                severity_text=record.levelname,
                severity_number=_SEVERITIES.get(record.levelname, SeverityNumber.UNSPECIFIED),
                body=str(line["message"]),
                attributes=attributes,  # type: ignore[arg-type]  # plain JSON values, which OTLP's AnyValue is
            )
        )
