"""Asks a server for something cheap at a fixed pace, from a process of its own, and times it."""

import http.client
import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Thread
from time import perf_counter, sleep
from types import TracebackType
from typing import Final, Self

from bench.servers import HOST, Server, clean_environment

ROOT: Final = Path(__file__).parents[1]
INTERVAL_SECONDS: Final = 0.02


@dataclass(frozen=True, slots=True)
class Probes:
    """Seconds of each probe, and how late the prober itself was woken: what the machine added."""

    latencies: list[float]
    wake_ups: list[float]


class Prober:
    """Probes while the body of its `with` runs; `result` is there afterwards."""

    result: Probes

    def __init__(self, server: Server) -> None:
        self._process = subprocess.Popen(
            (sys.executable, "-m", "bench.prober", str(server.port), server.cheap_path),
            cwd=ROOT,
            env=clean_environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None
        self._process.stdout.readline()  # it has begun

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        output, _ = self._process.communicate()
        if kind is None:
            self.result = Probes(*json.loads(output))


def probe(port: int, path: str, stop: Event) -> Probes:
    """Probe until told to stop.

    A probe that takes longer than the pace keeps the next ones from being sent; each counts with the time
    it would have waited (Tene's correction of coordinated omission).
    """
    connection = http.client.HTTPConnection(HOST, port, timeout=60)
    latencies: list[float] = []
    wake_ups: list[float] = []
    due = perf_counter()
    while not stop.is_set():
        due += INTERVAL_SECONDS
        sleep(max(due - perf_counter(), 0))
        began = perf_counter()
        wake_ups.append(began - due)
        connection.request("GET", path)
        response = connection.getresponse()
        response.read()
        took = perf_counter() - began
        if response.status != 200:
            raise RuntimeError(f"{path} answered {response.status}")
        while took > 0:
            latencies.append(took)
            took -= INTERVAL_SECONDS
        due = max(due, perf_counter() - INTERVAL_SECONDS)
    connection.close()
    return Probes(latencies, wake_ups)


def main(port: int, path: str) -> None:
    """Probe until the input ends, then print what was found."""
    stop = Event()

    def wait() -> None:
        sys.stdin.read()
        stop.set()

    Thread(target=wait, daemon=True).start()
    print("begun", flush=True)
    probes = probe(port, path, stop)
    print(json.dumps((probes.latencies, probes.wake_ups)))


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
