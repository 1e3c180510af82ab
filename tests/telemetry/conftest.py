"""What the telemetry's tests share: spans recorded in this process, and a clock that they turn by hand."""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import Tracer

from telemetry.derive import SpanDeriver

LIVE = {"test_export.py", "test_log_contract.py", "test_outcomes.py", "test_privacy.py"}
"""Tests with a running service; they come after those without."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: item.path.name in LIVE and item.path.parent.name == "telemetry")


@dataclass
class Recorder:
    """A tracer with the span deriver behind it, and the spans that have ended."""

    tracer: Tracer
    deriver: SpanDeriver
    exporter: InMemorySpanExporter

    @property
    def ended(self) -> tuple[ReadableSpan, ...]:
        return self.exporter.get_finished_spans()

    def span(self, name: str) -> ReadableSpan:
        (found,) = [span for span in self.ended if span.name == name]
        return found


@dataclass
class HandClock:
    """A monotonic clock in nanoseconds that moves when it is told to."""

    now: int = 1_000_000_000

    def __call__(self) -> int:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += round(seconds * 1e9)


@pytest.fixture
def recorder(monkeypatch: pytest.MonkeyPatch) -> Iterator[Recorder]:
    provider = TracerProvider(shutdown_on_exit=False)
    deriver, exporter = SpanDeriver(), InMemorySpanExporter()
    provider.add_span_processor(deriver)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    tracer = provider.get_tracer("tests")
    monkeypatch.setattr("telemetry.clock.TRACER", tracer)
    monkeypatch.setattr("telemetry.operation.TRACER", tracer)
    yield Recorder(tracer, deriver, exporter)
    provider.shutdown()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> HandClock:
    clock = HandClock()
    monkeypatch.setattr("telemetry.clock.perf_counter_ns", clock)
    return clock
