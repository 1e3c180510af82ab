"""One caller with a kept connection."""

import http.client
from dataclasses import dataclass
from time import perf_counter
from types import TracebackType
from typing import Final, Self

from bench.servers import HOST, Server

WAV_HEADER_BYTES: Final = 44
READ_BYTES: Final = 1 << 16
PATIENCE_SECONDS: Final = 600
IDLE_SECONDS: Final = 2.0
"""A connection that was idle for longer is made anew first: uvicorn closes one after 5 s."""


@dataclass(frozen=True, slots=True)
class Spoken:
    """An answer, and when it came, in seconds after the request was sent."""

    audio: bytes
    first_audio: float
    total: float


class Client:
    """Calls one server, again and again over the same connection. Not for two threads at once."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._connection = http.client.HTTPConnection(HOST, server.port, timeout=PATIENCE_SECONDS)
        self._used_at = perf_counter()

    def speak(self, text: str, audio_format: str = "wav", *, stream: bool = False) -> Spoken:
        """Have a text spoken.

        Raises:
            RuntimeError: the answer was not 200, brought no audio, or broke off.
        """
        body = self._server.body(text, audio_format, stream=stream)
        header = WAV_HEADER_BYTES if audio_format == "wav" else 0
        if perf_counter() - self._used_at > IDLE_SECONDS:
            self._connection.close()
        if self._connection.sock is None:
            self._connection.connect()
        began = perf_counter()
        self._connection.request("POST", self._server.path, body, {"Content-Type": "application/json"})
        response = self._connection.getresponse()
        audio = bytearray()
        first_audio = None
        while data := response.read1(READ_BYTES):
            audio += data
            if first_audio is None and len(audio) > header:
                first_audio = perf_counter() - began
        self._used_at = perf_counter()
        total = self._used_at - began
        missing = response.length  # None where the answer came in chunks, whose end `read1` checks
        response.close()  # of the answer; the connection stays
        if response.status != 200 or first_audio is None or missing:
            raise RuntimeError(f"{self._server.name} answered {response.status} with {len(audio)} bytes")
        return Spoken(bytes(audio), first_audio, total)

    def close(self) -> None:
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()
