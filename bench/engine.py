"""The bare engine in a process of its own: `PiperVoice` as its documentation shows it, and nothing around it."""

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from types import TracebackType
from typing import Final, Self

import numpy as np
import psutil

from bench.audio import spoken_seconds
from bench.servers import clean_environment, voice_path

ROOT: Final = Path(__file__).parents[1]


@dataclass(frozen=True, slots=True)
class EngineTimes:
    """Seconds until the first sentence was there, until all were, and of speech."""

    first_audio: float
    total: float
    speech: float


class Engine:
    """This side of the pipe."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            (sys.executable, "-m", "bench.engine", str(voice_path())),
            cwd=ROOT,
            env=clean_environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._status = psutil.Process(self._process.pid)

    @property
    def cpu_seconds(self) -> float:
        return float(sum(self._status.cpu_times()[:4]))

    def speak(self, text: str) -> EngineTimes:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(text) + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        if not answer:
            raise RuntimeError(f"The engine's process ended with {self._process.wait()}")
        return EngineTimes(*json.loads(answer))

    def close(self) -> None:
        self._process.communicate()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


def main(model: str) -> None:
    """That side: a text a line in, times a line out, until the input ends."""
    from piper import PiperVoice

    voice = PiperVoice.load(model)
    for line in sys.stdin:
        began = perf_counter()
        ends: list[float] = []
        sounds = []
        for chunk in voice.synthesize(json.loads(line)):
            sounds.append(chunk.audio_int16_array)
            ends.append(perf_counter() - began)
        speech = spoken_seconds(np.concatenate(sounds), voice.config.sample_rate)
        print(json.dumps((ends[0], ends[-1], speech)), flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
