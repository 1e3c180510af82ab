"""Export as the standard variables of the environment ask for it, and to a collector that is not there."""

import json
import signal
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from tests.otlp import SERVER_KIND, Collector, http_collector
from tests.server import RunningServer, running_server, sample, wait_until

SOON = {"OTEL_BSP_SCHEDULE_DELAY": "50", "OTEL_BLRP_SCHEDULE_DELAY": "50"}
SHUTDOWN_SECONDS = 12
"""Three for each signal, and some for a busy machine."""

TEXT = {"text": "Nothing depends on whether anybody looks."}


@dataclass
class Session:
    """What a service left behind that was configured by the environment alone, from start to end."""

    collector: Collector
    lines: list[dict[str, Any]]
    before: str
    after: str
    returncode: int


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    """One request that is nobody's to trace (the share is 0), and one whose caller wants it traced."""
    folder = tmp_path_factory.mktemp("service")
    with http_collector() as collector:
        environment = SOON | {
            "OTEL_EXPORTER_OTLP_ENDPOINT": collector.endpoint,
            "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
            "OTEL_EXPORTER_OTLP_HEADERS": "x-key=secret",
            "OTEL_RESOURCE_ATTRIBUTES": "deployment.environment.name=test",
            "CHATTERBOX_TELEMETRY__SAMPLE_RATIO": "0",
            "CHATTERBOX_LOG_LEVEL": "DEBUG",
            "CHATTERBOX_LOG_FILE": str(folder / "elsewhere" / "app.log"),
        }
        with running_server(folder, environment=environment) as server, server.client() as client:
            before = client.get("/metrics").text
            for request_id, headers in (
                ("untraced", {}),
                ("traced", {"traceparent": f"00-{'a' * 32}-{'b' * 16}-01"}),
            ):
                spoken = client.post("/api/v1/tts", json=TEXT, headers=headers | {"X-Request-ID": request_id})
                assert spoken.status_code == 200
            after = client.get("/metrics").text
            server.process.send_signal(signal.SIGTERM)
            returncode = server.process.wait(SHUTDOWN_SECONDS)
        lines = (folder / "elsewhere" / "app.log").read_text(encoding="utf-8").splitlines()
        yield Session(collector, [json.loads(line) for line in lines], before, after, returncode)


def test_metrics_are_whole_where_nothing_is_sampled(session: Session) -> None:
    for name in (
        "http_server_request_duration_seconds_count",
        "speech_request_duration_seconds_count",
        "speech_time_to_first_audio_seconds_count",
        "speech_real_time_factor_count",
    ):
        assert sample(session.after, name) - sample(session.before, name) == 2
    for stage in ("queue", "normalize", "generate", "effects", "encode"):
        assert sample(session.after, "speech_stage_duration_seconds_count", stage=stage) == 2
    assert sample(session.after, "speech_characters_total") == 2 * len(TEXT["text"])


def test_only_the_sampled_trace_is_exported(session: Session) -> None:
    assert {span.trace_id for span in session.collector.spans} == {"a" * 32}
    (server,) = [span for span in session.collector.spans if span.kind == SERVER_KIND]
    assert server.parent_id == "b" * 16
    assert len(session.collector.spans) == 7


def test_log_lines_are_exported_sampled_or_not(session: Session) -> None:
    for request_id in ("untraced", "traced"):
        of_file = [line for line in session.lines if line.get("request_id") == request_id]
        exported = [log for log in session.collector.logs if log.attributes.get("request_id") == request_id]
        assert len(of_file) > 10
        assert [log.body for log in exported] == [line["message"] for line in of_file]
        assert {log.trace_id for log in exported} == {line["trace_id"] for line in of_file}


def test_the_standard_variables_are_honoured(session: Session) -> None:
    assert {headers["x-key"] for headers in session.collector.headers} == {"secret"}
    for resource in session.collector.resources:
        assert resource["deployment.environment.name"] == "test"


def test_the_life_of_the_service_is_in_the_log(session: Session) -> None:
    messages = [line["message"] for line in session.lines]
    life = [
        "Starting Chatterbox TTS Extended Plus API",
        "Models preloaded successfully",
        "Shutting down application",
    ]
    assert [message for message in messages if message in life] == life
    assert "Completed stage: speech.generate" in messages  # CHATTERBOX_LOG_LEVEL=DEBUG
    assert any(log.body == life[-1] for log in session.collector.logs)


def test_it_ends_well(session: Session) -> None:
    assert session.returncode == 0


@pytest.fixture(scope="module")
def unheard(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """A service whose collector refuses connections, and whose log file cannot be written."""
    folder = tmp_path_factory.mktemp("service")
    (folder / "file").touch()
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # bound and not listening: refused, and nobody else gets it
        settings = {
            "telemetry": {"otlp_endpoint": f"http://127.0.0.1:{closed.getsockname()[1]}"},
            "server": {"log_file_path": str(folder / "file" / "app.log")},
        }
        with running_server(folder, settings, SOON) as server:
            yield server


def test_a_dead_collector_and_log_file_are_counted_and_felt_by_nobody(unheard: RunningServer) -> None:
    with unheard.client() as client:
        assert client.post("/api/v1/tts", json=TEXT).status_code == 200

        def lost() -> bool:
            exposition = client.get("/metrics").text
            return all(
                sample(exposition, "telemetry_dropped_total", signal=signal, reason="export_failed") > 0
                for signal in ("traces", "logs")
            )

        wait_until(lost, 20)
        assert client.post("/api/v1/tts", json=TEXT).status_code == 200
        assert client.get("/readyz").status_code == 200
        assert sample(client.get("/metrics").text, "telemetry_exported_total") == 0


def test_it_ends_in_time_with_things_left_to_send(unheard: RunningServer) -> None:
    with unheard.client() as client:
        for _ in range(3):
            client.post("/api/v1/tts", json={"text": ""})
    unheard.process.send_signal(signal.SIGTERM)
    assert unheard.process.wait(SHUTDOWN_SECONDS) == 0
