"""A caller who goes away: the work stops, and it is counted once, as cancelled."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import httpx
import pytest

from tests.api.answers import FORMATS, TTS, caller, end_line, engine_is_free, operation_line
from tests.server import RunningServer, wait_until

LONG_TEXT = "The committee read the report on Tuesday and nobody had a question. " * 147
SHORT_TEXT = LONG_TEXT[:340]


@pytest.fixture(scope="module", autouse=True)
def warm(server: RunningServer) -> None:
    """Fill the thread pools, so that a thread more is a thread that was left behind."""
    unchanged, threads = 0, 0.0
    with server.client() as client, ThreadPoolExecutor(16) as callers:

        def speak(_: int) -> None:
            client.post(TTS, json={"text": "Good morning to you.", "format": "mp3"}).raise_for_status()

        def look(_: int) -> None:
            client.get("/api/v1/health").raise_for_status()

        while unchanged < 3:
            list(callers.map(speak, range(16)))
            list(callers.map(look, range(16)))
            before, threads = threads, server.metric("process_threads")
            unchanged = unchanged + 1 if threads == before else 0
    wait_until(lambda: engine_is_free(server))


@contextmanager
def cancelled_once(server: RunningServer, request_id: str, status: int) -> Iterator[None]:
    """Check what one caller's leaving, in the body, does to the counters, the log and the threads."""

    def counted(outcome: str | None) -> float:
        name = "http_server_request_duration_seconds_count"
        labels = {} if outcome is None else {"outcome": outcome}
        return server.metric(name, method="POST", **labels)

    cancelled, all_ended = counted("cancelled"), counted(None)
    operations = server.metric("speech_request_duration_seconds_count")
    threads = server.metric("process_threads")
    errors = _errors(server)
    yield
    line = end_line(server, request_id)
    assert (line["outcome"], line["error_code"], line["status_code"]) == (
        "cancelled",
        "client_closed_request",
        status,
    )
    wait_until(lambda: engine_is_free(server))
    assert counted("cancelled") - cancelled == 1
    assert counted(None) - all_ended == 1
    assert server.metric("speech_request_duration_seconds_count") - operations <= 1
    wait_until(lambda: server.metric("process_threads") <= threads)
    lines = [line for line in server.log_lines() if line.get("request_id") == request_id]
    assert {line["level"] for line in lines} == {"INFO"}
    assert _errors(server) == errors


def _errors(server: RunningServer) -> list[object]:
    """What was logged as an error so far, and what never got as far as the log."""
    lines = [line for line in server.log_lines() if line["level"] in ("ERROR", "CRITICAL")]
    return [*lines, *(line for line in server.output if "Traceback" in line)]


@pytest.mark.parametrize("audio_format", FORMATS)
def test_in_mid_stream(server: RunningServer, audio_format: str) -> None:
    request_id = f"mid-stream-{audio_format}"
    with cancelled_once(server, request_id, 200), caller(server) as listener:
        listener.ask(request_id, text=LONG_TEXT, stream=True, format=audio_format)
        assert listener.read_audio()
        assert server.metric("speech_requests_active") == 1
    facts = operation_line(server, request_id)
    assert facts["outcome"] == "cancelled"
    # The whole text is some 700 seconds of speech.
    assert float(str(facts["audio_seconds"])) < 350


@pytest.mark.parametrize("audio_format", FORMATS)
def test_while_a_whole_answer_is_made(server: RunningServer, client: httpx.Client, audio_format: str) -> None:
    short = client.post(TTS, json={"text": SHORT_TEXT, "format": audio_format})
    short_duration = operation_line(server, short.headers["X-Request-ID"])["duration_ms"]
    request_id = f"whole-{audio_format}"
    with cancelled_once(server, request_id, 499), caller(server) as listener:
        listener.ask(request_id, text=LONG_TEXT, format=audio_format)
        wait_until(lambda: server.metric("speech_queue_running") >= 1)
    # To the end it would have taken almost thirty times as long as the short text.
    facts = operation_line(server, request_id)
    assert float(str(facts["duration_ms"])) < 10 * float(str(short_duration))


@pytest.mark.parametrize("audio_format", FORMATS)
def test_before_the_first_byte_of_a_stream(server: RunningServer, audio_format: str) -> None:
    request_id = f"before-{audio_format}"
    with cancelled_once(server, request_id, 499), caller(server) as listener:
        # At a quarter of the pace the first piece takes a while.
        listener.ask(request_id, text=LONG_TEXT, stream=True, format=audio_format, speed=0.25)


def test_before_the_whole_request_was_sent(server: RunningServer) -> None:
    with cancelled_once(server, "half-a-body", 499), caller(server) as listener:
        listener.begin("half-a-body", 1000)
        listener.socket.sendall(b'{"text": "Hel')
        wait_until(lambda: server.metric("http_server_active_requests") >= 1)


def test_while_it_waits_for_its_turn(server: RunningServer) -> None:
    with (
        caller(server) as first,
        caller(server) as second,
        caller(server) as third,
    ):
        for index, listener in enumerate((first, second, third)):
            listener.ask(f"busy-{index}", text=LONG_TEXT)
        wait_until(lambda: server.metric("speech_requests_active") == 3)
        with caller(server) as waiting:
            waiting.ask("waiting", text=LONG_TEXT)
            wait_until(lambda: server.metric("speech_requests_active") == 4)
        assert end_line(server, "waiting")["outcome"] == "cancelled"
        assert server.metric("speech_requests_active") == 3
    wait_until(lambda: engine_is_free(server))
    for index in range(3):
        assert end_line(server, f"busy-{index}")["outcome"] == "cancelled"
