"""Every code of the error table, reached through a real server; a code without a case fails."""

import resource
import signal
import socket
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from service.api.errors import ERROR_TABLE
from service.api.reference import reference
from tests.api.answers import TTS, caller, end_line, engine_is_free, heard, problem
from tests.api.voices import SILENT, UNSPEAKABLE, held_back, stumbling_voice, voice
from tests.server import RunningServer, running_server, wait_until

JSON = {"Content-Type": "application/json"}
LONG_TEXT = "The committee read the report on Tuesday and nobody had a question. " * 100

Case = Callable[[RunningServer], None]
CASES: dict[str, Case] = {}


def reaches(code: str) -> Callable[[Case], Case]:
    def enter(case: Case) -> Case:
        assert code not in CASES
        CASES[code] = case
        return case

    return enter


def reaches_by_sending(code: str, **request: object) -> None:
    @reaches(code)
    def send(server: RunningServer) -> None:
        with server.client() as client:
            asked = {"method": "POST", "url": TTS, **request}
            problem(client.request(**asked), code)  # type: ignore[arg-type]  # assembled above


@pytest.fixture(scope="module")
def troubled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """A service that takes one request at a time, with models that have something wrong with them."""
    folder = tmp_path_factory.mktemp("troubled")
    models = {
        "joe": {"engine": "piper", "threads": 1},
        "stumbling": {"engine": "piper", "threads": 1, "voices": {"joe": str(stumbling_voice(folder))}},
        "gone": {"engine": "piper", "voices": {"joe": "/nowhere/joe.onnx"}, "preload": False},
        "late": {
            "engine": "piper",
            "voices": {"joe": str(voice(folder, "late", weights=b"not weights"))},
            "preload": False,
        },
    }
    settings = {
        "models": models,
        "speech": {"default_model": "joe"},
        "scheduling": {"max_requests": 1},
    }
    with running_server(folder, settings) as running:
        yield running


reaches_by_sending("invalid_request", json={"text": "Hello", "speed": 0})
reaches_by_sending("invalid_json", content=b"{", headers=JSON)
reaches_by_sending("unknown_parameter", json={"text": "Hello", "colour": "red"})
reaches_by_sending("empty_text", json={"text": "..."})
reaches_by_sending("invalid_text", json={"text": "a\x07b"})
reaches_by_sending("unsupported_sample_rate", json={"text": "Hello", "format": "opus", "sample_rate": 11025})
reaches_by_sending("unknown_model", json={"text": "Hello", "model": "bob"})
reaches_by_sending("unknown_voice", json={"text": "Hello", "voice": "bob"})
reaches_by_sending("not_found", url="/api/v1/nothing")
reaches_by_sending("method_not_allowed", method="GET")
reaches_by_sending(
    "not_acceptable", json={"text": "Hello", "stream": True}, headers={"Accept": "application/json"}
)
reaches_by_sending("text_too_long", json={"text": "a" * 10_001})
reaches_by_sending("body_too_large", content=b" " * (20 * 2**20 + 1), headers=JSON)
reaches_by_sending("unsupported_format", json={"text": "Hello", "format": "midi"})
reaches_by_sending("invalid_audio", json={"text": "Hello", "reference_audio": "no base64!"})
reaches_by_sending("empty_audio", json={"text": SILENT})
reaches_by_sending("engine_failed", json={"text": UNSPEAKABLE, "model": "stumbling"})


@reaches("engine_unavailable")
def _a_voice_file_that_is_missing(server: RunningServer) -> None:
    with server.client() as client:
        response = client.post(TTS, json={"text": "Hello", "model": "gone"})
        body = problem(response, "engine_unavailable")
        assert "/nowhere/joe.onnx does not exist: download it or correct the setting" in str(body["detail"])
        assert int(response.headers["Retry-After"]) > 0


@reaches("client_closed_request")
def _a_caller_who_leaves(server: RunningServer) -> None:
    with caller(server) as leaver:
        leaver.ask("leaver", text=LONG_TEXT)
        wait_until(lambda: server.metric("speech_requests_active") == 1)
    line = end_line(server, "leaver")
    assert (line["error_code"], line["status_code"]) == ("client_closed_request", 499)


@reaches("overloaded")
def _one_request_more_than_there_is_room_for(server: RunningServer) -> None:
    rejected = server.metric("speech_rejected_total", reason="overloaded")
    with server.client() as client:
        with client.stream("POST", TTS, json={"text": LONG_TEXT, "stream": True}) as stream:
            chunks = stream.iter_raw()  # kept: when it goes, httpx closes the connection
            next(chunks)
            response = client.post(TTS, json={"text": "Hello"})
            problem(response, "overloaded")
            assert response.headers["Retry-After"] == "1"
            probe = client.get("/readyz")
            assert (probe.status_code, probe.text) == (503, "not ok")
        wait_until(lambda: client.get("/readyz").status_code == 200)
    assert server.metric("speech_rejected_total", reason="overloaded") == rejected + 1


@reaches("engine_loading")
def _a_model_that_takes_long_to_load(server: RunningServer) -> None:
    with server.client() as client:
        with held_back(server.folder / "late.onnx.json"):
            response = client.post(TTS, json={"text": "Hello", "model": "late"})
            problem(response, "engine_loading")
            assert response.headers["Retry-After"] == "10"
            assert _state(client, "late") == "loading"
        wait_until(lambda: _state(client, "late") == "failed")
        body = problem(client.post(TTS, json={"text": "Hello", "model": "late"}), "engine_unavailable")
        assert "late.onnx cannot be loaded" in str(body["detail"])
        assert "damaged" in str(body["detail"])


def _state(client: httpx.Client, name: str) -> str:
    models = client.get("/api/v1/models").json()["models"]
    return next(str(model["state"]) for model in models if model["name"] == name)


@reaches("internal_error")
def _a_process_that_can_open_no_more_files(server: RunningServer) -> None:
    process = server.process.pid
    limits = resource.prlimit(process, resource.RLIMIT_NOFILE)
    with server.client() as client:
        assert client.get("/api/v1/metrics").status_code == 200  # the connection is open from here on
        resource.prlimit(process, resource.RLIMIT_NOFILE, (0, limits[1]))
        try:
            response = client.get("/api/v1/metrics")
        finally:
            resource.prlimit(process, resource.RLIMIT_NOFILE, limits)
        body = problem(response, "internal_error")
        line = server.lines_of(str(body["request_id"]), "Unexpected error")[-1]
        assert (line["level"], line["exception"]["type"]) == ("ERROR", "OSError")  # type: ignore[index]
        assert client.get("/api/v1/metrics").status_code == 200


@reaches("draining")
def _a_request_that_arrives_as_the_service_stops(server: RunningServer) -> None:
    folder = server.folder / "draining"
    folder.mkdir()
    with running_server(folder, {"models": {"joe": {"engine": "piper", "threads": 1}}}) as stopping:
        with caller(stopping) as late:
            content = b'{"text": "Hello"}'
            late.begin("late", len(content))
            wait_until(lambda: stopping.metric("http_server_active_requests") == 1)
            stopping.process.send_signal(signal.SIGTERM)
            wait_until(lambda: not _listens(stopping))
            late.socket.sendall(content)
            head, _, body = late.read_all().partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 503 ")
        assert b"\r\nretry-after: 1\r\n" in head.lower() + b"\r\n"
        assert b'"code":"draining"' in body
        assert stopping.process.wait(timeout=30) == 0


def _listens(server: RunningServer) -> bool:
    address = httpx.URL(server.url)
    try:
        socket.create_connection((address.host, address.port or 0)).close()
    except ConnectionRefusedError:
        return False
    return True


@pytest.mark.parametrize("code", ERROR_TABLE)
def test_every_code_is_reached(troubled: RunningServer, code: str) -> None:
    assert code in CASES, f"no test reaches {code}: write a case for it"
    CASES[code](troubled)


def test_every_case_is_of_a_code_in_the_table() -> None:
    assert set(CASES) <= set(ERROR_TABLE)


def test_the_service_serves_on_after_all_of_them(troubled: RunningServer) -> None:
    wait_until(lambda: engine_is_free(troubled))
    with troubled.client() as client:
        assert heard(client.post(TTS, json={"text": "Good morning."})).seconds > 0.3
        response = client.post(TTS, json={"text": "Good morning.", "model": "stumbling"})
        assert heard(response).seconds > 0.3


def test_an_engine_that_fails_in_mid_stream_breaks_the_connection(troubled: RunningServer) -> None:
    text = f"The first sentence is read without a problem. {UNSPEAKABLE}"
    with troubled.client() as client:
        asked = {"text": text, "model": "stumbling", "stream": True}
        with client.stream("POST", TTS, json=asked) as response:
            assert response.status_code == 200
            with pytest.raises(httpx.RemoteProtocolError):
                response.read()
        line = end_line(troubled, response.headers["X-Request-ID"])
        assert (line["outcome"], line["error_code"]) == ("aborted", "engine_failed")


def test_several_callers_may_wait_for_a_model_that_fails(troubled: RunningServer) -> None:
    with troubled.client() as client, ThreadPoolExecutor(4) as callers:
        asked = [{"text": "Hello", "model": "gone"}] * 4
        for response in callers.map(lambda body: client.post(TTS, json=body), asked):
            problem(response, "engine_unavailable")


def test_the_reference_of_the_errors_is_up_to_date() -> None:
    found = Path("docs/errors.md").read_text(encoding="utf-8")
    assert found == reference(), "run: python -m service.api.reference > docs/errors.md"
