"""The monitoring guide's messages, fields and commands, against a running service."""

import json
import re
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from telemetry.messages import FIELD_MEANINGS, LOG_MESSAGES
from tests.server import RunningServer

TEXT = "Hello world! This is a test of the speech service."
BODY = {"text": TEXT, "temperature": 0.75, "seed": 42, "reference_audio": "UklGRgAAAABXQVZF"}
LIBRARIES = ("uvicorn", "asyncio", "py.warnings", "opentelemetry")


@dataclass
class Guide:
    """A service that one request went well on and one badly, and the guide's commands."""

    server: RunningServer
    spoken: list[dict[str, Any]]
    refused: list[dict[str, Any]]
    size: int

    def run(self, command: str) -> str:
        """A command of the guide, as it stands there but for the address."""
        command = command.replace("http://localhost:7860", self.server.url)
        done = subprocess.run(
            ["bash", "-o", "pipefail", "-c", command], cwd=self.server.folder, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def objects(self, command: str) -> list[Any]:
        """What such a command prints, as JSON values."""
        output, values, decoder = self.run(command).lstrip(), [], json.JSONDecoder()
        while output:
            value, end = decoder.raw_decode(output)
            values.append(value)
            output = output[end:].lstrip()
        return values


@pytest.fixture(scope="module")
def guide(server: RunningServer) -> Guide:
    with server.client() as client:
        spoken = client.post("/api/v1/tts", json=BODY, headers={"X-Request-ID": "req_123"})
        refused = client.post("/api/v1/tts?key=1", json={"text": " "}, headers={"X-Request-ID": "req_124"})
    assert (spoken.status_code, refused.status_code) == (200, 400)
    return Guide(
        server,
        server.lines_of("req_123", "Request completed"),
        server.lines_of("req_124", "Request failed"),
        len(spoken.content),
    )


def line(lines: list[dict[str, Any]], message: str) -> dict[str, Any]:
    (found,) = [line for line in lines if line["message"].startswith(message)]
    return found


def test_a_request_is_told_from_start_to_end(guide: Guide) -> None:
    stand_in = re.escape(f"[{len(TEXT)} chars, ") + r"[0-9a-f]{4}\.\.\]"
    expected = [
        r"Request started: POST /api/v1/tts",
        r"Request body received",
        rf"Starting TTS generation for text: {stand_in}",
        r"Using reference audio: \[16 chars, [0-9a-f]{4}\.\.\]",
        r"Completed operation: tts_generation",
        r"TTS generation completed successfully",
        r"Request completed: POST /api/v1/tts",
    ]
    messages = [line["message"] for line in guide.spoken]
    assert len(messages) == len(expected)
    for pattern, message in zip(expected, messages, strict=True):
        assert re.fullmatch(pattern, message)
    assert {line["level"] for line in guide.spoken} == {"INFO"}


def test_the_start_says_who_asks_for_what(guide: Guide) -> None:
    started = line(guide.refused, "Request started: POST /api/v1/tts")
    assert started["method"] == "POST"
    assert started["url"] == f"{guide.server.url}/api/v1/tts"
    assert started["client_ip"] == "127.0.0.1"
    assert started["user_agent"].startswith("python-httpx/")


def test_the_body_is_shown_without_its_texts(guide: Guide) -> None:
    received = line(guide.spoken, "Request body received")
    body = received["body"]
    assert body.keys() == BODY.keys()
    assert (body["temperature"], body["seed"]) == (0.75, 42)
    assert re.fullmatch(r"\[50 chars, [0-9a-f]{4}\.\.\]", body["text"])
    assert received["body_size_bytes"] > 100


def test_the_operation_has_the_guides_facts(guide: Guide) -> None:
    started = line(guide.spoken, "Starting TTS generation for text: ")
    assert started["operation"] == "tts_generation"
    assert started["data"]["text_length"] == len(TEXT)
    assert started["data"]["parameters"] == {"temperature": 0.75, "seed": 42}
    completed = line(guide.spoken, "Completed operation: tts_generation")
    assert completed["operation"] == "tts_generation"
    assert completed["duration_ms"] == completed["data"]["duration_ms"] > 0


def test_the_completion_says_how_it_went(guide: Guide) -> None:
    completed = line(guide.spoken, "Request completed: POST /api/v1/tts")
    assert (completed["status_code"], completed["response_size_bytes"]) == (200, guide.size)
    assert completed["duration_ms"] == completed["data"]["duration_ms"] > 0


def test_a_failure_says_what_was_wrong(guide: Guide) -> None:
    failed = line(guide.refused, "Request failed: POST /api/v1/tts")
    assert (failed["error"], failed["status_code"]) == ("Text cannot be empty", 400)
    assert (failed["outcome"], failed["error_code"], failed["level"]) == ("invalid", "empty_text", "ERROR")


def test_every_line_of_the_service_is_documented(guide: Guide) -> None:
    rows = [(row.prefix, row.level.split(", ")) for row in LOG_MESSAGES]
    for each in guide.server.log_lines():
        assert set(each) <= set(FIELD_MEANINGS)
        message, logger = str(each["message"]), str(each["logger"])
        known = any(message.startswith(prefix) and each["level"] in levels for prefix, levels in rows)
        assert known or logger.startswith(LIBRARIES), each


def test_the_searches_of_the_log_work_as_they_stand(guide: Guide, needs: Callable[[str, str], str]) -> None:
    needs("jq", "Debian's package jq")
    log = "logs/chatterbox_extended.log"
    errors = guide.objects(f"""grep '"level":"ERROR"' {log} | jq .""")
    assert "Text cannot be empty" in {found.get("error") for found in errors}
    assert guide.objects(f"""tail -n 1000 {log} | grep '"level":"ERROR"' | jq .""")[-1] in errors

    of_request = guide.objects(f"""grep '"request_id":"req_123"' {log} | jq .""")
    assert of_request == guide.spoken
    failed = guide.objects(
        f"""REQUEST_ID="req_124"\ngrep "\\"request_id\\":\\"$REQUEST_ID\\"" {log} | jq ."""
    )
    assert failed == guide.refused

    durations = guide.objects(f"""grep '"operation":"tts_generation"' {log} | jq '.data.duration_ms'""")
    assert line(guide.spoken, "Completed operation")["duration_ms"] in durations
    summary = guide.run(f"""grep '"level":"ERROR"' {log} | jq -r '.message' | sort | uniq -c""")
    assert re.search(r"^ *[1-9]\d* Request failed: POST /api/v1/tts$", summary, re.MULTILINE)
    slow = guide.objects(f"""grep '"duration_ms"' {log} | jq 'select(.data.duration_ms > 5000)'""")
    assert all(found["duration_ms"] > 5000 for found in slow)
    quick = guide.objects(f"""grep '"duration_ms"' {log} | jq 'select(.data.duration_ms > 0)'""")
    assert line(guide.spoken, "Request completed") in quick


def test_the_requests_to_the_endpoints_work_as_they_stand(
    guide: Guide, needs: Callable[[str, str], str]
) -> None:
    needs("jq", "Debian's package jq")
    needs("curl", "Debian's package curl")
    health = json.loads(guide.run("curl http://localhost:7860/api/v1/health"))
    assert {
        "status",
        "models_loaded",
        "version",
        "uptime_seconds",
        "metrics",
        "system_info",
    } <= set(health)
    assert {
        "requests_total",
        "requests_success",
        "requests_error",
        "success_rate",
        "average_processing_time",
    } <= set(health["metrics"])
    (metrics,) = guide.objects("curl http://localhost:7860/api/v1/metrics | jq .")
    assert {"timestamp", "system", "performance"} <= set(metrics)
    assert set(metrics["system"]["file_counts"]) == {"outputs", "temp"}
    assert set(metrics["system"]["disk"]) == {"free_gb", "usage_percent"}

    (info,) = guide.objects("curl -s http://localhost:7860/api/v1/health | jq '.system_info'")
    assert set(info) == {"cpu_percent", "memory", "disk"}
    (memory,) = guide.objects("curl -s http://localhost:7860/api/v1/metrics | jq '.system.memory'")
    assert set(memory) == {"rss_mb", "vms_mb", "percent"}
    (times,) = guide.objects(
        "curl -s http://localhost:7860/api/v1/metrics | jq '.performance.processing_times'"
    )
    assert set(times) == {"min_ms", "max_ms", "avg_ms", "count"}
    assert times["count"] >= 1
    guide.run("curl -f http://localhost:7860/api/v1/health || exit 1")
    guide.run(
        "curl -s http://localhost:7860/api/v1/metrics | "
        "jq -r '.system.memory.percent' | awk '{if($1>80) exit 1}'"
    )
