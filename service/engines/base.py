"""What an engine is to the rest of the house: plain data in, an iterator of audio out."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Lock
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from service.errors import Cancelled

Samples = NDArray[np.float32]
"""Mono audio, shape (samples,), nominal range -1 to 1."""


class Cancellation:
    """Says to an engine, from another thread, that nobody wants its work any more."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._cancelled = False
        self._interrupt: Callable[[], None] | None = None

    @property
    def cancelled(self) -> bool:
        return self._cancelled

    def cancel(self) -> None:
        with self._lock:
            self._cancelled = True
            if self._interrupt is not None:
                self._interrupt()

    def check(self) -> None:
        """Raise `Cancelled` if the work is not wanted any more."""
        if self._cancelled:
            raise Cancelled("The client closed the request")

    @contextmanager
    def interrupts(self, interrupt: Callable[[], None]) -> Iterator[None]:
        """Call `interrupt` if cancellation comes while the body runs."""
        with self._lock:
            self.check()
            self._interrupt = interrupt
        try:
            yield
        finally:
            with self._lock:
                self._interrupt = None


@dataclass(frozen=True, slots=True)
class Voice:
    """A voice of a model. `language` is a tag such as `en_US`; `sample_rate` in Hz."""

    name: str
    language: str
    sample_rate: int
    description: str = ""


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What an engine can do. `parameters` are the request parameters that it honours."""

    operations: frozenset[str]
    parameters: frozenset[str]
    streaming: bool
    cloning: bool


@dataclass(frozen=True, slots=True)
class Utterance:
    """One piece of text for a speech engine.

    Attributes:
        text: what to say, normalised, at most a few hundred characters.
        voice: a name out of the engine's voices.
        speed: 0.25 to 4; 1 is the voice's own pace.
        temperature: how freely the engine varies, 0 to 2; None is the engine's default.
        seed: for engines that honour it.
        exaggeration: likewise, 0 to 2.
        cfg_weight: likewise, 0 to 1.
        reference_audio: encoded audio of a voice to imitate, for engines that can.
    """

    text: str
    voice: str
    speed: float = 1.0
    temperature: float | None = None
    seed: int = 0
    exaggeration: float | None = None
    cfg_weight: float | None = None
    reference_audio: bytes | None = None


class SpeechEngine(Protocol):
    """Speaks. Everything blocks; call it from worker threads. `synthesize` is safe from several at once."""

    kind: str
    """The engine's name in spans and metrics."""

    capabilities: Capabilities

    @property
    def voices(self) -> dict[str, Voice]:
        """The voices that can speak now, by name; empty before `load`."""

    @property
    def default_voice(self) -> str: ...

    def load(self) -> None:
        """Load the weights and speak a warm-up.

        Raises:
            EngineUnavailable: something is missing or damaged; the message says what and how to get it.
        """

    def unload(self) -> None:
        """Free the weights; nothing is being spoken when this is called."""

    def synthesize(self, utterance: Utterance, cancellation: Cancellation) -> Iterator[Samples]:
        """Speak, giving audio as it is made, at the voice's sample rate.

        Raises:
            EngineFailed: the engine broke.
            Cancelled: the work was not wanted any more.
        """
