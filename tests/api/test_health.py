"""Health and metrics: the fields of the monitoring guide, with true values."""

import re
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import httpx
import psutil
import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from service.api.context import VERSION
from tests.api.answers import TTS
from tests.server import RunningServer

NUMBER = (int, float)

HEALTH = {
    "status": str,
    "models_loaded": {"tts": bool, "vc": bool},
    "version": str,
    "uptime_seconds": NUMBER,
    "metrics": {
        "requests_total": int,
        "requests_success": int,
        "requests_error": int,
        "success_rate": NUMBER,
        "average_processing_time": NUMBER,
    },
    "system_info": {
        "cpu_percent": NUMBER,
        "memory": {"rss_mb": NUMBER, "percent": NUMBER},
        "disk": {"free_gb": NUMBER, "usage_percent": NUMBER},
    },
}
"""The monitoring guide's example of `GET /api/v1/health`."""

TIMES = {"min_ms": NUMBER, "max_ms": NUMBER, "avg_ms": NUMBER, "count": int}

DETAILED = {
    "timestamp": str,
    "system": {
        "cpu_percent": NUMBER,
        "memory": {"rss_mb": NUMBER, "vms_mb": NUMBER, "percent": NUMBER},
        "disk": {"free_gb": NUMBER, "usage_percent": NUMBER},
        "file_counts": {"outputs": int, "temp": int},
    },
    "performance": {"time_window_minutes": int, "processing_times": TIMES, "response_times": TIMES},
}
"""The monitoring guide's example of `GET /api/v1/metrics`."""


def assert_shape(found: object, shape: object, where: str = "$") -> None:
    if isinstance(shape, dict):
        assert isinstance(found, dict), where
        for name, part in shape.items():
            assert name in found, f"{where}.{name} is missing"
            assert_shape(found[name], part, f"{where}.{name}")
    else:
        assert isinstance(found, shape), f"{where} is {found!r}"  # type: ignore[arg-type]  # a type or several


@pytest.fixture(autouse=True)
def spoken(client: httpx.Client) -> None:
    """At least one request has been answered, and one has failed."""
    client.post(TTS, json={"text": "Good morning."})
    client.post(TTS, json={"text": ""})


@pytest.mark.parametrize("path", ["/health", "/api/v1/health"])
def test_health_has_the_fields_of_the_guide(client: httpx.Client, path: str) -> None:
    response = client.get(path)
    assert response.status_code == 200
    health = response.json()
    assert_shape(health, HEALTH)
    assert health["status"] == "healthy"
    assert health["models_loaded"]["tts"] is True
    assert health["models_loaded"]["vc"] is False
    assert health["version"] == VERSION


def test_health_tells_the_truth(server: RunningServer, client: httpx.Client) -> None:
    process = psutil.Process(server.process.pid)
    before, after = client.get("/api/v1/health").json(), client.get("/api/v1/health").json()
    age = datetime.now(UTC).timestamp() - process.create_time()
    assert 0 < before["uptime_seconds"] <= after["uptime_seconds"] <= age + 1
    assert after["uptime_seconds"] == pytest.approx(age, abs=2)
    memory, host = after["system_info"]["memory"], psutil.virtual_memory().total
    assert memory["rss_mb"] == pytest.approx(process.memory_info().rss / 2**20, rel=0.1)
    assert 0 < memory["percent"] <= 100
    assert memory["percent"] >= round(100 * memory["rss_mb"] * 2**20 / host, 1) - 0.1
    disk = psutil.disk_usage(str(server.folder))
    assert after["system_info"]["disk"]["free_gb"] == pytest.approx(disk.free / 2**30, abs=1)
    assert 0 <= after["system_info"]["cpu_percent"] <= 100


def test_requests_are_counted_and_health_itself_is_not(client: httpx.Client) -> None:
    def counts() -> dict[str, float]:
        found: dict[str, float] = client.get("/health").json()["metrics"]
        return found

    before = counts()
    for path in ("/livez", "/health", "/api/v1/metrics", "/metrics", "/docs"):
        client.get(path)
    assert counts() == before
    client.post(TTS, json={"text": "Hello."})
    client.post(TTS, json={"text": "..."})
    client.get("/nothing")
    after = counts()
    grown = {
        name: after[name] - before[name] for name in ("requests_total", "requests_success", "requests_error")
    }
    assert grown == {"requests_total": 3, "requests_success": 1, "requests_error": 2}
    assert after["requests_success"] + after["requests_error"] == after["requests_total"]
    assert after["success_rate"] == pytest.approx(
        after["requests_success"] / after["requests_total"], abs=1e-6
    )
    assert after["success_rate"] + after["error_rate"] == pytest.approx(1)


def test_detailed_metrics_have_the_fields_of_the_guide(client: httpx.Client) -> None:
    metrics = client.get("/api/v1/metrics").json()
    assert_shape(metrics, DETAILED)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", metrics["timestamp"])
    assert abs(datetime.fromisoformat(metrics["timestamp"]) - datetime.now(UTC)) < timedelta(seconds=30)
    assert metrics["system"]["memory"]["vms_mb"] > metrics["system"]["memory"]["rss_mb"]
    performance = metrics["performance"]
    assert performance["time_window_minutes"] == 60
    for name in ("processing_times", "response_times"):
        times = performance[name]
        assert 0 < times["min_ms"] <= times["avg_ms"] <= times["max_ms"]


def test_times_are_those_of_the_requests(client: httpx.Client) -> None:
    def times() -> dict[str, dict[str, float]]:
        found: dict[str, dict[str, float]] = client.get("/api/v1/metrics").json()["performance"]
        return found

    before = times()
    response = client.post(TTS, json={"text": "Hello there."})
    client.post(TTS, json={"text": ""})
    after = times()
    assert after["processing_times"]["count"] == before["processing_times"]["count"] + 1
    assert after["response_times"]["count"] == before["response_times"]["count"] + 2
    told = re.search(r"text_to_speech;dur=([\d.]+)", response.headers["Server-Timing"])
    assert told
    total = {
        name: performance["processing_times"]["avg_ms"] * performance["processing_times"]["count"]
        for name, performance in (("before", before), ("after", after))
    }
    count = after["processing_times"]["count"]
    assert total["after"] - total["before"] == pytest.approx(float(told[1]), abs=0.002 * count)


@pytest.mark.parametrize(("folder", "name"), [("outputs", "outputs"), ("temp", "temp")])
def test_files_are_counted(server: RunningServer, client: httpx.Client, folder: str, name: str) -> None:
    def count() -> int:
        return int(client.get("/api/v1/metrics").json()["system"]["file_counts"][name])

    directory = server.folder / folder
    existed = directory.exists()
    directory.mkdir(exist_ok=True)
    before = count()
    file = directory / "counted.wav"
    file.write_bytes(b"")
    try:
        assert count() == before + 1
    finally:
        file.unlink()
        if not existed:
            directory.rmdir()
    assert count() == before


def test_prometheus_reads_the_text_format(client: httpx.Client, needs: Callable[[str, str], str]) -> None:
    promtool = needs("promtool", "Debian's package prometheus")
    response = client.get("/metrics")
    assert response.headers["Content-Type"].startswith("text/plain; version=")
    checked = subprocess.run(
        [promtool, "check", "metrics"], input=response.content, capture_output=True, check=False
    )
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, b"", b"")
    families = {family.name for family in parse_text(response.text)}
    assert {"speech_request_duration_seconds", "http_server_request_duration_seconds"} <= families


def test_openmetrics_has_exemplars_with_the_trace(client: httpx.Client) -> None:
    spoken = client.post(TTS, json={"text": "Hello there."})
    response = client.get("/metrics", headers={"Accept": "application/openmetrics-text; version=1.0.0"})
    assert response.headers["Content-Type"].startswith("application/openmetrics-text; version=1.0.0")
    assert response.text.endswith("# EOF\n")
    families = {family.name: family for family in parse_openmetrics(response.text)}
    exemplars = {
        sample.exemplar.labels["trace_id"]
        for sample in families["speech_request_duration_seconds"].samples
        if sample.exemplar
    }
    assert spoken.headers["traceresponse"].split("-")[1] in exemplars


def test_the_docs_answer(client: httpx.Client) -> None:
    assert "Chatterbox" in client.get("/docs").text
    document = client.get("/openapi.json").json()
    assert {TTS, "/api/v1/models", "/api/v1/health", "/api/v1/metrics"} <= set(document["paths"])
    described = document["paths"][TTS]["post"]["responses"]
    assert {"200", "400", "404", "406", "413", "415", "500", "503"} <= set(described)
    assert "422" not in described, "FastAPI's own; this service answers 400"
