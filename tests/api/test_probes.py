"""Probes: what they say in each state, and that they say it whatever the engines do."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from tests.api.answers import TTS, engine_is_free
from tests.api.voices import held_back, voice
from tests.server import RunningServer, running_server, wait_until

PROBES = ("/livez", "/readyz", "/startupz")
STREAMS = 16
LONG_TEXT = "The committee read the report on Tuesday and nobody had a question. " * 147


@pytest.mark.parametrize("path", PROBES)
def test_a_healthy_service_says_ok(client: httpx.Client, path: str) -> None:
    response = client.get(path)
    assert (response.status_code, response.text) == (200, "ok")
    assert response.headers["Content-Type"].startswith("text/plain")


@pytest.mark.parametrize(
    ("path", "checks"),
    [
        ("/livez", {"event loop": "answering"}),
        ("/readyz", {"status": "healthy", "queue": "has room", "model piper": "ready"}),
        ("/startupz", {"model piper": "ready"}),
    ],
)
def test_a_verbose_probe_tells_why(client: httpx.Client, path: str, checks: dict[str, str]) -> None:
    for query in ("?verbose", "?verbose=1"):
        answer = client.get(f"{path}{query}").json()
        assert answer["ok"] is True
        assert {check["check"]: check["reason"] for check in answer["checks"]} == checks
        assert all(check["ok"] is True for check in answer["checks"])


def test_probes_are_not_counted(server: RunningServer, client: httpx.Client) -> None:
    name = "http_server_request_duration_seconds_count"
    before = server.metric(name)
    for path in PROBES:
        client.get(path)
    assert server.metric(name) == before


def test_probes_answer_while_the_engine_is_saturated(server: RunningServer) -> None:
    """Sixteen streams have begun and none has ended: all of them are active before and after the probes."""
    with ExitStack() as stack:

        def begin(index: int) -> Iterator[bytes]:
            speaker = stack.enter_context(server.client())
            asked = {"text": LONG_TEXT, "stream": True, "seed": index + 1}
            response = stack.enter_context(speaker.stream("POST", TTS, json=asked))
            assert response.status_code == 200
            return response.iter_raw()

        with ThreadPoolExecutor(STREAMS) as speakers:
            streams = list(speakers.map(begin, range(STREAMS)))
        with server.client() as prober:
            assert server.metric("speech_requests_active") == STREAMS
            for path in 10 * (*PROBES, "/health"):
                assert prober.get(path).status_code == 200
            assert server.metric("speech_requests_active") == STREAMS
            assert server.metric("speech_queue_running") >= 1
        assert all(next(stream) for stream in streams)
    wait_until(lambda: engine_is_free(server))


def test_a_service_that_is_still_loading(tmp_path: Path) -> None:
    path = voice(tmp_path, "slow")
    settings = {"models": {"slow": {"engine": "piper", "threads": 1, "voices": {"joe": str(path)}}}}
    with ExitStack() as storage:
        storage.enter_context(held_back(Path(f"{path}.json")))
        with running_server(tmp_path, settings, ready=False) as starting, starting.client() as client:
            wait_until(lambda: client.get("/api/v1/models").json()["models"][0]["state"] == "loading")
            assert client.get("/livez").status_code == 200
            for probe in ("/readyz", "/startupz"):
                response = client.get(probe)
                assert (response.status_code, response.text) == (503, "not ok")
            checks = {check["check"]: check for check in client.get("/readyz?verbose").json()["checks"]}
            assert checks["status"] == {"check": "status", "ok": False, "reason": "starting"}
            assert checks["model slow"] == {"check": "model slow", "ok": False, "reason": "loading"}
            health = client.get("/health")
            assert (health.status_code, health.json()["status"]) == (503, "starting")
            assert health.json()["models_loaded"]["tts"] is False
            storage.close()
            wait_until(lambda: client.get("/readyz").status_code == 200)
            assert client.get("/health").json()["status"] == "healthy"
