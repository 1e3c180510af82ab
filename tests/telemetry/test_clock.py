import asyncio
from threading import Barrier, Thread

import pytest
from opentelemetry.context import Context
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import Status, StatusCode, set_span_in_context

from telemetry import spans
from telemetry.clock import BusySpan, MonotonicSpan
from telemetry.spans import Stage
from tests.telemetry.conftest import HandClock, Recorder


def seconds(span: ReadableSpan) -> float:
    assert span.start_time is not None
    assert span.end_time is not None
    return (span.end_time - span.start_time) / 1e9


def test_a_wall_clock_that_steps_back_changes_no_length(
    recorder: Recorder, clock: HandClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    wall = HandClock(1_700_000_000_000_000_000)
    monkeypatch.setattr("opentelemetry.sdk.trace.time_ns", wall)
    outer = recorder.tracer.start_span("outer")
    clock.advance(1)
    wall.advance(-3600)
    inner = recorder.tracer.start_span("inner", set_span_in_context(outer))
    clock.advance(0.25)
    inner.end()
    wall.advance(-3600)
    outer.end()

    assert seconds(recorder.span("outer")) == pytest.approx(1.25)
    assert seconds(recorder.span("inner")) == pytest.approx(0.25)
    outer_start, inner_start = recorder.span("outer").start_time, recorder.span("inner").start_time
    assert outer_start is not None
    assert inner_start == outer_start + 1_000_000_000


def test_a_stopped_span_keeps_its_end_and_takes_attributes(recorder: Recorder, clock: HandClock) -> None:
    span = recorder.tracer.start_span("work")
    assert isinstance(span, MonotonicSpan)
    clock.advance(0.5)
    assert span.stop() == pytest.approx(0.5)
    clock.advance(10)
    span.set_attribute("late", True)
    span.end()

    ended = recorder.span("work")
    assert seconds(ended) == pytest.approx(0.5)
    assert dict(ended.attributes or {}) == {"late": True}


def test_a_second_end_is_taken_in_silence(recorder: Recorder, caplog: pytest.LogCaptureFixture) -> None:
    span = recorder.tracer.start_span("work")
    span.end()
    span.end()
    assert [ended.name for ended in recorder.ended] == ["work"]
    assert not caplog.records


def test_messages_of_exceptions_stay_out_of_spans(recorder: Recorder) -> None:
    with pytest.raises(ValueError), recorder.tracer.start_as_current_span("work"):
        raise ValueError("CANARY")

    ended = recorder.span("work")
    assert [(event.name, dict(event.attributes or {})) for event in ended.events] == [
        ("exception", {"exception.type": "ValueError"})
    ]
    assert ended.status.status_code is StatusCode.ERROR
    assert "CANARY" not in ended.to_json()


def test_so_do_descriptions_of_a_status(recorder: Recorder) -> None:
    span = recorder.tracer.start_span("work")
    span.set_status(Status(StatusCode.ERROR, "CANARY"))
    span.end()
    assert recorder.span("work").status.description is None


def test_time_since_the_arrival_is_that_of_the_first_span_here(recorder: Recorder, clock: HandClock) -> None:
    server = recorder.tracer.start_span("server")
    clock.advance(2)
    inner = recorder.tracer.start_span("inner", set_span_in_context(server))
    clock.advance(1)
    assert isinstance(inner, MonotonicSpan)
    assert inner.since_origin == pytest.approx(3)


def test_a_stage_that_was_never_entered_leaves_no_span(recorder: Recorder) -> None:
    BusySpan(Stage.EFFECTS, Context()).end()
    assert recorder.ended == ()


def test_a_stage_in_turns_is_one_span_with_the_busy_time(recorder: Recorder, clock: HandClock) -> None:
    stage = BusySpan(Stage.GENERATE, Context())
    for _ in range(20):
        with stage:
            clock.advance(0.1)
        clock.advance(1)
    stage.end()

    (span,) = recorder.ended
    assert span.name == "speech.generate"
    assert seconds(span) == pytest.approx(20 * 0.1 + 19 * 1)
    assert (span.attributes or {})[spans.BUSY_SECONDS] == pytest.approx(2.0)


def test_entering_from_inside_counts_once(recorder: Recorder, clock: HandClock) -> None:
    stage = BusySpan(Stage.NORMALIZE, Context())
    with stage:
        clock.advance(1)
        with stage:
            clock.advance(1)
        clock.advance(1)
    assert stage.busy_seconds == pytest.approx(3)
    stage.end()
    assert seconds(recorder.span("speech.normalize")) == pytest.approx(3)


def test_two_threads_inside_at_once_count_once(recorder: Recorder, clock: HandClock) -> None:
    stage = BusySpan(Stage.NORMALIZE, Context())
    both_inside, moved = Barrier(3), Barrier(3)

    def work() -> None:
        with stage:
            both_inside.wait(10)
            moved.wait(10)

    threads = [Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    both_inside.wait(10)
    clock.advance(1)
    moved.wait(10)
    for thread in threads:
        thread.join()
    assert stage.busy_seconds == pytest.approx(1)


def test_a_stage_that_is_ended_from_inside_ends_then(recorder: Recorder, clock: HandClock) -> None:
    stage = BusySpan(Stage.DELIVER, Context())
    with stage:
        clock.advance(1)
        stage.end()
        clock.advance(5)
    span = recorder.span("speech.deliver")
    assert seconds(span) == pytest.approx(1)
    assert (span.attributes or {})[spans.BUSY_SECONDS] == pytest.approx(1)


class EngineBrokeError(Exception):
    code = "engine_failed"


@pytest.mark.parametrize(
    ("error", "error_type"),
    [
        pytest.param(EngineBrokeError("CANARY"), "engine_failed", id="its code"),
        pytest.param(KeyError("CANARY"), "KeyError", id="its class"),
    ],
)
def test_a_failure_inside_marks_the_stage(recorder: Recorder, error: Exception, error_type: str) -> None:
    stage = BusySpan(Stage.GENERATE, Context())
    with pytest.raises(type(error)), stage:
        raise error
    stage.end()
    (span,) = recorder.ended
    assert span.status.status_code is StatusCode.ERROR
    assert (span.attributes or {})[spans.ERROR_TYPE] == error_type
    assert "CANARY" not in span.to_json()


@pytest.mark.parametrize("end", [asyncio.CancelledError, GeneratorExit])
def test_being_stopped_is_no_failure(recorder: Recorder, end: type[BaseException]) -> None:
    stage = BusySpan(Stage.DELIVER, Context())
    with pytest.raises(end), stage:
        raise end
    stage.end()
    assert recorder.span("speech.deliver").status.status_code is StatusCode.UNSET
