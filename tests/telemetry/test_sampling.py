import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.sampling import Decision
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags, set_span_in_context

from telemetry.sampling import RecordingSampler


def remote(sampled: bool) -> object:
    flags = TraceFlags(TraceFlags.SAMPLED if sampled else TraceFlags.DEFAULT)
    return set_span_in_context(NonRecordingSpan(SpanContext(1, 2, is_remote=True, trace_flags=flags)))


@pytest.mark.parametrize(
    ("ratio", "parent", "exported"),
    [
        (1.0, None, True),
        (0.0, None, False),
        (1.0, False, False),
        (0.0, True, True),
    ],
)
def test_every_span_is_recorded_with_its_attributes(
    ratio: float, parent: bool | None, exported: bool
) -> None:
    provider = TracerProvider(RecordingSampler(ratio), shutdown_on_exit=False)
    tracer = provider.get_tracer("tests")
    context = None if parent is None else remote(parent)
    outer = tracer.start_span("outer", context, attributes={"a": 1})  # type: ignore[arg-type]  # it is one
    inner = tracer.start_span("inner", set_span_in_context(outer), attributes={"b": 2})
    for span, attributes in ((outer, {"a": 1}), (inner, {"b": 2})):
        assert isinstance(span, ReadableSpan)
        assert span.is_recording()
        assert dict(span.attributes or {}) == attributes
        assert span.get_span_context().trace_flags.sampled == exported


def test_about_the_asked_share_is_exported() -> None:
    sampler = RecordingSampler(0.25)
    step = 2**64 // 1000
    decisions = [sampler.should_sample(None, number * step, "name").decision for number in range(1000)]
    assert decisions.count(Decision.RECORD_AND_SAMPLE) == pytest.approx(250, abs=2)
    assert Decision.DROP not in decisions
