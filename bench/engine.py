"""The bare engine in a process of its own: `PiperVoice` as its documentation shows it, nothing around it."""

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
from numpy.typing import NDArray

from bench.audio import spoken_seconds
from bench.servers import clean_environment, voice_path

ROOT: Final = Path(__file__).parents[1]


@dataclass(frozen=True, slots=True)
class EngineTimes:
    """Seconds until the first sentence was there, and until all were."""

    first_audio: float
    total: float


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
        return EngineTimes(*self._ask(text))

    def speech_seconds(self) -> float:
        """Of the text that was spoken last; asked for apart, since finding out costs CPU time too."""
        return float(self._ask(None)[0])

    def _ask(self, text: str | None) -> list[float]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(text) + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        if not answer:
            raise RuntimeError(f"The engine's process ended with {self._process.wait()}")
        times: list[float] = json.loads(answer)
        return times

    def close(self) -> None:
        self._process.communicate()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


def main(model: str) -> None:
    """That side, until the input ends: a text a line in, its times out; null in, seconds of speech out."""
    from piper import PiperVoice

    voice = PiperVoice.load(model)
    sounds: list[NDArray[np.int16]] = []
    for line in sys.stdin:
        text = json.loads(line)
        if text is None:
            answer = [spoken_seconds(np.concatenate(sounds), voice.config.sample_rate)]
        else:
            began = perf_counter()
            ends: list[float] = []
            sounds = []
            for chunk in voice.synthesize(text):
                sounds.append(chunk.audio_int16_array)
                ends.append(perf_counter() - began)
            answer = [ends[0], ends[-1]]
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
