"""A real service in a process of its own, for the tests."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Thread
from time import monotonic, sleep
from typing import TypeVar

import httpx
import yaml

Answer = TypeVar("Answer")

START_SECONDS = 60
POLL_SECONDS = 0.02


def wait_until(condition: Callable[[], Answer], seconds: float = START_SECONDS) -> Answer:
    """Ask until the answer is true, and return it."""
    deadline = monotonic() + seconds
    while not (answer := condition()):
        if monotonic() > deadline:
            raise TimeoutError(f"Still not true after {seconds} s")
        sleep(POLL_SECONDS)
    return answer


@dataclass
class RunningServer:
    """A service that listens, and where it writes."""

    url: str
    process: subprocess.Popen[str]
    folder: Path
    output: list[str]

    @property
    def log_file(self) -> Path:
        return self.folder / "logs" / "chatterbox_extended.log"

    def client(self, **options: object) -> httpx.Client:
        return httpx.Client(base_url=self.url, timeout=60, trust_env=False, **options)  # type: ignore[arg-type]

    def log_lines(self) -> list[dict[str, object]]:
        return [json.loads(line) for line in self.log_file.read_text(encoding="utf-8").splitlines()]

    def lines_of(self, request_id: str, until: str) -> list[dict[str, object]]:
        """The log lines of a request, once one whose message starts with `until` is among them."""

        def found() -> list[dict[str, object]]:
            lines = [line for line in self.log_lines() if line.get("request_id") == request_id]
            return lines if any(str(line["message"]).startswith(until) for line in lines) else []

        return wait_until(found)

    def metric(self, name: str, **labels: str) -> float:
        """The value of a sample in `/metrics`, summed over labels not given; 0 if there is none."""
        with self.client() as client:
            text = client.get("/metrics").text
        return sample(text, name, **labels)


def sample(exposition: str, name: str, **labels: str) -> float:
    total = 0.0
    for line in exposition.splitlines():
        match = re.match(r"([a-zA-Z_:][\w:]*)(?:\{([^}]*)\})? ([^ ]+)", line)
        if match and match[1] == name:
            found = dict(re.findall(r'(\w+)="([^"]*)"', match[2] or ""))
            if all(found.get(key) == value for key, value in labels.items()):
                total += float(match[3])
    return total


@contextmanager
def running_server(
    folder: Path,
    settings: dict[str, object] | None = None,
    environment: dict[str, str] | None = None,
    *,
    ready: bool = True,
) -> Iterator[RunningServer]:
    """Start `chatterbox serve` on a free port of loopback in `folder`, and stop it by its own signal."""
    config = folder / "config.yaml"
    config.write_text(yaml.safe_dump(settings or {}), encoding="utf-8")
    command = [sys.executable, "-m", "service", "serve", "--port", "0", "--config", str(config)]
    process = subprocess.Popen(
        command,
        cwd=folder,
        env=clean_environment() | (environment or {}),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    output: list[str] = []
    reader = Thread(target=_read, args=(process, output), daemon=True)
    reader.start()
    try:

        def address() -> str | None:
            if process.poll() is not None:
                raise RuntimeError(f"The service ended with {process.returncode}: {''.join(output)}")
            found = re.search(r"listens on (http://[^\s,]+)", "".join(output))
            return found[1] if found else None

        server = RunningServer(wait_until(address) or "", process, folder, output)
        if ready:
            with server.client() as client:
                wait_until(lambda: client.get("/readyz").status_code == 200)
        yield server
    finally:
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(timeout=40)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        reader.join()
        if process.stderr is not None:
            process.stderr.close()


def clean_environment() -> dict[str, str]:
    """This process's environment without anything that would configure the service."""
    return {
        name: value for name, value in os.environ.items() if not name.startswith(("CHATTERBOX_", "OTEL_"))
    }


def _read(process: subprocess.Popen[str], output: list[str]) -> None:
    assert process.stderr is not None
    for line in process.stderr:
        output.append(line)
        del output[:-500]
