"""Time, kept in spans: a monotonic span, and a span that adds up interleaved work."""

from threading import Lock
from time import perf_counter_ns
from types import TracebackType
from typing import Self, cast

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.sdk.trace import Span, _Span
from opentelemetry.trace import Status, StatusCode
from opentelemetry.util.types import Attributes

from telemetry import spans

TRACER_NAME = "chatterbox"

NANOSECONDS = 1e9


TRACER = trace.get_tracer(TRACER_NAME)
"""Stands for the tracer of the provider that is set up later; made once, since each costs 6 µs."""


class MonotonicSpan(_Span):
    """A span whose length is a monotonic difference, whatever the wall clock does meanwhile.

    Only the first span of this process in a trace asks the wall clock; those below it start where the
    monotonic clock says, so that each lies inside its parent. The SDK has no hook for the clock, so the span
    processor turns each span into one at its start (`adopt`). It also keeps messages of exceptions out of
    the trace, since those can hold spoken text, and takes a second `end()` in silence: the HTTP
    instrumentation ends the server span after the last body message has been sent, and we end it before, so
    that whoever has the whole answer can already read its metrics.
    """

    _started_at: int
    _stopped_at: int | None
    _origin: int

    @staticmethod
    def adopt(span: Span, parent: trace.Span) -> "MonotonicSpan":
        """Make `span`, just started, monotonic; `parent` is its parent, which may be remote or none."""
        span.__class__ = MonotonicSpan
        adopted = cast(MonotonicSpan, span)
        adopted._started_at = perf_counter_ns()
        adopted._stopped_at = None
        adopted._origin = adopted._started_at
        if isinstance(parent, MonotonicSpan):
            adopted._origin = parent._origin
            adopted._start_time = cast(int, parent.start_time) + adopted._started_at - parent._started_at
        return adopted

    @property
    def since_origin(self) -> float:
        """Seconds since the first span of this process in the trace began: the request's arrival."""
        return (perf_counter_ns() - self._origin) / NANOSECONDS

    def stop(self, at: int | None = None) -> float:
        """Fix the end of the span without ending it; attributes can still be set.

        Args:
            at: `perf_counter_ns()` of the end, now if not given.

        Returns:
            The length of the span in seconds.
        """
        self._stopped_at = perf_counter_ns() if at is None else at
        return (self._stopped_at - self._started_at) / NANOSECONDS

    def end(self, end_time: int | None = None) -> None:
        if not self.is_recording():
            return
        if end_time is None:
            stopped_at = perf_counter_ns() if self._stopped_at is None else self._stopped_at
            end_time = cast(int, self.start_time) + stopped_at - self._started_at
        super().end(end_time)

    def record_exception(
        self,
        exception: BaseException,
        attributes: Attributes = None,
        timestamp: int | None = None,
        escaped: bool = False,
    ) -> None:
        self.add_event(
            "exception",
            {"exception.type": type(exception).__qualname__, **(attributes or {})},
            timestamp,
        )

    def set_status(self, status: Status | StatusCode, description: str | None = None) -> None:
        code = status.status_code if isinstance(status, Status) else status
        if self.is_recording():
            super().set_status(Status(code))


class BusySpan:
    """One stage of an operation whose work interleaves with the others'.

    Enter it as often as there is work, from any thread. The span runs from the first start to the last end
    and carries `speech.busy_seconds`, the time in which anybody was inside; entering it again from inside
    adds nothing. A stage that was never entered leaves no span. It is never attached to the context, so it
    may live across a `yield`.
    """

    def __init__(self, stage: spans.Stage, parent: Context) -> None:
        self.stage = stage
        self._parent = parent
        self._span: trace.Span | None = None
        self._inside = 0
        self._entered_at = 0
        self._left_at = 0
        self._busy = 0
        self._lock = Lock()

    @property
    def busy_seconds(self) -> float:
        return self._busy / NANOSECONDS

    def __enter__(self) -> Self:
        with self._lock:
            if self._span is None:
                self._span = TRACER.start_span(self.stage.value, self._parent)
                self._entered_at = perf_counter_ns()
                if isinstance(self._span, MonotonicSpan):
                    self._entered_at = self._span._started_at
            elif not self._inside:
                self._entered_at = perf_counter_ns()
            self._inside += 1
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        with self._lock:
            self._inside -= 1
            if not self._inside:
                self._leave()
        # A task that was cancelled or a generator that was closed did not fail.
        if isinstance(error, Exception) and self._span is not None and self._span.is_recording():
            self._span.set_attribute(spans.ERROR_TYPE, str(getattr(error, "code", type(error).__qualname__)))
            self._span.set_status(StatusCode.ERROR)

    def _leave(self) -> None:
        self._left_at = perf_counter_ns()
        self._busy += self._left_at - self._entered_at

    def end(self) -> None:
        """End the span at the last moment of work."""
        if self._span is None:
            return
        with self._lock:
            if self._inside:
                self._leave()
        self._span.set_attribute(spans.BUSY_SECONDS, self.busy_seconds)
        if isinstance(self._span, MonotonicSpan):
            self._span.stop(self._left_at)
        self._span.end()
