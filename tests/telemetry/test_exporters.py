"""The exporters by themselves: every protocol, however it was asked for, and what a full queue loses."""

import logging
import socket
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from threading import Event
from time import monotonic
from typing import Any

import pytest
from opentelemetry.sdk._logs import ReadableLogRecord
from opentelemetry.sdk._logs.export import LogRecordExporter, LogRecordExportResult
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from telemetry.export import (
    CountingBatchSpanProcessor,
    CountingLogExporter,
    CountingSpanExporter,
    ExportSettings,
    OtlpLogHandler,
    logger_provider,
    span_processor,
)
from telemetry.metrics import REGISTRY
from telemetry.redact import Redactor
from tests.otlp import Collector, grpc_collector, http_collector

COLLECTORS: dict[str, Callable[[], AbstractContextManager[Collector]]] = {
    "grpc": grpc_collector,
    "http/protobuf": http_collector,
}
Variables = Callable[[Collector, str], dict[str, str]]

NO_VARIABLES: Variables = lambda collector, protocol: {}  # noqa: E731  # a table of them reads best
GENERAL: Variables = lambda collector, protocol: {  # noqa: E731  # likewise
    "OTEL_EXPORTER_OTLP_ENDPOINT": collector.endpoint,
    "OTEL_EXPORTER_OTLP_PROTOCOL": protocol,
}


def of_a_signal(signal: str) -> Variables:
    def variables(collector: Collector, protocol: str) -> dict[str, str]:
        path = f"/v1/{signal.lower()}" if protocol.startswith("http") else ""
        return {
            f"OTEL_EXPORTER_OTLP_{signal}_ENDPOINT": collector.endpoint + path,
            f"OTEL_EXPORTER_OTLP_{signal}_PROTOCOL": protocol,
        }

    return variables


def send_one_of_each(settings: ExportSettings) -> None:
    spans = span_processor(settings)
    if spans is not None:
        provider = TracerProvider(shutdown_on_exit=False)
        provider.add_span_processor(spans)
        provider.get_tracer("tests").start_span("sent").end()
        provider.shutdown()
    logs = logger_provider(settings, Resource.create({}))
    if logs is not None:
        record = logging.LogRecord("service.tests", logging.WARNING, "file.py", 1, "sent", None, None)
        OtlpLogHandler(logs, Redactor()).emit(record)
        logs.shutdown()


@pytest.mark.parametrize("protocol", COLLECTORS)
@pytest.mark.parametrize(
    ("in_settings", "variables", "sent"),
    [
        pytest.param(True, NO_VARIABLES, {"traces", "logs"}, id="settings"),
        pytest.param(False, GENERAL, {"traces", "logs"}, id="variables"),
        pytest.param(False, of_a_signal("TRACES"), {"traces"}, id="variables of traces"),
        pytest.param(False, of_a_signal("LOGS"), {"logs"}, id="variables of logs"),
    ],
)
def test_both_protocols_work_however_they_are_asked_for(
    monkeypatch: pytest.MonkeyPatch, protocol: str, in_settings: bool, variables: Variables, sent: set[str]
) -> None:
    with COLLECTORS[protocol]() as collector:
        for name, value in variables(collector, protocol).items():
            monkeypatch.setenv(name, value)
        settings = (
            ExportSettings(collector.endpoint, protocol, {"x-key": "secret"})
            if in_settings
            else ExportSettings()
        )
        send_one_of_each(settings)
        assert [span.name for span in collector.spans] == (["sent"] if "traces" in sent else [])
        assert [log.body for log in collector.logs] == (["sent"] if "logs" in sent else [])
        assert all(
            headers.get("x-key") == ("secret" if in_settings else None) for headers in collector.headers
        )


def test_nothing_is_sent_where_nobody_asked() -> None:
    assert span_processor(ExportSettings()) is None
    assert logger_provider(ExportSettings(), Resource.create({})) is None
    assert logger_provider(ExportSettings("http://localhost:1", logs=False), Resource.create({})) is None


def test_settings_are_stronger_than_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://localhost:1")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")
    with http_collector() as collector:
        send_one_of_each(ExportSettings(collector.endpoint, "http/protobuf"))
        assert [span.name for span in collector.spans] == ["sent"]


def test_the_time_limit_is_ours_unless_a_variable_tells(monkeypatch: pytest.MonkeyPatch) -> None:
    assert ExportSettings().timeout("traces") == 5
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "1")
    assert ExportSettings().timeout("traces") is None
    assert ExportSettings().timeout("logs") == 5


def count(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0


class StuckExporter(SpanExporter):
    """A collector that does not answer until it is released."""

    def __init__(self) -> None:
        self.entered, self.released = Event(), Event()
        self.names: list[str] = []

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        self.entered.set()
        assert self.released.wait(10)
        self.names += [span.name for span in spans]
        return SpanExportResult.SUCCESS


def test_a_full_queue_drops_the_oldest_and_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_BSP_MAX_QUEUE_SIZE", "2")
    monkeypatch.setenv("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "1")
    dropped = count("telemetry_dropped_total", signal="traces", reason="queue_full")
    exporter = StuckExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(CountingBatchSpanProcessor(exporter))
    tracer = provider.get_tracer("tests")
    tracer.start_span("on its way").end()
    assert exporter.entered.wait(10)
    for number in range(5):
        tracer.start_span(f"span {number}").end()
    assert count("telemetry_dropped_total", signal="traces", reason="queue_full") - dropped == 3
    exporter.released.set()
    provider.shutdown()
    assert exporter.names == ["on its way", "span 3", "span 4"]


class BrokenExporter(SpanExporter, LogRecordExporter):
    """Fails as it is told to: by what it returns, or by an exception."""

    def __init__(self, raises: bool) -> None:
        self._raises = raises

    def export(self, batch: Any) -> Any:
        if self._raises:
            raise ConnectionError
        is_span = isinstance(batch[0], ReadableSpan)
        return SpanExportResult.FAILURE if is_span else LogRecordExportResult.FAILURE

    def shutdown(self) -> None:
        pass


@pytest.mark.parametrize("raises", [False, True])
def test_every_failed_attempt_is_counted(raises: bool) -> None:
    broken = BrokenExporter(raises)
    record: Any = object.__new__(ReadableLogRecord)
    for signal, exporter, items in (
        ("traces", CountingSpanExporter(broken), [ReadableSpan("a"), ReadableSpan("b")]),
        ("logs", CountingLogExporter(broken), [record, record]),
    ):
        before = count("telemetry_dropped_total", signal=signal, reason="export_failed")
        try:
            exporter.export(items)  # type: ignore[arg-type]  # each its own
        except ConnectionError:
            assert raises
        assert count("telemetry_dropped_total", signal=signal, reason="export_failed") - before == 2


def test_logs_of_the_exporters_are_not_exported() -> None:
    """What goes wrong with export would feed itself."""
    with grpc_collector() as collector:
        logs = logger_provider(ExportSettings(collector.endpoint), Resource.create({}))
        assert logs is not None
        for name in ("opentelemetry.exporter.otlp", "service.tests"):
            record = logging.LogRecord(name, logging.WARNING, "file.py", 1, name, None, None)
            OtlpLogHandler(logs, Redactor()).emit(record)
        logs.shutdown()
        assert [log.body for log in collector.logs] == ["service.tests"]


def test_the_end_has_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    """A collector that takes the connection and says nothing, with a queue of batches to send."""
    monkeypatch.setattr("telemetry.export.SHUTDOWN_MILLISECONDS", 100)
    monkeypatch.setenv("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "1")
    with socket.create_server(("127.0.0.1", 0)) as mute:
        processor = span_processor(ExportSettings(f"http://127.0.0.1:{mute.getsockname()[1]}"))
        assert processor is not None
        provider = TracerProvider(shutdown_on_exit=False)
        provider.add_span_processor(processor)
        for _ in range(20):
            provider.get_tracer("tests").start_span("never sent").end()
        started = monotonic()
        provider.shutdown()
        assert monotonic() - started < 5  # 100 without a bound
