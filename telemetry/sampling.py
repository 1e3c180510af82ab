"""Which traces are exported. All are recorded: metrics must not depend on sampling."""

from collections.abc import Sequence

from opentelemetry.context import Context
from opentelemetry.sdk.trace.sampling import Decision, ParentBasedTraceIdRatio, Sampler, SamplingResult
from opentelemetry.trace import Link, SpanKind, TraceState
from opentelemetry.util.types import Attributes


class RecordingSampler(Sampler):
    """Exports a share of the traces, or what the caller's `traceparent` says, and records the rest.

    The SDK's `AlwaysRecordSampler` does the same, but loses the attributes that a span starts with where
    the sampler below it says no.

    Args:
        ratio: share of traces without a caller's decision that is exported, 0 to 1.
    """

    def __init__(self, ratio: float) -> None:
        self._ratio = ratio
        self._sampler = ParentBasedTraceIdRatio(ratio)

    def should_sample(
        self,
        parent_context: Context | None,
        trace_id: int,
        name: str,
        kind: SpanKind | None = None,
        attributes: Attributes = None,
        links: Sequence[Link] | None = None,
        trace_state: TraceState | None = None,
    ) -> SamplingResult:
        result = self._sampler.should_sample(parent_context, trace_id, name, kind, attributes, links)
        if result.decision is Decision.DROP:
            return SamplingResult(Decision.RECORD_ONLY, attributes, result.trace_state)
        return result

    def get_description(self) -> str:
        return f"RecordingSampler{{{self._ratio}}}"
