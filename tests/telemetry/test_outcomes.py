"""How requests end at a real service: each counted once, in every signal, and nothing left under way."""

import socket
import string
from collections.abc import Iterator
from itertools import product
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from telemetry.spans import Outcome
from tests.server import RunningServer, running_server, sample, wait_until

LONG = " ".join(f"This is sentence number {number} of a long story." for number in range(200))
GAUGES = (
    "http_server_active_requests",
    "speech_requests_active",
    "speech_queue_depth",
    "speech_queue_running",
)


@pytest.fixture(scope="module")
def narrow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """A service with room for one request."""
    settings: dict[str, object] = {"scheduling": {"max_requests": 1}}
    with running_server(tmp_path_factory.mktemp("service"), settings) as server:
        yield server


@pytest.fixture
def client(narrow: RunningServer) -> Iterator[httpx.Client]:
    with narrow.client() as client:
        yield client


class Counts:
    """What happened since: requests by outcome, operations by outcome, and what the JSON says."""

    def __init__(self, client: httpx.Client) -> None:
        self._client = client
        self._before, self._json_before = self._read()

    def _read(self) -> tuple[str, dict[str, Any]]:
        return self._client.get("/metrics").text, self._client.get("/api/v1/metrics").json()

    def since(self) -> tuple[dict[str, float], dict[str, float]]:
        """Once nothing is under way any more."""
        wait_until(lambda: all(sample(self._read()[0], gauge) == 0 for gauge in GAUGES), 20)
        after, json_after = self._read()
        http = self._outcomes("http_server_request_duration_seconds_count", after)
        speech = self._outcomes("speech_request_duration_seconds_count", after)
        before, now = (found["performance"]["requests"] for found in (self._json_before, json_after))
        assert now["requests_total"] - before["requests_total"] == sum(http.values())
        assert now["requests_success"] - before["requests_success"] == http.get("ok", 0)
        return http, speech

    def _outcomes(self, name: str, after: str) -> dict[str, float]:
        rises = {
            outcome.value: sample(after, name, outcome=outcome) - sample(self._before, name, outcome=outcome)
            for outcome in Outcome
        }
        return {outcome: rise for outcome, rise in rises.items() if rise}

    def rise(self, name: str, **labels: str) -> float:
        return sample(self._read()[0], name, **labels) - sample(self._before, name, **labels)


def status_in_log(narrow: RunningServer, request_id: str) -> tuple[object, object]:
    (line,) = [
        line
        for line in narrow.lines_of(request_id, "Request failed")
        if str(line["message"]).startswith("Request failed")
    ]
    return line["status_code"], line["level"]


@pytest.mark.parametrize("stream", [False, True])
def test_ok(client: httpx.Client, stream: bool) -> None:
    counts = Counts(client)
    assert client.post("/api/v1/tts", json={"text": "Fine.", "stream": stream}).status_code == 200
    assert counts.since() == ({"ok": 1}, {"ok": 1})


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"text": ""}, 400),
        ({"text": "Hello", "speed": 17}, 400),
        ({"text": "Hello", "colour": "red"}, 400),
        ({"text": "Hello", "voice": "nobody"}, 404),
        ({"text": "Hello", "format": "midi"}, 415),
    ],
)
def test_invalid(client: httpx.Client, narrow: RunningServer, body: dict[str, object], status: int) -> None:
    counts = Counts(client)
    refused = client.post("/api/v1/tts", json=body)
    assert refused.status_code == status
    assert counts.since() == ({"invalid": 1}, {})
    assert status_in_log(narrow, refused.headers["x-request-id"]) == (status, "ERROR")


def test_cancelled_before_the_answer(client: httpx.Client, narrow: RunningServer) -> None:
    counts = Counts(client)
    address = urlsplit(narrow.url)
    body = f'{{"text": "{LONG}"}}'
    head = (
        f"POST /api/v1/tts HTTP/1.1\r\nHost: {address.netloc}\r\nX-Request-ID: left-early\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    with socket.create_connection((address.hostname, address.port or 0)) as connection:
        connection.sendall((head + body).encode())
        wait_until(lambda: sample(client.get("/metrics").text, "speech_requests_active") == 1)
    assert counts.since() == ({"cancelled": 1}, {"cancelled": 1})
    assert counts.rise("http_server_request_duration_seconds_count", status="499") == 1
    assert status_in_log(narrow, "left-early") == (499, "INFO")
    messages = [line["message"] for line in narrow.lines_of("left-early", "Request failed")]
    assert "TTS generation failed: client_closed_request" in messages


def test_cancelled_in_the_answer_and_rejected_meanwhile(client: httpx.Client, narrow: RunningServer) -> None:
    counts = Counts(client)
    asked = {"json": {"text": LONG, "stream": True}, "headers": {"X-Request-ID": "left-late"}}
    with narrow.client() as leaver, leaver.stream("POST", "/api/v1/tts", **asked) as answer:  # type: ignore[arg-type]  # as it wants them
        assert next(answer.iter_raw())
        refused = client.post("/api/v1/tts", json={"text": "Hello"})
    assert refused.status_code == 503
    assert int(refused.headers["retry-after"]) >= 1
    assert refused.json()["code"] == "overloaded"
    assert counts.since() == ({"cancelled": 1, "rejected": 1}, {"cancelled": 1})
    assert counts.rise("speech_rejected_total", reason="overloaded") == 1
    assert counts.rise("http_server_request_duration_seconds_count", status="200", outcome="cancelled") == 1
    assert status_in_log(narrow, "left-late") == (200, "INFO")
    assert status_in_log(narrow, refused.headers["x-request-id"]) == (503, "ERROR")


def test_a_websocket_to_nowhere_is_refused_and_counted_as_such(
    client: httpx.Client, narrow: RunningServer
) -> None:
    counts = Counts(client)
    address = urlsplit(narrow.url)
    with socket.create_connection((address.hostname, address.port or 0)) as connection:
        connection.sendall(
            f"GET /nowhere?key=CANARY HTTP/1.1\r\nHost: {address.netloc}\r\nUpgrade: websocket\r\n"
            "Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
            "Sec-WebSocket-Version: 13\r\n\r\n".encode()
        )
        assert connection.recv(100).startswith(b"HTTP/1.1 403 ")
    assert counts.since() == ({"invalid": 1}, {})
    assert counts.rise("http_server_request_duration_seconds_count", method="WEBSOCKET", status="403") == 1
    assert "CANARY" not in narrow.log_file.read_text(encoding="utf-8")


UNOBSERVED = (
    "/livez",
    "/readyz",
    "/startupz",
    "/health",
    "/api/v1/health",
    "/api/v1/metrics",
    "/metrics",
    "/docs",
    "/openapi.json",
)


def test_probes_metrics_health_and_docs_are_not_counted(client: httpx.Client, narrow: RunningServer) -> None:
    counts = Counts(client)
    for path, host in product(UNOBSERVED, (None, "evil/livez", "x?")):
        headers = {} if host is None else {"Host": host}
        answer = client.get(path, headers=headers)
        assert answer.status_code == 200
        assert "x-request-id" in answer.headers
    assert counts.since() == ({}, {})
    assert not any(
        str(line["message"]).endswith(UNOBSERVED) for line in narrow.log_lines() if line["level"] != "DEBUG"
    )


def series(client: httpx.Client) -> set[str]:
    lines = client.get("/metrics").text.splitlines()
    return {line.rpartition(" ")[0] for line in lines if not line.startswith("#")}


def test_a_flood_of_unknown_routes_methods_and_hosts_makes_no_series(client: httpx.Client) -> None:
    methods = ("GET", "POST", "DELETE", "OPTIONS", "PROPFIND", "MKCOL")
    for method in methods:
        client.request(method, "/nowhere")
    before = series(client)
    letters = string.ascii_letters
    for number in range(200):
        client.request(
            methods[number % len(methods)],
            f"/{letters[number % 52] * 8}/{number}",
            headers={"Host": f"host-{number}.example", "User-Agent": f"agent/{number}"},
        )
    assert series(client) == before
    endpoints = client.get("/api/v1/metrics").json()["performance"]["requests"]["by_endpoint"]
    assert all(endpoint.partition(" ")[2] in {"other", "/api/v1/tts"} for endpoint in endpoints)
