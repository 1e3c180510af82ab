"""Reading what the service answers: audio by a real decoder, errors by their contract."""

import io
import json
import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from urllib.parse import urlsplit

import av
import httpx
import numpy as np
from numpy.typing import NDArray

from service.api.errors import ERROR_TABLE
from tests.server import RunningServer

TTS = "/api/v1/tts"
FORMATS = ("mp3", "opus", "aac", "flac", "wav", "pcm")


@dataclass(frozen=True)
class Audio:
    """Decoded audio: mono, shape (samples,), -1 to 1."""

    samples: NDArray[np.float32]
    rate: int

    @property
    def seconds(self) -> float:
        return self.samples.size / self.rate


def decoded(data: bytes, audio_format: str, rate: int, *, cut_off: bool = False) -> Audio:
    """What a player hears. `rate` is for PCM, which does not tell; `cut_off` data may end in mid-packet."""
    if audio_format == "pcm":
        return Audio(np.frombuffer(data[: len(data) // 2 * 2], "<i2").astype(np.float32) / 2**15, rate)
    frames: list[av.AudioFrame | None] = []
    forgiven = [av.error.InvalidDataError] if cut_off else []
    with av.open(io.BytesIO(data)) as container, suppress(*forgiven):
        frames.extend(container.decode(audio=0))
    resampler = av.AudioResampler(format="flt", layout="mono")
    plain = [part for frame in [*frames, None] for part in resampler.resample(frame)]
    return Audio(np.concatenate([part.to_ndarray().reshape(-1) for part in plain]), plain[0].sample_rate)


def heard(response: httpx.Response, audio_format: str = "wav") -> Audio:
    assert response.status_code == 200, response.text
    return decoded(response.content, audio_format, int(response.headers["X-Sample-Rate"]))


def problem(response: httpx.Response, code: str) -> dict[str, object]:
    """The body of an error, after checking that it is the error `code` in the one shape all errors have."""
    assert response.headers.get("Content-Type") == "application/problem+json", response.headers
    body: dict[str, object] = response.json()
    assert body["code"] == code, body
    assert body["status"] == response.status_code == ERROR_TABLE[code].status
    assert body["type"] == f"urn:chatterbox:error:{code}"
    assert body["title"]
    assert body["detail"]
    assert body["request_id"] == response.headers["X-Request-ID"]
    if "traceresponse" in response.headers:
        assert body["trace_id"] == trace_id(response)
    else:
        assert "trace_id" not in body
    assert set(body) <= {"type", "title", "status", "detail", "code", "request_id", "trace_id", "errors"}
    return body


def trace_id(response: httpx.Response) -> str:
    """The trace's id in `traceresponse`, which must be well formed."""
    match = re.fullmatch(r"00-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}", response.headers["traceresponse"])
    assert match, response.headers["traceresponse"]
    return match[1]


def operation_line(server: RunningServer, request_id: str) -> dict[str, object]:
    """What the log tells of a request's operation, under `data`."""
    lines = server.lines_of(request_id, "Completed operation")
    found = [line["data"] for line in lines if str(line["message"]).startswith("Completed operation")]
    assert len(found) == 1
    assert isinstance(found[0], dict)
    return found[0]


def end_line(server: RunningServer, request_id: str) -> dict[str, object]:
    """How a request ended, as the log tells it; once, and once only."""
    lines = server.lines_of(request_id, "Request ")
    ended = [
        line for line in lines if str(line["message"]).startswith(("Request failed", "Request completed"))
    ]
    if not ended:
        lines = server.lines_of(request_id, "Request failed")
        ended = [line for line in lines if str(line["message"]).startswith("Request failed")]
    assert len(ended) == 1, ended
    return ended[0]


class RawCaller:
    """A caller on a socket of its own, who can leave at any moment."""

    def __init__(self, server: RunningServer, *, buffer: int | None = None) -> None:
        address = urlsplit(server.url)
        self.socket = socket.socket()
        if buffer is not None:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
        self.socket.settimeout(60)
        self.socket.connect((address.hostname, address.port))
        self._received = b""

    def ask(self, request_id: str, **body: object) -> None:
        """Send a whole request for speech."""
        content = json.dumps(body).encode()
        self.begin(request_id, len(content))
        self.socket.sendall(content)

    def begin(self, request_id: str, length: int) -> None:
        """Send the head of a request for speech whose body is `length` bytes."""
        head = (
            f"POST {TTS} HTTP/1.1\r\nHost: localhost\r\nX-Request-ID: {request_id}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
        )
        self.socket.sendall(head.encode())

    def read_audio(self) -> bytes:
        """Read on until some of the body is there, and return what there is of it."""
        while b"\r\n\r\n" not in self._received or not self._received.partition(b"\r\n\r\n")[2]:
            data = self.socket.recv(4096)
            assert data, f"closed after {self._received!r}"
            self._received += data
        return self._received.partition(b"\r\n\r\n")[2]

    def read_all(self) -> bytes:
        """Read until the server closes."""
        while data := self.socket.recv(65536):
            self._received += data
        return self._received

    def leave(self) -> None:
        self.socket.close()


@contextmanager
def caller(server: RunningServer, *, buffer: int | None = None) -> Iterator[RawCaller]:
    raw = RawCaller(server, buffer=buffer)
    try:
        yield raw
    finally:
        raw.leave()


def engine_is_free(server: RunningServer) -> bool:
    return all(
        server.metric(name) == 0
        for name in (
            "speech_queue_running",
            "speech_queue_depth",
            "speech_requests_active",
            "http_server_active_requests",
        )
    )


def files_of(server: RunningServer) -> set[str]:
    """Every file in the service's working directory, but for what it is started with and its logs."""
    return {
        str(path.relative_to(server.folder))
        for path in server.folder.rglob("*")
        if path.is_file() and path.parent != server.log_file.parent and path.name != "config.yaml"
    }
