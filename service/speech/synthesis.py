"""One speech request on its way: text, engine, effects, codec. Blocking; run it in a worker thread."""

import secrets
from collections.abc import Generator, Iterator
from dataclasses import dataclass, field
from threading import Lock
from typing import Final

import numpy as np
from opentelemetry.util.types import AttributeValue

from service.engines.base import Cancellation, SpeechEngine, Utterance, Voice
from service.errors import UnknownVoice
from service.speech import text
from service.speech.codec import AudioFormat, Encoder, check_sample_rate
from service.speech.effects import Effects, loudness_gain, silence
from service.speech.text import Cleanup
from telemetry import spans
from telemetry.operation import OperationSpan
from telemetry.spans import Stage

MAX_SEED: Final = 2**32 - 1

LOUDNESS_TEXT: Final = (
    "The birch canoe slid on the smooth planks. Glue the sheet to the dark blue background. "
    "It is easy to tell the depth of a well. These days a chicken leg is a rare dish."
)
"""What a voice speaks once so that its loudness is known (Harvard sentences, list 1; IEEE 1969)."""


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


@dataclass(frozen=True, slots=True)
class SpeechLimits:
    """The operator's side of a synthesis. Lengths in characters, loudness in LUFS."""

    max_text_length: int = 10_000
    piece_characters: int = 240
    first_piece_characters: int = 80
    loudness_lufs: float = -24.0


@dataclass(frozen=True, slots=True)
class Chunk:
    """Encoded audio that is ready to leave, and how many seconds of sound went in for it."""

    data: bytes
    seconds: float
    characters: int


class LoudnessBook:
    """The gain that brings each voice to the wanted loudness, measured once a voice."""

    def __init__(self) -> None:
        self._gains: dict[tuple[str, str, float], float] = {}
        self._lock = Lock()

    def gain(self, model: str, voice: Voice, engine: SpeechEngine, target_lufs: float) -> float:
        """Linear gain for a voice. The first call for a voice speaks a few sentences."""
        key = (model, voice.name, target_lufs)
        if key not in self._gains:
            spoken = engine.synthesize(Utterance(LOUDNESS_TEXT, voice.name), Cancellation())
            gain = loudness_gain(np.concatenate(list(spoken)), voice.sample_rate, target_lufs=target_lufs)
            with self._lock:
                self._gains.setdefault(key, gain)
        return self._gains[key]


class Synthesis:
    """Everything that is decided about a request before it is spoken, and then the speaking.

    Args:
        model: the model's configured name.
        engine: its engine, loaded.

    Raises:
        EmptyText, TextTooLong, InvalidText: of the text.
        UnknownVoice: the engine has no such voice.
        UnsupportedSampleRate: the format can't hold the asked rate.
    """

    def __init__(
        self,
        request: SpeechRequest,
        model: str,
        engine: SpeechEngine,
        limits: SpeechLimits,
        loudness: LoudnessBook,
    ) -> None:
        text.validate(request.text, max_length=limits.max_text_length)
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

    def chunks(self, operation: OperationSpan, cancellation: Cancellation) -> Generator[Chunk, None, None]:
        """Speak, piece by piece; each piece leaves as one chunk, encoded.

        Raises:
            EngineFailed: the engine broke.
            Cancelled: `cancellation` was.
        """
        normalize, generate = operation.stage(Stage.NORMALIZE), operation.stage(Stage.GENERATE)
        effects_stage, encode = operation.stage(Stage.EFFECTS), operation.stage(Stage.ENCODE)
        request, voice = self.request, self.voice
        gain: float | None = None
        if request.normalize:
            with operation.stage(Stage.CONDITION):
                gain = self._loudness.gain(self.model, voice, self.engine, self._limits.loudness_lufs)
        effects = Effects(
            source_rate=voice.sample_rate, target_rate=self.sample_rate, gain=gain, trim=request.trim
        )
        pieces = text.pieces(
            request.text,
            cleanup=request.cleanup,
            normalize=request.normalize_text,
            language=voice.language,
            first_limit=self._limits.first_piece_characters,
            limit=self._limits.piece_characters,
        )
        with Encoder(request.format, self.sample_rate, streamed=request.streamed) as encoder:
            while True:
                cancellation.check()
                with normalize:
                    piece = next(pieces, None)
                if piece is None:
                    break
                before, data = encoder.seconds, bytearray()
                spoken = self.engine.synthesize(self._utterance(piece.text), cancellation)
                while True:
                    with generate:
                        samples = next(spoken, None)
                    if samples is None:
                        break
                    with effects_stage:
                        samples = effects.push(samples)
                    with encode:
                        data += encoder.encode(samples)
                if piece.pause_seconds:
                    with effects_stage:
                        pause = effects.push(silence(piece.pause_seconds, voice.sample_rate))
                    with encode:
                        data += encoder.encode(pause)
                yield Chunk(bytes(data), encoder.seconds - before, piece.characters)
            with effects_stage:
                rest = effects.flush()
            before = encoder.seconds
            with encode:
                tail = encoder.encode(rest) + encoder.finish()
            yield Chunk(tail, encoder.seconds - before, 0)

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


def _sample_rate(request: SpeechRequest, voice: Voice) -> int:
    """The asked rate, else the voice's own, else the next one above it that the format can hold."""
    if request.sample_rate is not None:
        check_sample_rate(request.format, request.sample_rate)
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
