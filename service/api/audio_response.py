"""Audio on its way to a caller, streamed or whole, with the work stopped as soon as nobody listens."""

import asyncio
import base64
import json
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from typing import Final

from fastapi.responses import Response
from pydantic import BaseModel, Field
from starlette.types import Message, Receive, Scope, Send

from service.api.errors import ERROR_TABLE, outcome_of
from service.engines.base import Cancellation
from service.engines.registry import Model
from service.errors import Cancelled, EmptyAudio, ServiceError
from service.scheduling.scheduler import Scheduler
from service.speech.synthesis import Chunk, Synthesis
from telemetry.http import request_state
from telemetry.operation import OperationSpan
from telemetry.spans import Outcome, Stage

OPENING_SECONDS: Final = 0.4
"""What is encoded and sent first of a stream's first piece: a codec takes some 10 ms for a whole sentence."""


class SpeechAnswer(BaseModel):
    """The audio and its facts as JSON."""

    audio: str = Field(description="The audio, base64.")
    format: str
    media_type: str
    sample_rate: int = Field(description="Hz")
    duration_seconds: float
    seed: int
    model: str
    voice: str
    warnings: list[str] = Field(description="What was asked for and could not be honoured.")
    request_id: str


class SpeechResponse(Response):
    """Speaks while it answers.

    Until the first audio is there nothing is sent, so that what fails before it is an error with a status.
    What fails later breaks the connection: a caller must not take half an answer for a whole one.
    """

    def __init__(self, synthesis: Synthesis, model: Model, scheduler: Scheduler, *, as_json: bool) -> None:
        super().__init__()
        self._synthesis = synthesis
        self._model = model
        self._scheduler = scheduler
        self._as_json = as_json

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        cancellation = Cancellation()
        with self._scheduler.admit(), self._model.lease():
            operation = self._synthesis.start()
            started = False

            async def watched_send(message: Message) -> None:
                nonlocal started
                started = True
                await send(message)

            try:
                deliver = self._stream if self._synthesis.request.streamed else self._whole
                async with aclosing(self._chunks(operation, cancellation)) as chunks:
                    await _unless_disconnected(receive, deliver(scope, chunks, operation, watched_send))
            except BaseException as error:
                _note_failure(scope, operation, error, started)
                if isinstance(error, Cancelled):
                    return
                raise

    async def _chunks(
        self, operation: OperationSpan, cancellation: Cancellation
    ) -> AsyncGenerator[Chunk, None]:
        scheduler, synthesis = self._scheduler, self._synthesis
        encoding = synthesis.encoding(operation)
        sound = synthesis.speak(operation, cancellation)
        waiting = operation.stage(Stage.QUEUE)
        try:
            if encoding.light:
                async with aclosing(scheduler.run(encoding.encoded(sound), waiting, cancellation)) as chunks:
                    async for chunk in chunks:
                        yield chunk
            else:
                opening = OPENING_SECONDS if synthesis.request.streamed else 0.0
                async with aclosing(scheduler.run(sound, waiting, cancellation)) as sounds:
                    async for spoken in sounds:
                        for part in spoken.parted(opening, synthesis.sample_rate):
                            yield await scheduler.aside(encoding.encode, part)
                        opening = 0.0
        finally:
            if not encoding.finished:
                await scheduler.aside(encoding.close)

    async def _stream(
        self, scope: Scope, chunks: AsyncIterator[Chunk], operation: OperationSpan, send: Send
    ) -> None:
        deliver = operation.stage(Stage.DELIVER)
        data, seconds = b"", 0.0
        async for chunk in chunks:
            data, seconds = data + chunk.data, seconds + chunk.seconds
            # A codec may hold audio back, and its header alone is no audio yet.
            if not data or not (seconds or operation.has_audio):
                continue
            if not operation.has_audio:
                await send(self._start(self._facts()))
            operation.audio(seconds, len(data))
            with deliver:
                await send({"type": "http.response.body", "body": data, "more_body": True})
            data, seconds = b"", 0.0
        _check_audio(operation)
        operation.end(Outcome.OK)
        await send({"type": "http.response.body", "body": b""})

    async def _whole(
        self, scope: Scope, chunks: AsyncIterator[Chunk], operation: OperationSpan, send: Send
    ) -> None:
        audio, seconds = bytearray(), 0.0
        async for chunk in chunks:
            audio += chunk.data
            seconds += chunk.seconds
        if seconds > 0:
            operation.audio(seconds, len(audio))
        _check_audio(operation)
        operation.end(Outcome.OK)
        headers = self._facts() | {"X-Audio-Duration": f"{seconds:.6f}"}
        body = bytes(audio)
        if self._as_json:
            body = self._answer(body, seconds, request_state(scope).request_id)
            headers["Content-Type"] = "application/json"
        headers["Content-Length"] = str(len(body))
        await send(self._start(headers))
        await send({"type": "http.response.body", "body": body})

    def _facts(self) -> dict[str, str]:
        synthesis = self._synthesis
        headers = {
            "Content-Type": synthesis.request.format.media_type(synthesis.sample_rate),
            "X-Seed": str(synthesis.seed),
            "X-Sample-Rate": str(synthesis.sample_rate),
            "X-Model": synthesis.model,
            "X-Voice": synthesis.voice.name,
        }
        if synthesis.warnings:
            headers["X-Warnings"] = "; ".join(synthesis.warnings)
        return headers

    def _answer(self, audio: bytes, seconds: float, request_id: str) -> bytes:
        synthesis = self._synthesis
        answer = SpeechAnswer(
            audio=base64.b64encode(audio).decode("ascii"),
            format=synthesis.request.format.name,
            media_type=synthesis.request.format.media_type(synthesis.sample_rate),
            sample_rate=synthesis.sample_rate,
            duration_seconds=round(seconds, 6),
            seed=synthesis.seed,
            model=synthesis.model,
            voice=synthesis.voice.name,
            warnings=list(synthesis.warnings),
            request_id=request_id,
        )
        return json.dumps(answer.model_dump()).encode()

    def _start(self, headers: dict[str, str]) -> Message:
        encoded = [
            (name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()
        ]
        return {"type": "http.response.start", "status": 200, "headers": encoded}


def _check_audio(operation: OperationSpan) -> None:
    if not operation.audio_seconds:
        raise EmptyAudio("The engine made no audio for this text")


def _note_failure(scope: Scope, operation: OperationSpan, error: BaseException, started: bool) -> None:
    if isinstance(error, ServiceError):
        code, outcome = error.code, outcome_of(error)
    else:
        code, outcome = ServiceError.code, Outcome.ERROR
    if started and outcome is not Outcome.CANCELLED:
        outcome = Outcome.ABORTED
    operation.end(outcome, code)
    if started or outcome is Outcome.CANCELLED:
        request_state(scope).failed(outcome, code, ERROR_TABLE[code].meaning)


async def _unless_disconnected(receive: Receive, delivery: Awaitable[None]) -> None:
    """Wait for `delivery`, but no longer than the caller does.

    Raises:
        Cancelled: the caller went away first.
    """
    delivering = asyncio.ensure_future(delivery)
    watching = asyncio.ensure_future(_disconnect(receive))
    try:
        await asyncio.wait([delivering, watching], return_when=asyncio.FIRST_COMPLETED)
        if not delivering.done():
            raise Cancelled("The client closed the request")
        delivering.result()
    finally:
        for task in (delivering, watching):
            task.cancel()
        await asyncio.wait([delivering, watching])


async def _disconnect(receive: Callable[[], Awaitable[Message]]) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
