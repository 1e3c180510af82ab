"""One operation on its way: its span, its stages, and how its audio left."""

from opentelemetry import trace
from opentelemetry.trace import StatusCode
from opentelemetry.util.types import AttributeValue

from telemetry import metrics, spans
from telemetry.clock import TRACER, BusySpan, MonotonicSpan
from telemetry.spans import Operation, Outcome, Stage


class OperationSpan:
    """The span of one operation and the marks that are written to it once, when it ends.

    Started under the current span (the server span of the request) and never attached, so that it may
    live in a stream. Everything in it may be called from any thread, one at a time.
    """

    def __init__(
        self, operation: Operation, *, engine: str, model: str, attributes: dict[str, AttributeValue]
    ) -> None:
        self.operation = operation
        self._labels = (operation.value, engine)
        self.span = TRACER.start_span(
            f"{operation.value} {engine}",
            attributes={
                spans.OPERATION: operation.value,
                spans.ENGINE: engine,
                spans.GEN_AI_OPERATION: operation.value,
                spans.GEN_AI_PROVIDER: engine,
                spans.GEN_AI_MODEL: model,
                **attributes,
            },
        )
        self._context = trace.set_span_in_context(self.span)
        self._stages: dict[Stage, BusySpan] = {}
        self._first_audio: float | None = None
        self._underrun = 0.0
        self._audio_seconds = 0.0
        self._audio_bytes = 0
        self._chunks = 0
        self._ended = False
        metrics.OPERATIONS_ACTIVE.labels(*self._labels).inc()

    def stage(self, stage: Stage) -> BusySpan:
        """The span of a stage, one for the whole operation."""
        if stage not in self._stages:
            self._stages[stage] = BusySpan(stage, self._context)
        return self._stages[stage]

    def audio(self, seconds: float, size: int) -> None:
        """Note that audio of so many seconds and bytes is being handed to the peer now."""
        if isinstance(self.span, MonotonicSpan):
            now = self.span.since_origin
            if self._first_audio is None:
                self._first_audio = now
            # A player that began with the first byte has played (now - first) seconds and needs this chunk.
            self._underrun = max(self._underrun, now - self._first_audio - self._audio_seconds)
        self._audio_seconds += seconds
        self._audio_bytes += size
        self._chunks += 1

    @property
    def audio_seconds(self) -> float:
        return self._audio_seconds

    @property
    def has_audio(self) -> bool:
        return self._audio_bytes > 0

    def end(self, outcome: Outcome, error_code: str | None = None) -> None:
        """End the stages, then the operation; later calls do nothing."""
        if self._ended:
            return
        self._ended = True
        for stage in self._stages.values():
            stage.end()
        span = self.span
        length = span.stop() if isinstance(span, MonotonicSpan) else 0.0
        deliver = self._stages.get(Stage.DELIVER)
        busy = max(length - deliver.busy_seconds, 0.0) if deliver else length
        attributes: dict[str, AttributeValue] = {
            spans.OUTCOME: outcome.value,
            spans.BUSY_SECONDS: busy,
            spans.AUDIO_SECONDS: self._audio_seconds,
            spans.AUDIO_BYTES: self._audio_bytes,
            spans.CHUNKS: self._chunks,
        }
        if self._first_audio is not None:
            attributes[spans.TIME_TO_FIRST_AUDIO] = self._first_audio
            attributes[spans.PLAYBACK_UNDERRUN] = self._underrun
        if self._audio_seconds > 0:
            attributes[spans.REAL_TIME_FACTOR] = busy / self._audio_seconds
        if error_code is not None:
            attributes[spans.ERROR_TYPE] = error_code
        if outcome in (Outcome.ERROR, Outcome.ABORTED, Outcome.EMPTY):
            span.set_status(StatusCode.ERROR)
        span.set_attributes(attributes)
        span.end()
        metrics.OPERATIONS_ACTIVE.labels(*self._labels).dec()
