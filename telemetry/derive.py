"""The span processor: when a span ends, its log line, histograms, JSON figures and header come from it."""

import logging
from dataclasses import dataclass, field
from threading import Lock
from typing import Final

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor
from opentelemetry.trace import SpanKind

from telemetry import metrics, spans
from telemetry.clock import NANOSECONDS, MonotonicSpan
from telemetry.logs import REQUEST_ID, event
from telemetry.metrics import OTHER
from telemetry.spans import FAILURE_MESSAGES, LOG_OPERATIONS, SUCCESS_MESSAGES, Operation, Outcome, Stage
from telemetry.window import RequestCounts, RollingWindow, milliseconds

logger = logging.getLogger(__name__)

MAX_TIMINGS: Final = 32

_STAGES: Final = {stage.value: stage for stage in Stage}

_UNEVENTFUL: Final = frozenset({Outcome.OK, Outcome.CANCELLED})


@dataclass(slots=True)
class Lineage:
    """What the spans of one request share."""

    request_id: str | None
    operation: str = OTHER
    engine: str = OTHER
    timings: list[tuple[str, float]] = field(default_factory=list)


class SpanDeriver(SpanProcessor):
    """Derives every other figure from spans as they end, and is the only place that publishes a duration.

    Args:
        window_minutes: how far back the JSON metrics look.
        voice_labels: voices that get a metric label of their own.
    """

    def __init__(self, window_minutes: float = 60, voice_labels: frozenset[str] = frozenset()) -> None:
        self.processing = RollingWindow(window_minutes)
        self.responses = RollingWindow(window_minutes)
        self.requests = RequestCounts()
        self._voice_labels = voice_labels
        self._lineages: dict[int, Lineage] = {}
        self._lock = Lock()

    def timings(self, span: trace.Span) -> list[tuple[str, float]]:
        """Names and seconds of the spans of this request that have ended so far."""
        lineage = self._lineages.get(span.get_span_context().span_id)
        return list(lineage.timings) if lineage else []

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        parent = trace.get_current_span(parent_context)
        MonotonicSpan.adopt(span, parent)
        # A remote parent's id is the caller's word, and could be that of somebody else's span in here.
        local = isinstance(parent, MonotonicSpan)
        lineage = self._lineages.get(parent.get_span_context().span_id) if local else None
        if lineage is None:
            lineage = Lineage(REQUEST_ID.get())
        attributes = span.attributes or {}
        if spans.OPERATION in attributes:
            lineage.operation = str(attributes[spans.OPERATION])
            lineage.engine = str(attributes[spans.ENGINE])
        with self._lock:
            self._lineages[span.get_span_context().span_id] = lineage

    def identify(self, span: trace.Span, request_id: str) -> None:
        """Tell which request a server span answers."""
        lineage = self._lineages.get(span.get_span_context().span_id)
        if lineage is not None:
            lineage.request_id = request_id

    def on_end(self, span: ReadableSpan) -> None:
        if span.context is None or span.start_time is None or span.end_time is None:
            return
        with self._lock:
            lineage = self._lineages.pop(span.context.span_id, None) or Lineage(None)
        attributes = span.attributes or {}
        length = (span.end_time - span.start_time) / NANOSECONDS
        busy = attributes.get(spans.BUSY_SECONDS, length)
        seconds = busy if isinstance(busy, float) else length
        if span.kind is SpanKind.SERVER:
            self._request_ended(span, length, lineage)
        elif spans.OPERATION in attributes:
            self._operation_ended(span, seconds, lineage)
        elif span.name in _STAGES:
            self._stage_ended(span, seconds, lineage)

    def _request_ended(self, span: ReadableSpan, seconds: float, lineage: Lineage) -> None:
        attributes = span.attributes or {}
        if spans.OUTCOME not in attributes:
            return  # a path that is not observed, under a Host header that hid it from the instrumentation
        method = str(attributes.get(spans.HTTP_METHOD, "WEBSOCKET"))
        method = method if method in metrics.METHODS else OTHER
        route = str(attributes.get(spans.HTTP_ROUTE, OTHER))
        status = str(attributes.get(spans.HTTP_STATUS, 0))
        outcome = Outcome(str(attributes[spans.OUTCOME]))
        size = _number(attributes.get(spans.HTTP_RESPONSE_SIZE))
        code = attributes.get(spans.ERROR_TYPE)
        metrics.HTTP_DURATION.labels(method, route, status, outcome.value).observe(seconds, _exemplar(span))
        metrics.HTTP_RESPONSE_BYTES.labels(method, route).inc(size)
        self.requests.add(f"{method} {route}", outcome is Outcome.OK, None if code is None else str(code))
        if method != "WEBSOCKET" and not attributes.get(spans.EVENT_STREAM):
            self.responses.add(seconds)
        duration = milliseconds(seconds)
        path = str(attributes.get(spans.URL_PATH, route))
        fields: dict[str, object] = {
            "method": method,
            "status_code": int(status),
            "outcome": outcome.value,
            "duration_ms": duration,
            "response_size_bytes": int(size),
        }
        if outcome is not Outcome.OK:
            fields["error"] = attributes.get(spans.ERROR_MESSAGE, outcome.value)
            fields["error_code"] = code
        event(
            logger,
            _level(outcome),
            f"{'Request completed' if outcome is Outcome.OK else 'Request failed'}: {method} {path}",
            fields=fields,
            data={"duration_ms": duration},
            span=span.context,
            request_id=lineage.request_id,
        )

    def _operation_ended(self, span: ReadableSpan, seconds: float, lineage: Lineage) -> None:
        attributes = span.attributes or {}
        operation = Operation(lineage.operation)
        labels = (operation.value, lineage.engine)
        outcome = Outcome(str(attributes.get(spans.OUTCOME, Outcome.ERROR)))
        exemplar = _exemplar(span)
        metrics.OPERATION_DURATION.labels(*labels, outcome.value).observe(seconds, exemplar)
        audio_seconds = _number(attributes.get(spans.AUDIO_SECONDS))
        if audio_seconds > 0:
            voice = str(attributes.get(spans.GEN_AI_VOICE, OTHER))
            voice = voice if voice in self._voice_labels else OTHER
            metrics.AUDIO_SECONDS.labels(*labels, voice).inc(audio_seconds)
            metrics.CHARACTERS.labels(*labels).inc(_number(attributes.get(spans.CHARACTERS)))
        streamed = bool(attributes.get(spans.STREAMED))
        if outcome is Outcome.OK:
            first = attributes.get(spans.TIME_TO_FIRST_AUDIO)
            if first is not None:
                mode = "stream" if streamed else "whole"
                metrics.FIRST_AUDIO.labels(*labels, mode).observe(_number(first), exemplar)
            factor = attributes.get(spans.REAL_TIME_FACTOR)
            if factor is not None:
                metrics.REAL_TIME.labels(*labels).observe(_number(factor), exemplar)
            if streamed:
                underrun = _number(attributes.get(spans.PLAYBACK_UNDERRUN))
                metrics.UNDERRUN.labels(*labels).observe(underrun, exemplar)
        self.processing.add(seconds)
        lineage.timings.append((operation.value, seconds))
        name = LOG_OPERATIONS[operation]
        duration = milliseconds(seconds)
        event(
            logger,
            logging.INFO,
            f"Completed operation: {name}",
            operation=name,
            fields={"duration_ms": duration},
            data={"duration_ms": duration, "outcome": outcome.value, **_facts(span)},
            span=span.context,
            request_id=lineage.request_id,
        )
        ok = outcome is Outcome.OK
        event(
            logger,
            _level(outcome),
            SUCCESS_MESSAGES[operation] if ok else f"{FAILURE_MESSAGES[operation]}: {_cause(span, outcome)}",
            operation=name,
            span=span.context,
            request_id=lineage.request_id,
        )

    def _stage_ended(self, span: ReadableSpan, seconds: float, lineage: Lineage) -> None:
        stage = _STAGES[span.name]
        metrics.STAGE_DURATION.labels(lineage.operation, lineage.engine, stage.label).observe(
            seconds, _exemplar(span)
        )
        if len(lineage.timings) < MAX_TIMINGS:
            lineage.timings.append((span.name, seconds))
        if logger.isEnabledFor(logging.DEBUG):
            duration = milliseconds(seconds)
            event(
                logger,
                logging.DEBUG,
                f"Completed stage: {span.name}",
                fields={"duration_ms": duration},
                data={"duration_ms": duration},
                span=span.context,
                request_id=lineage.request_id,
            )


def _level(outcome: Outcome) -> int:
    """ERROR for whatever was not answered as asked, the caller's fault or ours: `docs/logs.md` says why."""
    return logging.INFO if outcome in _UNEVENTFUL else logging.ERROR


def _exemplar(span: ReadableSpan) -> dict[str, str] | None:
    """The trace's id, if the trace is one that somebody has: only sampled spans are exported."""
    if span.context is None or not span.context.trace_flags.sampled:
        return None
    return {"trace_id": trace.format_trace_id(span.context.trace_id)}


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float) else 0.0


_FACTS: Final = {
    spans.GEN_AI_MODEL: "model",
    spans.ENGINE: "engine",
    spans.GEN_AI_VOICE: "voice",
    spans.AUDIO_FORMAT: "format",
    spans.STREAMED: "streamed",
    spans.CHARACTERS: "text_length",
    spans.AUDIO_SECONDS: "audio_seconds",
    spans.AUDIO_BYTES: "audio_size_bytes",
    spans.CHUNKS: "chunks",
    spans.TIME_TO_FIRST_AUDIO: "time_to_first_audio_seconds",
    spans.REAL_TIME_FACTOR: "real_time_factor",
    spans.PLAYBACK_UNDERRUN: "playback_underrun_seconds",
    spans.ERROR_TYPE: "error_code",
}


def _facts(span: ReadableSpan) -> dict[str, object]:
    attributes = span.attributes or {}
    facts: dict[str, object] = {}
    for attribute, name in _FACTS.items():
        if attribute in attributes:
            value = attributes[attribute]
            facts[name] = round(value, 6) if isinstance(value, float) else value
    return facts


def _cause(span: ReadableSpan, outcome: Outcome) -> str:
    return str((span.attributes or {}).get(spans.ERROR_TYPE, outcome.value))
