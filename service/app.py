"""Wiring: settings in, application out."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from fastapi import FastAPI
from opentelemetry.metrics import NoOpMeterProvider
from starlette.background import BackgroundTask

from service.api import health, models, probes, speech
from service.api.context import VERSION, Service
from service.api.errors import BodyLimit, ErrorBoundary, add_error_handlers
from service.config import Settings
from service.engines.piper import available_cores
from service.engines.registry import ModelRegistry
from service.scheduling.scheduler import Scheduler
from service.speech import text
from service.speech.loudness import LoudnessBook
from service.speech.synthesis import limits_of
from telemetry.export import ExportSettings
from telemetry.http import TelemetryMiddleware
from telemetry.logs import LogSettings
from telemetry.setup import Telemetry, TelemetrySettings
from telemetry.system import System, watch_cpu, watch_event_loop

# Read by the instrumentation when it is imported: the stable names of HTTP attributes.
os.environ.setdefault("OTEL_SEMCONV_STABILITY_OPT_IN", "http")
from opentelemetry.instrumentation.fastapi import FastAPIInstrumentor

UNOBSERVED: Final = frozenset(
    {
        "/livez",
        "/readyz",
        "/startupz",
        "/health",
        "/api/v1/health",
        "/api/v1/metrics",
        "/metrics",
        "/docs",
        "/redoc",
        "/openapi.json",
        "/favicon.ico",
    }
)
"""Paths that are not counted and log at DEBUG: probes, metrics, health, docs."""


def telemetry_settings(settings: Settings) -> TelemetrySettings:
    """The part of the settings that telemetry is made from."""
    server, logging, telemetry = settings.server, settings.logging, settings.telemetry
    return TelemetrySettings(
        service_name=telemetry.service_name,
        version=VERSION,
        enabled=telemetry.enabled,
        sample_ratio=telemetry.sample_ratio,
        window_minutes=telemetry.window_minutes,
        voice_labels=frozenset(telemetry.voice_labels),
        capture_content=logging.capture_content,
        logs=LogSettings(
            level=server.log_level,
            file_path=server.log_file_path,
            file_max_size_mb=server.log_file_max_size_mb,
            file_backup_count=server.log_file_backup_count,
            rotation=server.log_rotation,
            console=logging.console,
            queue_size=logging.queue_size,
        ),
        export=ExportSettings(
            endpoint=telemetry.otlp_endpoint,
            protocol=telemetry.otlp_protocol,
            headers={name: value.get_secret_value() for name, value in telemetry.otlp_headers.items()},
            logs=telemetry.export_logs,
        ),
    )


def create_app(settings: Settings, telemetry: Telemetry) -> FastAPI:
    """The application. It starts to load its models when the server starts it."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        service = Service(
            settings=settings,
            telemetry=telemetry,
            system=System(settings.paths.output_dir, settings.paths.temp_dir),
            registry=ModelRegistry(settings.models, settings.speech.default_model),
            scheduler=Scheduler(
                settings.scheduling.concurrency or available_cores(), settings.scheduling.max_requests
            ),
            limits=limits_of(settings),
            loudness=LoudnessBook(),
        )
        app.state.service = service
        watching = [
            asyncio.create_task(watch_event_loop()),
            asyncio.create_task(watch_cpu(service.system)),
        ]
        warming = asyncio.create_task(asyncio.to_thread(text.warm))
        service.registry.preload()
        try:
            yield
        finally:
            service.scheduler.draining = True
            for watcher in watching:
                watcher.cancel()
            await warming
            await service.scheduler.close()
            await asyncio.to_thread(service.registry.close)

    app = FastAPI(
        title="Chatterbox Extended",
        version=VERSION,
        description="Speech as a service, native to Prometheus and OpenTelemetry.",
        lifespan=lifespan,
    )
    for module in (speech, models, health, probes):
        app.include_router(module.router)
    add_error_handlers(app)
    # The last one added is the outermost.
    app.add_middleware(BodyLimit, max_bytes=settings.api.max_body_bytes)
    app.add_middleware(ErrorBoundary)
    app.add_middleware(
        TelemetryMiddleware,
        deriver=telemetry.deriver,
        ignored=UNOBSERVED,
        address_policy=settings.logging.client_address,
    )
    _instrument(app, telemetry)
    return app


def _instrument(app: FastAPI, telemetry: Telemetry) -> None:
    """Let the instrumentation make the server span, and nothing else."""
    FastAPIInstrumentor.instrument_app(
        app,
        tracer_provider=telemetry.tracer_provider,
        meter_provider=NoOpMeterProvider(),
        # Searched in the whole URL, host included: anchored, or a Host header could switch spans off.
        excluded_urls=",".join(f"^https?://[^/]+{path}$" for path in sorted(UNOBSERVED)),
        exclude_spans=["receive", "send"],
    )
    # It also wraps background tasks in spans outside our vocabulary.
    BackgroundTask.__call__ = BackgroundTask._otel_original_call  # type: ignore[attr-defined,method-assign]
