"""A canary in every place where a caller can put something, looked for in every signal."""

import base64
import json
import socket
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from tests.otlp import Collector, grpc_collector
from tests.server import RunningServer, running_server

SOON = {"OTEL_BSP_SCHEDULE_DELAY": "50", "OTEL_BLRP_SCHEDULE_DELAY": "50"}

SPOKEN = "Kanarienvogel speaks a secret that nobody else is to read, not even the operators of this service."
AUDIO = base64.b64encode(b"RIFFcanaryvogel").decode()

HIDDEN = {
    "text": "Kanarienvogel",
    "the end of the text": "operators of this service",
    "reference audio": "canaryvogel",
    "encoded reference audio": AUDIO[:12],
    "broken reference audio": "canary-audio",
    "voice": "canary-voice",
    "model": "canary-model",
    "format": "canary-format",
    "name of an unknown parameter": "canary_name",
    "value of an unknown parameter": "canary-value",
    "value of the wrong type": "canary-type",
    "body that is not JSON": "canary-json",
    "name in the query": "canary-query-name",
    "value in the query": "canary-query-value",
    "query of a WebSocket": "canary-websocket",
    "authorization": "canary-authorization",
    "cookie": "canary-cookie",
    "any header": "canary-header",
    "name of a header": "canary-named",
    "baggage": "canary-baggage",
    "accept": "canary-accept",
    "content type": "canary-content",
    "malformed request id": "canary request id",
    "malformed traceparent": "canary-traceparent",
    "path beyond 200 characters": "canary-tail",
    "user agent beyond 200 characters": "canary-agent-tail",
}
SHOWN = {"path": "canary-path", "host": "canary-host", "user agent": "canary-agent", "id": "canary.id"}

HEADERS = {
    "Authorization": "Bearer canary-authorization",
    "Cookie": "session=canary-cookie",
    "X-Whatever": "canary-header",
    "X-canary-named": "1",
    "baggage": "key=canary-baggage",
    "X-Request-ID": "canary request id",
    "traceparent": "canary-traceparent",
    "User-Agent": "canary-agent " + "x" * 200 + "canary-agent-tail",
}


def requests_with_canaries(server: RunningServer) -> list[httpx.Response]:
    """Ask for everything that can be asked for, with a canary in it."""
    path = "/api/v1/tts"
    bodies: list[dict[str, Any]] = [
        {"text": SPOKEN},
        {"text": SPOKEN, "stream": True, "reference_audio": AUDIO},
        {"text": SPOKEN, "reference_audio": "canary-audio!"},
        {"text": SPOKEN, "voice": "canary-voice"},
        {"text": SPOKEN, "model": "canary-model"},
        {"text": SPOKEN, "format": "canary-format"},
        {"text": SPOKEN, "canary_name": "canary-value"},
        {"text": {"inner": SPOKEN}},
        {"text": [SPOKEN]},
        {"text": SPOKEN + "\ud800"},
        {"text": SPOKEN + "\x00"},
        {"text": SPOKEN * 300},
        {"text": SPOKEN, "speed": "canary-type"},
        {"text": SPOKEN, "seed": "canary-type", "temperature": "canary-type"},
    ]
    with server.client(headers=HEADERS) as client:
        as_json = {"Content-Type": "application/json"}
        answers = [client.post(path, content=json.dumps(body), headers=as_json) for body in bodies]
        answers += [
            client.post(path, params={"canary-query-name": "canary-query-value"}, json={"text": SPOKEN}),
            client.get("/livez", params={"canary-query-name": "canary-query-value"}),
            client.post(path, content=b'{"text": "canary-json', headers=as_json),
            client.post(path, json=["canary-json"]),
            client.post(path, content=b"canary-json", headers={"Content-Type": "text/canary-content"}),
            client.post(path, json={"text": SPOKEN}, headers={"Accept": "audio/canary-accept"}),
            client.get(f"/canary-path/{'x' * 200}/canary-tail", params={"canary-query-name": "1"}),
            client.get("/canary-path", headers={"Host": "canary-host"}),
            client.delete(path, headers={"X-Request-ID": "canary.id"}),
        ]
    address = urlsplit(server.url)
    with socket.create_connection((address.hostname, address.port or 0)) as connection:
        connection.sendall(
            f"GET /ws?key=canary-websocket HTTP/1.1\r\nHost: {address.netloc}\r\nUpgrade: websocket\r\n"
            "Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
            "Sec-WebSocket-Version: 13\r\n\r\n".encode()
        )
        connection.recv(100)
    return answers


@dataclass
class Signals:
    """Everything a service said after the canaries, signal by signal."""

    answers: list[httpx.Response]
    log: str
    collector: Collector
    others: dict[str, str]


def signals(folder: Path, logging: dict[str, object]) -> Signals:
    with ExitStack() as stack:
        collector = stack.enter_context(grpc_collector())
        settings: dict[str, object] = {
            "telemetry": {"otlp_endpoint": collector.endpoint},
            "server": {"log_level": "DEBUG"},
            "logging": logging,
        }
        server = stack.enter_context(running_server(folder, settings, SOON))
        answers = requests_with_canaries(server)
        with server.client() as client:
            others = {
                "metrics": client.get("/metrics").text,
                "exemplars": client.get("/metrics", headers={"Accept": "application/openmetrics-text"}).text,
                "JSON metrics": client.get("/api/v1/metrics").text,
                "health": client.get("/api/v1/health").text,
                "probe": client.get("/readyz?verbose").text,
                "API": client.get("/openapi.json").text,
                "another caller's errors": "".join(
                    client.post("/api/v1/tts", json=body).text
                    for body in ({"text": ""}, {"text": "a", "voice": "b"}, {"text": "a", "model": "c"}, {})
                ),
            }
        server.process.terminate()
        server.process.wait(20)
        others["console"] = "".join(server.output)
        return Signals(answers, server.log_file.read_text(encoding="utf-8"), collector, others)


@pytest.fixture(scope="module")
def private(tmp_path_factory: pytest.TempPathFactory) -> Signals:
    return signals(tmp_path_factory.mktemp("service"), {"client_address": "truncated"})


@pytest.fixture(scope="module")
def captured(tmp_path_factory: pytest.TempPathFactory) -> Signals:
    return signals(tmp_path_factory.mktemp("service"), {"capture_content": True, "client_address": "off"})


def test_the_canaries_were_answered_in_every_way(private: Signals) -> None:
    """Or the other tests look for what was never taken in."""
    assert {answer.status_code for answer in private.answers} >= {200, 400, 404, 405, 413, 415}
    assert len([answer for answer in private.answers if answer.status_code == 200]) >= 4
    for request in ("Request completed: POST", "Request failed: POST", "TTS generation completed"):
        assert request in private.log
    assert "text_to_speech piper" in private.collector.text
    assert "Request failed: WEBSOCKET /ws" in private.log


@pytest.mark.parametrize("place", HIDDEN)
def test_what_is_private_is_in_no_signal(private: Signals, place: str) -> None:
    canary = HIDDEN[place]
    assert canary not in private.log
    assert canary not in private.collector.text
    for signal, text in private.others.items():
        assert canary not in text, signal


@pytest.mark.parametrize("place", HIDDEN)
def test_captured_content_is_a_preview_in_the_log_and_nowhere_else(captured: Signals, place: str) -> None:
    canary = HIDDEN[place]
    documented = (
        "Request body received",
        "Starting TTS generation for text: ",
        "Using reference audio: ",
    )
    for line in map(json.loads, captured.log.splitlines()):
        if canary in json.dumps(line):
            assert line["message"].startswith(documented)
            assert place in {"text", "encoded reference audio", "broken reference audio"} | {
                "voice",
                "model",
                "format",
            }
    for span in captured.collector.spans:
        assert canary not in repr(span)
    for signal, text in captured.others.items():
        assert canary not in text, signal


def test_captured_content_is_fifty_characters(captured: Signals) -> None:
    started = [
        line["message"]
        for line in map(json.loads, captured.log.splitlines())
        if line["message"].startswith("Starting TTS generation")
    ]
    assert f"Starting TTS generation for text: {SPOKEN[:50]}..." in started
    bodies = [line["body"] for line in map(json.loads, captured.log.splitlines()) if "body" in line]
    assert bodies
    assert all(len(value) <= 53 for body in bodies for value in body.values() if isinstance(value, str))


def test_the_documented_exceptions_are_where_they_may_be(private: Signals) -> None:
    for canary in SHOWN.values():
        assert canary in private.log
        for signal, text in private.others.items():
            assert canary not in text, signal
    spans = "".join(map(repr, private.collector.spans))
    assert SHOWN["host"] not in spans
    paths = {span.attributes.get("url.path") for span in private.collector.spans}
    assert "/canary-path" in paths
    for span in private.collector.spans:
        shown = {name for name, value in span.attributes.items() if "canary" in str(value)}
        assert shown <= {"url.path", "user_agent.original", "request.id"}
        assert "canary" not in span.name


def test_addresses_follow_the_policy_in_logs_and_spans(private: Signals, captured: Signals) -> None:
    for found, logged, traced in ((private, "127.0.0.0", "127.0.0.0"), (captured, None, "REDACTED")):
        lines = [json.loads(line) for line in found.log.splitlines()]
        assert {line["client_ip"] for line in lines if "client_ip" in line} == {logged}
        addresses = {
            span.attributes["client.address"]
            for span in found.collector.spans
            if "client.address" in span.attributes
        }
        assert addresses == {traced}


def test_errors_of_a_caller_never_hold_what_it_sent_in_what_is_kept(private: Signals) -> None:
    """The caller's own answer may say more than the log."""
    unknown = next(answer for answer in private.answers if "canary-voice" in answer.text)
    assert unknown.json()["code"] == "unknown_voice"
    assert '"error":"No such voice in model piper; available: joe"' in private.log
