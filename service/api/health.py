"""The JSON health and metrics of the monitoring guide, and `/metrics` for Prometheus."""

import asyncio
from datetime import UTC, datetime
from typing import Any

import psutil
from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response
from prometheus_client.exposition import choose_encoder
from pydantic import BaseModel, Field

from service.api.context import VERSION, CurrentService
from service.api.status import status
from telemetry.metrics import REGISTRY

router = APIRouter(tags=["operations"])


class Health(BaseModel):
    """Health and basic metrics. Times in milliseconds; null where nothing has happened yet."""

    status: str = Field(description="healthy, degraded, unhealthy, starting or draining")
    models_loaded: dict[str, bool]
    version: str
    uptime_seconds: float
    metrics: dict[str, float | int | None]
    system_info: dict[str, Any]


class DetailedMetrics(BaseModel):
    timestamp: str
    system: dict[str, Any]
    performance: dict[str, Any]


@router.get("/health", summary="Health", response_model=Health)
@router.get("/api/v1/health", summary="Health", response_model=Health)
async def health(service: CurrentService) -> JSONResponse:
    """200 when healthy or degraded, else 503."""
    deriver = service.telemetry.deriver
    snapshot = (await asyncio.to_thread(service.system.snapshot)).as_json()
    now = status(service)
    answer = Health(
        status=now.value,
        models_loaded={
            "tts": service.registry.loaded("text_to_speech"),
            "vc": service.registry.loaded("voice_conversion"),
            "asr": service.registry.loaded("speech_to_text"),
        },
        version=VERSION,
        uptime_seconds=round(datetime.now(UTC).timestamp() - psutil.Process().create_time(), 3),
        metrics={
            **deriver.requests.summary(),
            "average_processing_time": deriver.processing.statistics()["avg_ms"],
        },
        system_info={name: snapshot[name] for name in ("cpu_percent", "memory", "disk")},
    )
    return JSONResponse(answer.model_dump(), 200 if now.serving else 503)


@router.get("/api/v1/metrics", summary="Detailed metrics as JSON")
async def detailed_metrics(service: CurrentService) -> DetailedMetrics:
    """`processing_times` are the operations', `response_times` the requests'; both over the window."""
    deriver = service.telemetry.deriver
    snapshot = await asyncio.to_thread(service.system.snapshot)
    return DetailedMetrics(
        timestamp=datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
        system=snapshot.as_json(),
        performance={
            "time_window_minutes": deriver.processing.minutes,
            "processing_times": deriver.processing.statistics(),
            "response_times": deriver.responses.statistics(),
            "requests": deriver.requests.summary() | deriver.requests.breakdown(),
        },
    )


@router.get("/metrics", summary="Metrics for Prometheus", response_class=Response)
async def prometheus(request: Request, service: CurrentService) -> Response:
    """OpenMetrics with exemplars where `Accept` asks for it, else the Prometheus text format."""
    encoder, content_type = choose_encoder(request.headers.get("accept", ""))

    def render() -> bytes:
        service.system.refresh_gauges()
        return encoder(REGISTRY)

    return Response(await asyncio.to_thread(render), media_type=content_type)
