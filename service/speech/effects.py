"""What is done to audio between the engine and the encoder, chunk by chunk.

Every stage takes samples with `push` and gives the rest with `flush`, and what comes out does not depend on
how the audio was cut into chunks. Samples are mono float32, shape (n,), nominally -1 to 1.
"""

from typing import Protocol

import numpy as np
import soxr
from numpy.typing import NDArray

from service.engines.base import Samples

_NOTHING: Samples = np.zeros(0, dtype=np.float32)


class Stage(Protocol):
    """One effect of a chain."""

    def push(self, samples: Samples) -> Samples:
        """Takes the next samples and returns those that are ready."""
        ...

    def flush(self) -> Samples:
        """Returns what was held back; nothing may be pushed afterwards."""
        ...


class Effects:
    """The effects of one response, in order: trim, gain, resample, limit.

    The limiter is there when a gain is, and comes last, since a resampler overshoots: no sample leaves above
    its ceiling. With nothing to do, `push` returns the very array it was given. Samples that are not finite,
    which an engine may give, become 0: one of them would silence a filter for good.

    Args:
        source_rate: of the samples pushed, in Hz.
        target_rate: of the samples returned, in Hz.
        gain: linear factor, such as `loudness_gain` gives; None leaves levels alone.
        trim: whether silence at both ends is dropped.
    """

    def __init__(self, *, source_rate: int, target_rate: int, gain: float | None, trim: bool) -> None:
        self._stages: list[Stage] = []
        if trim:
            self._stages.append(Trimmer(source_rate))
        if gain is not None:
            self._stages.append(Gain(gain))
        if source_rate != target_rate:
            self._stages.append(Resampler(source_rate, target_rate))
        if gain is not None:
            self._stages.append(Limiter(target_rate))

    def push(self, samples: Samples) -> Samples:
        samples = finite(samples)
        for stage in self._stages:
            samples = stage.push(samples)
        return samples

    def flush(self) -> Samples:
        rest = _NOTHING
        for stage in self._stages:
            rest = np.concatenate((stage.push(rest), stage.flush()))
        return rest


class Trimmer:
    """Drops the silence before the first sound and after the last; pauses in between stay as they are.

    Silence that may turn out to be the end is held back: up to 10 s, so that memory is bounded. Of a longer
    run only that much is dropped. If there is no sound at all, nothing comes out.

    Args:
        rate: sample rate in Hz.
        threshold: amplitude below which a sample is silent. The default is -50 dBFS.
        guard: seconds of silence that stay on each side, for breaths and soft consonants.
    """

    _LONGEST_HELD = 10.0

    def __init__(self, rate: int, *, threshold: float = 10 ** (-50 / 20), guard: float = 0.05) -> None:
        self._threshold = threshold
        self._guard = round(guard * rate)
        self._most_held = round(self._LONGEST_HELD * rate)
        self._held = _NOTHING  # since the last sound, or since the start while there was none
        self._heard = False

    def push(self, samples: Samples) -> Samples:
        pending = np.concatenate((self._held, samples))
        loud = np.flatnonzero(np.abs(samples) >= self._threshold)
        if not self._heard:
            if not loud.size:
                self._held = _last(pending, self._guard)
                return _NOTHING
            self._heard = True
            onset = self._held.size + int(loud[0])
            pending = pending[max(0, onset - self._guard) :]
        # Up to the last sound everything may go; of what follows, only what no bound lets us hold.
        silent = samples.size - 1 - int(loud[-1]) if loud.size else pending.size
        ready = pending.size - min(silent, self._most_held)
        self._held = pending[ready:].copy()
        return pending[:ready]

    def flush(self) -> Samples:
        rest = self._held[: self._guard] if self._heard else _NOTHING
        self._held = _NOTHING
        return rest


class Gain:
    """Multiplies by a constant."""

    def __init__(self, factor: float) -> None:
        self._factor = np.float32(factor)

    def push(self, samples: Samples) -> Samples:
        return samples * self._factor

    def flush(self) -> Samples:
        return _NOTHING


class Resampler:
    """Changes the sample rate; n samples become n * target / source, rounded.

    libsoxr at its quality HQ (20 bits, linear phase), which holds back some 35 ms.
    """

    def __init__(self, source_rate: int, target_rate: int) -> None:
        self._stream = soxr.ResampleStream(source_rate, target_rate, 1, dtype="float32", quality="HQ")

    def push(self, samples: Samples) -> Samples:
        resampled: Samples = self._stream.resample_chunk(samples)
        return resampled

    def flush(self) -> Samples:
        rest: Samples = self._stream.resample_chunk(_NOTHING, last=True)
        return rest


class Limiter:
    """Keeps every sample at or below a ceiling by turning the gain down smoothly around a peak.

    It looks ahead: the gain comes down in a straight line and is where the peak needs it when the peak comes,
    then returns exponentially. As many samples come out as went in, the last `look_ahead` seconds at the
    flush. Audio that never passes the ceiling comes out bit for bit.

    Args:
        rate: sample rate in Hz.
        ceiling: largest amplitude that leaves, -1 dBFS by default.
        look_ahead: seconds; 5 ms is the attack of FFmpeg's alimiter.
        release: time constant in seconds; 50 ms is the release of FFmpeg's alimiter.
    """

    _INAUDIBLE = 1e-5  # a reduction of 0.0001 dB; the exponential never ends by itself

    def __init__(
        self, rate: int, *, ceiling: float = 10 ** (-1 / 20), look_ahead: float = 0.005, release: float = 0.05
    ) -> None:
        self._ceiling = float(np.float32(ceiling))
        self._delay = max(1, round(look_ahead * rate))
        self._decay = 1 / (release * rate)  # nepers a sample
        self._late = self._delay  # output samples still to be dropped: they precede the first input
        self._samples = np.zeros(self._delay, dtype=np.float32)
        self._needed = np.zeros(self._delay)  # reduction (1 - gain) that each of the last samples asks for
        self._released = np.zeros(self._delay)  # the same, held over the look-ahead, with the release

    def push(self, samples: Samples) -> Samples:
        if not samples.size:
            return _NOTHING
        delayed = np.concatenate((self._samples, samples))
        self._samples = delayed[samples.size :].copy()
        delayed = delayed[: samples.size]
        peak = max(float(samples.max()), -float(samples.min()))
        if peak > self._ceiling or self._needed.any() or self._released.any():
            delayed = self._reduce(delayed, samples)
        dropped = min(self._late, delayed.size)
        self._late -= dropped
        return delayed[dropped:]

    def flush(self) -> Samples:
        return self.push(np.zeros(self._delay, dtype=np.float32))

    def _reduce(self, delayed: Samples, samples: Samples) -> Samples:
        """Applies to the delayed samples the gain that they and the samples after them ask for."""
        amplitude = np.abs(samples).astype(np.float64)
        needed = np.concatenate((self._needed, 1 - self._ceiling / np.maximum(amplitude, self._ceiling)))
        released = np.concatenate(
            (self._released, self._release(_trailing_maximum(needed, self._delay + 1), self._released[-1]))
        )
        # A mean over the look-ahead turns steps into ramps. Every value in it is at least what the delayed
        # sample needs, so the mean is too.
        total = np.cumsum(np.concatenate(([0.0], released)))
        span = self._delay + 1
        reduction = (total[span:] - total[:-span]) / span
        self._needed = needed[-self._delay :]
        self._released = released[-self._delay :]
        limited: Samples = (delayed * (1 - reduction)).astype(np.float32)
        # Rounding may pass the ceiling, and so may a peak that needs an inaudible reduction only.
        np.clip(limited, -self._ceiling, self._ceiling, out=limited)
        return limited

    def _release(self, held: NDArray[np.float64], before: float) -> NDArray[np.float64]:
        """The largest of the values so far, each decaying exponentially: r[n] = max(held[n], r[n-1] * decay).

        Taken in logarithms, a decay is a slope, and the recursion a running maximum.
        """
        slope = self._decay * np.arange(1, held.size + 1)
        with np.errstate(divide="ignore"):  # no reduction is minus infinity
            rising = np.log(held) + slope
            rising[0] = max(rising[0], np.log(before))
        released: NDArray[np.float64] = np.exp(np.maximum.accumulate(rising) - slope)
        released[released < self._INAUDIBLE] = 0
        return released


def silence(seconds: float, rate: int) -> Samples:
    """A pause of that many seconds at that sample rate (Hz)."""
    return np.zeros(round(seconds * rate), dtype=np.float32)


def finite(samples: Samples) -> Samples:
    """The same array if all of it is finite, else a copy with 0 where it is not."""
    if np.isfinite(samples).all():
        return samples
    return np.where(np.isfinite(samples), samples, np.float32(0))


def _last(samples: Samples, count: int) -> Samples:
    return samples[max(0, samples.size - count) :].copy()


def _trailing_maximum(values: NDArray[np.float64], window: int) -> NDArray[np.float64]:
    """The largest of each value and the window - 1 before it; shape (n - window + 1,).

    Windows double in size until the next would be too large; two that overlap cover the rest.
    """
    size = 1
    while 2 * size <= window:
        values = np.maximum(values[:-size], values[size:])
        size *= 2
    rest = window - size
    return np.maximum(values[:-rest], values[rest:]) if rest else values
