"""Puts telemetry together at start, and takes it apart at the end."""

import os
import platform
from collections.abc import Mapping
from dataclasses import dataclass, field

from opentelemetry import trace
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider

from telemetry import metrics
from telemetry.derive import SpanDeriver
from telemetry.export import ExportSettings, OtlpLogHandler, logger_provider, span_processor
from telemetry.logs import LogPipeline, LogSettings
from telemetry.redact import Redactor
from telemetry.sampling import RecordingSampler


@dataclass(frozen=True, slots=True)
class TelemetrySettings:
    """What telemetry needs to know of the service it watches."""

    service_name: str
    version: str
    enabled: bool = True
    sample_ratio: float = 1.0
    window_minutes: float = 60
    voice_labels: frozenset[str] = frozenset()
    capture_content: bool = False
    logs: LogSettings = field(default_factory=LogSettings)
    export: ExportSettings = field(default_factory=ExportSettings)
    resource: Mapping[str, str] = field(default_factory=dict)


class Telemetry:
    """The telemetry of this process; make one, and `shutdown()` it last."""

    def __init__(self, settings: TelemetrySettings) -> None:
        self.redactor = Redactor(settings.capture_content)
        self.deriver = SpanDeriver(settings.window_minutes, settings.voice_labels)
        resource = Resource.create(
            {
                # The standard variable is set by whoever deploys, who knows better than a file.
                "service.name": os.environ.get("OTEL_SERVICE_NAME") or settings.service_name,
                "service.version": settings.version,
                "service.instance.id": f"{platform.node()}-{os.getpid()}",
                **settings.resource,
            }
        )
        self._logger_provider = logger_provider(settings.export, resource)
        extra = [OtlpLogHandler(self._logger_provider, self.redactor)] if self._logger_provider else []
        self.logs = LogPipeline(settings.logs, self.redactor, extra)
        self._tracer_provider: TracerProvider | None = None
        if settings.enabled:
            sampler = RecordingSampler(settings.sample_ratio)
            self._tracer_provider = TracerProvider(sampler, resource, shutdown_on_exit=False)
            self._tracer_provider.add_span_processor(self.deriver)
            exporter = span_processor(settings.export)
            if exporter is not None:
                self._tracer_provider.add_span_processor(exporter)
            trace.set_tracer_provider(self._tracer_provider)
        metrics.BUILD.info({"version": settings.version, "python": platform.python_version()})

    @property
    def tracer_provider(self) -> trace.TracerProvider:
        return self._tracer_provider or trace.NoOpTracerProvider()

    def shutdown(self) -> None:
        """Send what is waiting, within a bound, and close everything."""
        if self._tracer_provider is not None:
            self._tracer_provider.shutdown()
        self.logs.stop()
        if self._logger_provider is not None:
            self._logger_provider.shutdown()
