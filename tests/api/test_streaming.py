"""Audio that leaves while the rest is still being made."""

from time import perf_counter

import httpx
import pytest

from tests.api.answers import (
    FORMATS,
    TTS,
    caller,
    decoded,
    end_line,
    engine_is_free,
    heard,
    operation_line,
)
from tests.server import RunningServer, wait_until

TEN_SENTENCES = " ".join(
    f"The committee read the {word} report on Tuesday."
    for word in (
        "first",
        "second",
        "third",
        "fourth",
        "fifth",
        "sixth",
        "seventh",
        "eighth",
        "ninth",
        "tenth",
    )
)


@pytest.mark.parametrize("audio_format", FORMATS)
def test_the_first_audio_leaves_while_the_rest_is_made(
    server: RunningServer, client: httpx.Client, audio_format: str
) -> None:
    begun = perf_counter()
    asked = {"text": TEN_SENTENCES, "format": audio_format, "stream": True}
    with client.stream("POST", TTS, json=asked) as response:
        chunks = response.iter_raw()
        first = next(chunks)
        first_after = perf_counter() - begun
        still_working = server.metric("speech_requests_active")
        rest = b"".join(chunks)
    total = perf_counter() - begun
    assert still_working == 1
    assert first_after < total / 2
    facts = operation_line(server, response.headers["X-Request-ID"])
    assert int(str(facts["chunks"])) >= 5
    rate = int(response.headers["X-Sample-Rate"])
    # Not a header alone: a player has something to play.
    assert decoded(first, audio_format, rate, cut_off=True).seconds > 0.2
    audio = decoded(first + rest, audio_format, rate)
    assert audio.seconds == pytest.approx(float(str(facts["audio_seconds"])), abs=0.15)


@pytest.mark.parametrize(
    "text",
    [("hello world " * 834)[:10_000], "abcdefgh" * 1250, "1" * 10_000, "word," * 2000],
    ids=["no punctuation", "no spaces", "digits", "commas"],
)
def test_a_text_of_ten_thousand_characters_begins_at_once(
    server: RunningServer, client: httpx.Client, text: str
) -> None:
    def first_audio(asked: str) -> float:
        begun = perf_counter()
        with client.stream("POST", TTS, json={"text": asked, "stream": True}) as response:
            assert response.status_code == 200
            next(response.iter_raw())
        taken = perf_counter() - begun
        wait_until(lambda: engine_is_free(server))
        return taken

    memory = server.metric("process_resident_memory_bytes")
    reference = min(first_audio("This is a sentence of ordinary length, with one comma.") for _ in range(2))
    # Reading all of it first would take some two hundred times as long.
    assert first_audio(text) < 10 * reference
    assert server.metric("process_resident_memory_bytes") - memory < 200 * 2**20


def test_a_reader_that_does_not_read_holds_up_nobody(server: RunningServer, client: httpx.Client) -> None:
    with caller(server, buffer=4096) as lazy:
        lazy.ask("lazy", text=TEN_SENTENCES * 20, stream=True, format="pcm", sample_rate=48_000)
        lazy.read_audio()
        # The work stops on its own, unfinished, without a turn on the engine.
        quiet = 0

        def stuck() -> bool:
            nonlocal quiet
            idle = server.metric("speech_queue_running") == server.metric("speech_queue_depth") == 0
            quiet = quiet + 1 if idle else 0
            return quiet > 5

        wait_until(stuck)
        assert server.metric("speech_requests_active") == 1
        assert heard(client.post(TTS, json={"text": "Good morning."})).seconds > 0.3
        assert server.metric("speech_requests_active") == 1
    assert end_line(server, "lazy")["outcome"] == "cancelled"
    facts = operation_line(server, "lazy")
    assert float(str(facts["audio_seconds"])) < 450, "all of it was made, so this test says nothing"
    wait_until(lambda: engine_is_free(server))


def test_a_stream_is_never_json(client: httpx.Client) -> None:
    response = client.post(TTS, json={"text": "Hi.", "stream": True}, headers={"Accept": "audio/wav, */*"})
    assert response.headers["Content-Type"] == "audio/wav"
