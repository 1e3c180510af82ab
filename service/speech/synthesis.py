"""One speech request on its way: text, engine, effects, codec. Blocking; run it in a worker thread."""

import secrets
from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from threading import Lock
from typing import Final, TypeVar

import numpy as np
from opentelemetry.util.types import AttributeValue

from service.config import Settings
from service.engines.base import Cancellation, Samples, SpeechEngine, Utterance, Voice
from service.errors import UnknownVoice
from service.speech import text
from service.speech.codec import AudioFormat, Encoder, check_sample_rate
from service.speech.effects import Effects, silence
from service.speech.loudness import LoudnessBook
from service.speech.text import Cleanup, Piece
from telemetry import spans
from telemetry.operation import OperationSpan
from telemetry.spans import Stage

Result = TypeVar("Result")

MAX_SEED: Final = 2**32 - 1


@dataclass(frozen=True, slots=True)
class SpeechLimits:
    """The operator's side of a synthesis. Lengths in characters, loudness in LUFS."""

    max_text_length: int = 10_000
    piece_characters: int = 160
    first_piece_characters: int = 80
    loudness_lufs: float = -24.0


def limits_of(settings: Settings) -> SpeechLimits:
    """The operator's side of every synthesis."""
    return SpeechLimits(
        max_text_length=settings.api.max_text_length,
        piece_characters=settings.speech.piece_characters,
        first_piece_characters=settings.speech.first_piece_characters,
        loudness_lufs=settings.speech.loudness_lufs,
    )


@dataclass(frozen=True, slots=True)
class SpeechRequest:
    """What a caller wants spoken, checked for form. None stands for "not asked for"."""

    text: str
    format: AudioFormat
    voice: str | None = None
    sample_rate: int | None = None
    speed: float | None = None
    temperature: float | None = None
    seed: int | None = None
    exaggeration: float | None = None
    cfg_weight: float | None = None
    reference_audio: bytes | None = None
    normalize: bool = False
    trim: bool = False
    normalize_text: bool = True
    cleanup: Cleanup = field(default_factory=Cleanup)
    streamed: bool = False

    def check(self, limits: SpeechLimits) -> None:
        """Refuse a text that can't be spoken, before anything is loaded for it.

        Raises:
            EmptyText, TextTooLong, InvalidText: of the text.
            UnsupportedSampleRate: the format can't hold the asked rate.
        """
        text.validate(self.text, max_length=limits.max_text_length)
        if self.sample_rate is not None:
            check_sample_rate(self.format, self.sample_rate)


@dataclass(frozen=True, slots=True)
class Spoken:
    """Sound at the answer's sample rate, and how many characters of the caller's text it stands for."""

    samples: Samples
    characters: int
    last: bool = False

    def parted(self, seconds: float, sample_rate: int) -> Iterator["Spoken"]:
        """The beginning of so many seconds, and the rest; for no seconds, the whole."""
        length = round(seconds * sample_rate)
        if not 0 < length < self.samples.size:
            yield self
        else:
            yield Spoken(self.samples[:length], self.characters)
            yield Spoken(self.samples[length:], 0, self.last)


@dataclass(frozen=True, slots=True)
class Chunk:
    """Encoded audio that is ready to leave, and how many seconds of sound went in for it."""

    data: bytes
    seconds: float


class Encoding:
    """The codec's side of a synthesis; a stage of its own, so that it can run beside the next piece.

    Args:
        operation: whose stage it is.
    """

    def __init__(self, request: SpeechRequest, sample_rate: int, operation: OperationSpan) -> None:
        self._encoder = Encoder(request.format, sample_rate, streamed=request.streamed)
        self._stage = operation.stage(Stage.ENCODE)
        self._lock = Lock()
        self.light = request.format.compression is None
        """Whether the codec costs less than a change of thread."""
        self.finished = False

    def encode(self, spoken: Spoken) -> Chunk:
        """The bytes that are ready to leave; with the last of the sound, all the rest."""
        with self._lock, self._stage:
            before = self._encoder.seconds
            data = self._encoder.encode(spoken.samples)
            if spoken.last:
                data += self._encoder.finish()
                self.finished = True
            return Chunk(data, self._encoder.seconds - before)

    def encoded(self, sound: Generator[Spoken, None, Spoken]) -> Generator[Chunk, None, Chunk]:
        """The same steps, encoded."""
        with closing(sound):
            while True:
                try:
                    spoken = next(sound)
                except StopIteration as stop:
                    return self.encode(stop.value)
                yield self.encode(spoken)

    def close(self) -> None:
        """Release the codec; needed where the last sound was not reached, harmless otherwise.

        Waits for an `encode` that another thread is in: its caller may have left in the middle of it.
        """
        with self._lock:
            self._encoder.close()


def results(work: Generator[Result, None, Result]) -> Iterator[Result]:
    """What a generator yields, and then what it returns."""
    last = yield from work
    yield last


class Synthesis:
    """Everything that is decided about a request before it is spoken, and then the speaking.

    Args:
        request: what is wanted, checked.
        model: the model's configured name.
        engine: its engine, loaded.

    Raises:
        UnknownVoice: the engine has no such voice.
    """

    def __init__(
        self,
        request: SpeechRequest,
        model: str,
        engine: SpeechEngine,
        limits: SpeechLimits,
        loudness: LoudnessBook,
    ) -> None:
        voices = engine.voices
        name = engine.default_voice if request.voice is None else request.voice
        if name not in voices:
            raise UnknownVoice(name, model, list(voices))
        self.request = request
        self.model = model
        self.engine = engine
        self.voice = voices[name]
        self.seed = request.seed or secrets.randbelow(MAX_SEED) + 1
        self.sample_rate = _sample_rate(request, self.voice)
        self.warnings = tuple(_warnings(request, engine))
        self._limits = limits
        self._loudness = loudness

    def start(self) -> OperationSpan:
        """The span of this operation, under the current span."""
        attributes: dict[str, AttributeValue] = {
            spans.GEN_AI_VOICE: self.voice.name,
            spans.AUDIO_FORMAT: self.request.format.name,
            spans.CHARACTERS: len(self.request.text),
            spans.STREAMED: self.request.streamed,
        }
        return OperationSpan(
            spans.Operation.TEXT_TO_SPEECH, engine=self.engine.kind, model=self.model, attributes=attributes
        )

    def encoding(self, operation: OperationSpan) -> Encoding:
        return Encoding(self.request, self.sample_rate, operation)

    def speak(self, operation: OperationSpan, cancellation: Cancellation) -> Generator[Spoken, None, Spoken]:
        """Speak, piece by piece; a piece is one step, and the last one is returned.

        Raises:
            EngineFailed: the engine broke.
            Cancelled: `cancellation` was.
        """
        normalize, effects_stage = operation.stage(Stage.NORMALIZE), operation.stage(Stage.EFFECTS)
        effects = self._effects(operation)
        with normalize:
            pieces = self._pieces()
            piece = next(pieces)
        while True:
            cancellation.check()
            parts = self._sound(piece, effects, operation, cancellation)
            with normalize:
                following = next(pieces, None)
            if following is None:
                break
            yield Spoken(_joined(parts), piece.characters)
            piece = following
        with effects_stage:
            parts.append(effects.flush())
        return Spoken(_joined(parts), piece.characters, last=True)

    def _effects(self, operation: OperationSpan) -> Effects:
        gain: float | None = None
        if self.request.normalize:
            with operation.stage(Stage.CONDITION):
                gain = self._loudness.gain(self.model, self.voice, self.engine, self._limits.loudness_lufs)
        return Effects(
            source_rate=self.voice.sample_rate,
            target_rate=self.sample_rate,
            gain=gain,
            trim=self.request.trim,
        )

    def _pieces(self) -> Iterator[Piece]:
        limit = self._limits.piece_characters
        return text.pieces(
            self.request.text,
            cleanup=self.request.cleanup,
            normalize=self.request.normalize_text,
            language=self.voice.language,
            # A short first piece lets a stream begin early; whole answers gain nothing from it.
            first_limit=self._limits.first_piece_characters if self.request.streamed else limit,
            limit=limit,
        )

    def _sound(
        self, piece: Piece, effects: Effects, operation: OperationSpan, cancellation: Cancellation
    ) -> list[Samples]:
        generate, effects_stage = operation.stage(Stage.GENERATE), operation.stage(Stage.EFFECTS)
        parts: list[Samples] = []
        sounds = self.engine.synthesize(self._utterance(piece.text), cancellation)
        while True:
            with generate:
                samples = next(sounds, None)
            if samples is None:
                break
            with effects_stage:
                parts.append(effects.push(samples))
        if piece.pause_seconds:
            with effects_stage:
                pause = piece.pause_seconds / (self.request.speed or 1.0)
                parts.append(effects.push(silence(pause, self.voice.sample_rate)))
        return parts

    def _utterance(self, words: str) -> Utterance:
        request = self.request
        return Utterance(
            text=words,
            voice=self.voice.name,
            speed=1.0 if request.speed is None else request.speed,
            temperature=request.temperature,
            seed=self.seed,
            exaggeration=request.exaggeration,
            cfg_weight=request.cfg_weight,
            reference_audio=request.reference_audio,
        )


def _joined(parts: list[Samples]) -> Samples:
    return parts[0] if len(parts) == 1 else np.concatenate(parts) if parts else np.zeros(0, np.float32)


def _sample_rate(request: SpeechRequest, voice: Voice) -> int:
    """The asked rate, else the voice's own, else the next one above it that the format can hold."""
    if request.sample_rate is not None:
        return request.sample_rate
    rates = request.format.sample_rates
    if voice.sample_rate in rates:
        return voice.sample_rate
    return min((rate for rate in rates if rate > voice.sample_rate), default=max(rates))


_STEERING: Final = ("speed", "temperature", "seed", "exaggeration", "cfg_weight", "reference_audio")


def _warnings(request: SpeechRequest, engine: SpeechEngine) -> Iterator[str]:
    for parameter in _STEERING:
        asked = getattr(request, parameter) is not None
        if asked and parameter not in engine.capabilities.parameters:
            yield f"{parameter} is not honoured by {engine.kind}"
