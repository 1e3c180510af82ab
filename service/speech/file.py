"""Speech into a file, with no server: the same engine, the same pipeline."""

import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import IO

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from service.config import Settings
from service.engines.base import Cancellation
from service.engines.registry import ModelRegistry
from service.errors import EmptyAudio
from service.speech.codec import audio_format
from service.speech.loudness import LoudnessBook
from service.speech.synthesis import Chunk, SpeechRequest, Synthesis, limits_of, results
from telemetry.operation import OperationSpan
from telemetry.spans import Outcome


@dataclass(frozen=True, slots=True)
class FileRequest:
    """What to say, and into which file; its suffix is the format."""

    text: str
    output: Path
    model: str | None = None
    voice: str | None = None
    speed: float | None = None
    sample_rate: int | None = None
    normalize: bool = False
    trim: bool = False


@dataclass(frozen=True, slots=True)
class FileAnswer:
    seconds: float
    voice: str
    warnings: tuple[str, ...]


def speak_to_file(request: FileRequest, settings: Settings, console: Console) -> FileAnswer:
    """Speak `request`, with a progress bar on `console`. The file appears when it is whole, or not at all.

    Raises:
        ServiceError: as the API would answer.
        OSError: the file can't be written.
    """
    asked = SpeechRequest(
        text=request.text,
        format=audio_format(request.output.suffix.removeprefix(".").lower()),
        voice=request.voice,
        speed=request.speed,
        sample_rate=request.sample_rate,
        normalize=request.normalize,
        trim=request.trim,
    )
    limits = limits_of(settings)
    asked.check(limits)
    registry = ModelRegistry(settings.models, settings.speech.default_model)
    try:
        model = registry.get(request.model)
        with console.status(f"Loading {model.name}"):
            model.load().result()
        with model.lease() as engine:
            synthesis = Synthesis(asked, model.name, engine, limits, LoudnessBook())
            return _write(synthesis, request.output, console)
    finally:
        registry.close()


def _write(synthesis: Synthesis, output: Path, console: Console) -> FileAnswer:
    operation = synthesis.start()
    outcome = Outcome.ERROR
    encoding = synthesis.encoding(operation)
    part = NamedTemporaryFile(dir=output.parent, prefix=f".{output.name}.", delete=False)  # noqa: SIM115  # renamed
    try:
        with part, _progress(console) as progress:
            task = progress.add_task("Speaking", total=len(synthesis.request.text))
            for spoken in results(synthesis.speak(operation, Cancellation())):
                _put(part, encoding.encode(spoken), operation)
                progress.advance(task, spoken.characters)
        if not operation.audio_seconds:
            raise EmptyAudio("The engine made no audio for this text")
        Path(part.name).chmod(0o666 & ~_umask())
        Path(part.name).replace(output)
        outcome = Outcome.OK
    finally:
        with suppress(FileNotFoundError):
            Path(part.name).unlink()
        encoding.close()
        operation.end(outcome)
    return FileAnswer(operation.audio_seconds, synthesis.voice.name, synthesis.warnings)


def _put(file: IO[bytes], chunk: Chunk, operation: OperationSpan) -> None:
    file.write(chunk.data)
    operation.audio(chunk.seconds, len(chunk.data))


def _progress(console: Console) -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:>3.0f}%"))
    return Progress(*columns, TimeElapsedColumn(), console=console, transient=True)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
