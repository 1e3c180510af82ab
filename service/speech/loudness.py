"""Loudness: how loud a voice is (EBU R 128), and the gain that brings it to where it should be."""

import math
from threading import Lock
from typing import Final

import numpy as np
import soxr

from service.engines.base import Cancellation, Samples, SpeechEngine, Utterance, Voice
from service.speech.effects import finite

_GATING_BLOCK = 0.4  # seconds; ITU-R BS.1770-4

LOUDNESS_TEXT: Final = (
    "The birch canoe slid on the smooth planks. Glue the sheet to the dark blue background. "
    "It is easy to tell the depth of a well. These days a chicken leg is a rare dish."
)
"""What a voice speaks once so that its loudness is known (Harvard sentences, list 1; IEEE 1969)."""


def loudness_gain(
    samples: Samples, rate: int, *, target_lufs: float = -24.0, true_peak_dbtp: float = -2.0
) -> float:
    """The linear gain that brings audio to a loudness, as EBU R 128 measures it.

    The defaults are those of FFmpeg's loudnorm. A single gain leaves the loudness range as it is.

    Args:
        samples: all of the audio, or enough of a voice to be typical (some 10 s).
        rate: sample rate in Hz.
        target_lufs: integrated loudness to reach (ITU-R BS.1770-4, gated).
        true_peak_dbtp: the gain never lifts the audio's own true peak above this, at the cost of loudness.

    Returns:
        A factor above 0; 1 for silence (below the gate of -70 LUFS). Audio shorter than a gating block of
        0.4 s is measured as one block.
    """
    import pyloudnorm  # pulls in scipy, most of a second: only those pay who ask for loudness

    samples = finite(samples)
    if not samples.size:
        return 1.0
    block = min(_GATING_BLOCK, (samples.size - 0.5) / rate)
    loudness = pyloudnorm.Meter(rate, block_size=block).integrated_loudness(samples.astype(np.float64))
    if not math.isfinite(loudness):
        return 1.0
    gain = 10 ** ((target_lufs - float(loudness)) / 20)
    # BS.1770-4, annex 2: the true peak is that of the signal oversampled four times.
    true_peak = float(np.abs(soxr.resample(samples, rate, 4 * rate)).max())
    return min(gain, 10 ** (true_peak_dbtp / 20) / true_peak)


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
            # No peak holds the gain back: the limiter behind it takes care of peaks.
            gain = loudness_gain(
                np.concatenate(list(spoken)),
                voice.sample_rate,
                target_lufs=target_lufs,
                true_peak_dbtp=math.inf,
            )
            with self._lock:
                self._gains.setdefault(key, gain)
        return self._gains[key]
