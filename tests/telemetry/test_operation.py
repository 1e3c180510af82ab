import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from opentelemetry.trace import NonRecordingSpan, SpanContext, StatusCode, TraceFlags, set_span_in_context

from telemetry import spans
from telemetry.metrics import REGISTRY
from telemetry.operation import OperationSpan
from telemetry.spans import Operation, Outcome, Stage
from tests.telemetry.conftest import HandClock, Recorder

LABELS = {"operation": "text_to_speech", "engine": "piper"}
AGAIN = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)


def start(streamed: bool = False) -> OperationSpan:
    attributes = {spans.STREAMED: streamed, spans.CHARACTERS: 12, spans.GEN_AI_VOICE: "joe"}
    return OperationSpan(Operation.TEXT_TO_SPEECH, engine="piper", model="default", attributes=attributes)


def sample(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, LABELS | labels) or 0.0


def attributes(recorder: Recorder) -> dict[str, object]:
    return dict(recorder.span("text_to_speech piper").attributes or {})


def test_waiting_for_the_peer_is_not_busy_time(recorder: Recorder, clock: HandClock) -> None:
    before = sample("speech_request_duration_seconds_sum", outcome="ok")
    operation = start(streamed=True)
    with operation.stage(Stage.GENERATE):
        clock.advance(0.5)
    operation.audio(2.0, 100)
    with operation.stage(Stage.DELIVER):
        clock.advance(4)
    operation.end(Outcome.OK)

    found = attributes(recorder)
    assert found[spans.BUSY_SECONDS] == pytest.approx(0.5)
    assert found[spans.REAL_TIME_FACTOR] == pytest.approx(0.25)
    assert sample("speech_request_duration_seconds_sum", outcome="ok") - before == pytest.approx(0.5)
    assert recorder.deriver.processing.statistics()["max_ms"] == pytest.approx(500)


def test_first_audio_counts_from_the_arrival_of_the_request(recorder: Recorder, clock: HandClock) -> None:
    before = sample("speech_time_to_first_audio_seconds_sum", mode="stream")
    with recorder.tracer.start_as_current_span("server"):
        clock.advance(0.25)  # reading the body, say
        operation = start(streamed=True)
        clock.advance(0.5)
        operation.audio(1, 10)
        clock.advance(0.25)
        operation.audio(1, 10)
        operation.end(Outcome.OK)
    assert attributes(recorder)[spans.TIME_TO_FIRST_AUDIO] == pytest.approx(0.75)
    after = sample("speech_time_to_first_audio_seconds_sum", mode="stream")
    assert after - before == pytest.approx(0.75)


@AGAIN
@given(st.lists(st.tuples(st.integers(0, 5000), st.integers(1, 5000)), min_size=1, max_size=20))
def test_underrun_is_what_a_player_that_starts_at_once_waits(
    recorder: Recorder, clock: HandClock, chunks: list[tuple[int, int]]
) -> None:
    recorder.exporter.clear()
    operation = start(streamed=True)
    waited = now = 0
    has_sound_until: int | None = None
    for gap, length in chunks:  # milliseconds
        clock.advance(gap / 1000)
        now += gap
        operation.audio(length / 1000, 1)
        if has_sound_until is None:
            has_sound_until = now
        elif now > has_sound_until:
            waited += now - has_sound_until
            has_sound_until = now
        has_sound_until += length
    operation.end(Outcome.OK)
    assert attributes(recorder)[spans.PLAYBACK_UNDERRUN] == pytest.approx(waited / 1000, abs=1e-9)


def test_it_ends_once(recorder: Recorder) -> None:
    before = sample("speech_request_duration_seconds_count", outcome="ok")
    active = sample("speech_requests_active")
    operation = start()
    assert sample("speech_requests_active") == active + 1
    operation.end(Outcome.OK)
    operation.end(Outcome.ERROR, "internal_error")
    assert sample("speech_requests_active") == active
    assert sample("speech_request_duration_seconds_count", outcome="ok") == before + 1
    assert attributes(recorder)[spans.OUTCOME] == "ok"


@pytest.mark.parametrize("outcome", Outcome)
def test_every_outcome_is_counted_and_only_success_says_how_fast(
    recorder: Recorder, outcome: Outcome
) -> None:
    counted = sample("speech_request_duration_seconds_count", outcome=outcome.value)
    fast = sample("speech_real_time_factor_count")
    operation = start()
    operation.audio(1, 1)
    operation.end(outcome, None if outcome is Outcome.OK else "some_code")

    assert sample("speech_request_duration_seconds_count", outcome=outcome.value) == counted + 1
    assert sample("speech_real_time_factor_count") - fast == (outcome is Outcome.OK)
    failed = recorder.span("text_to_speech piper").status.status_code is StatusCode.ERROR
    assert failed == (outcome in {Outcome.ERROR, Outcome.ABORTED, Outcome.EMPTY})


def test_stages_end_with_it_and_carry_its_labels(recorder: Recorder, clock: HandClock) -> None:
    before = sample("speech_stage_duration_seconds_sum", stage="encode")
    operation = start()
    with operation.stage(Stage.ENCODE):
        clock.advance(0.125)
    operation.end(Outcome.CANCELLED, "client_closed_request")
    assert [span.name for span in recorder.ended] == ["speech.encode", "text_to_speech piper"]
    assert sample("speech_stage_duration_seconds_sum", stage="encode") - before == pytest.approx(0.125)


def test_an_operation_that_made_no_sound_says_nothing_about_sound(recorder: Recorder) -> None:
    audio = sample("speech_audio_seconds_total", voice="other")
    start().end(Outcome.EMPTY, "empty_audio")
    assert sample("speech_audio_seconds_total", voice="other") == audio
    assert spans.TIME_TO_FIRST_AUDIO not in attributes(recorder)


def test_two_requests_with_one_remote_parent_are_told_apart(recorder: Recorder) -> None:
    """A caller can name any span as its parent, even one of another request that is under way here."""
    first = recorder.tracer.start_span("first")
    context = first.get_span_context()
    stranger = SpanContext(context.trace_id, context.span_id, is_remote=True, trace_flags=TraceFlags(1))
    second = recorder.tracer.start_span("second", set_span_in_context(NonRecordingSpan(stranger)))
    recorder.deriver.identify(first, "request-1")
    recorder.deriver.identify(second, "request-2")
    with recorder.tracer.start_as_current_span("work", set_span_in_context(first)):
        recorder.tracer.start_span("speech.encode").end()
    assert second.is_recording()
    assert [name for name, _ in recorder.deriver.timings(first)] == ["speech.encode"]
    assert recorder.deriver.timings(second) == []
