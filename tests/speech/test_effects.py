import math

import numpy as np
import pyloudnorm
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.speech.effects import Effects, Gain, Limiter, Resampler, Trimmer, silence
from service.speech.loudness import loudness_gain

RATE = 8_000
CEILING = np.float32(10 ** (-1 / 20))
UNHURRIED = settings(deadline=None)
STAGES = {
    "trim": lambda: Trimmer(RATE),
    "gain": lambda: Gain(1.7),
    "resample up": lambda: Resampler(RATE, 22_050),
    "resample down": lambda: Resampler(22_050, RATE),
    "limit": lambda: Limiter(RATE),
    "everything": lambda: Effects(source_rate=RATE, target_rate=24_000, gain=3.0, trim=True),
    "nothing": lambda: Effects(source_rate=RATE, target_rate=RATE, gain=None, trim=False),
}


@st.composite
def signals(draw, longest=6_000):
    """Stretches of silence, quiet noise and loud noise, in any order."""
    generator = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    levels = st.sampled_from([0.0, 0.0, 0.001, 0.1, 0.5, 3.0])
    parts = draw(st.lists(st.tuples(levels, st.integers(1, longest // 4)), max_size=4))
    stretches = [level * generator.uniform(-1, 1, count) for level, count in parts]
    return np.concatenate([np.zeros(0), *stretches]).astype(np.float32)


def run(stage, chunks):
    return np.concatenate([*(stage.push(chunk) for chunk in chunks), stage.flush()])


def noise(count, level):
    return (level * np.random.default_rng(1).uniform(-1, 1, count)).astype(np.float32)


@pytest.mark.parametrize("name", STAGES)
@settings(max_examples=60, deadline=None)
@given(signal=signals(), cuts=st.lists(st.integers(0, 6_000), max_size=8))
def test_output_does_not_depend_on_how_audio_is_cut(name, signal, cuts):
    whole = run(STAGES[name](), [signal])
    chunked = run(STAGES[name](), np.split(signal, sorted(min(cut, signal.size) for cut in cuts)))
    assert whole.dtype == chunked.dtype == np.float32
    np.testing.assert_allclose(chunked, whole, rtol=0, atol=1e-6)


@pytest.mark.parametrize("name", STAGES)
def test_output_does_not_depend_on_how_audio_is_cut_down_to_single_samples(name):
    signal = np.concatenate([silence(0.02, RATE), noise(300, 2.0), silence(0.03, RATE), noise(200, 0.5)])
    samples = np.split(signal, signal.size)
    np.testing.assert_allclose(run(STAGES[name](), samples), run(STAGES[name](), [signal]), rtol=0, atol=1e-6)


@pytest.mark.parametrize("name", STAGES)
def test_no_audio_in_no_audio_out(name):
    assert run(STAGES[name](), []).shape == (0,)
    assert run(STAGES[name](), [silence(0, RATE)]).shape == (0,)


def test_with_nothing_to_do_the_same_array_comes_back():
    effects = Effects(source_rate=RATE, target_rate=RATE, gain=None, trim=False)
    samples = noise(100, 2.0)
    assert effects.push(samples) is samples
    assert effects.flush().size == 0


@pytest.mark.parametrize("name", STAGES)
def test_what_is_pushed_is_not_changed_and_not_kept(name):
    signal = np.concatenate([noise(3_000, 2.0), silence(0.1, RATE)])
    expected = run(STAGES[name](), [signal])
    stage, outputs = STAGES[name](), []
    for start in range(0, signal.size, 500):
        buffer = signal[start : start + 500].copy()
        outputs.append(stage.push(buffer).copy())
        assert np.array_equal(buffer, signal[start : start + 500])
        buffer.fill(9)  # as an engine does that reuses its buffer
    np.testing.assert_allclose(np.concatenate([*outputs, stage.flush()]), expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("gain", [None, 1.0])
def test_samples_that_are_not_finite_become_silence(bad, gain):
    signal = noise(2_000, 0.5)
    signal[700] = bad
    mended = signal.copy()
    mended[700] = 0
    for target in (RATE, 24_000):
        effects, reference = (
            Effects(source_rate=RATE, target_rate=target, gain=gain, trim=False) for _ in range(2)
        )
        assert np.array_equal(run(effects, [signal]), run(reference, [mended]))


@UNHURRIED
@given(
    samples=st.integers(0, 30_000),
    source=st.sampled_from([8_000, 22_050, 24_000, 44_100]),
    target=st.sampled_from([8_000, 12_000, 16_000, 24_000, 48_000]),
)
def test_resampling_keeps_the_duration_to_a_sample(samples, source, target):
    resampled = run(Resampler(source, target), [noise(samples, 0.1)])
    assert abs(resampled.size - samples * target / source) <= 1


@pytest.mark.parametrize("target", [16_000, 24_000, 48_000])
def test_resampling_keeps_the_signal_in_place(target):
    def tone(rate):
        return (0.5 * np.sin(2 * np.pi * 1_000 * np.arange(rate) / rate)).astype(np.float32)

    resampled = run(Resampler(22_050, target), np.array_split(tone(22_050), 7))
    inner = slice(target // 20, -target // 20)
    np.testing.assert_allclose(resampled[inner], tone(target)[inner], atol=1e-4)


def trimmed_at_once(signal, rate=RATE):
    """What the trimmer promises, on the whole signal; good for less than 10 s."""
    loud = np.flatnonzero(np.abs(signal) >= 10 ** (-50 / 20))
    guard = round(0.05 * rate)
    return signal[max(0, loud[0] - guard) : loud[-1] + 1 + guard] if loud.size else signal[:0]


@UNHURRIED
@given(signal=signals(), chunk=st.integers(1, 3_000))
def test_silence_goes_at_both_ends_and_stays_in_between(signal, chunk):
    chunks = np.split(signal, range(chunk, max(signal.size, 1), chunk))
    assert np.array_equal(run(Trimmer(RATE), chunks), trimmed_at_once(signal))


def test_trimming_holds_back_a_bounded_time_only():
    trimmer = Trimmer(RATE)
    sent = trimmer.push(noise(RATE, 0.5)).size
    for _ in range(60):
        sent += trimmer.push(silence(1, RATE)).size
    assert sent == pytest.approx(51 * RATE, abs=10)
    sound = noise(RATE, 0.5)
    assert np.array_equal(trimmer.push(sound)[-RATE:], sound)


def test_trimming_sends_sound_at_once():
    trimmer = Trimmer(RATE)
    sound = np.full(100, 0.5, np.float32)
    assert trimmer.push(sound).size == 100
    assert trimmer.push(silence(0.2, RATE)).size == 0


@UNHURRIED
@given(signal=signals(), gain=st.floats(0.1, 100))
def test_no_sample_passes_the_ceiling_and_none_is_lost(signal, gain):
    effects = Effects(source_rate=RATE, target_rate=RATE, gain=gain, trim=False)
    limited = run(effects, np.array_split(signal, 3))
    assert limited.size == signal.size
    assert np.abs(limited).max(initial=0) <= CEILING


def test_no_sample_passes_the_ceiling_after_resampling():
    square = np.sign(np.sin(np.arange(RATE) / 20)).astype(np.float32)  # a resampler overshoots at every edge
    effects = Effects(source_rate=RATE, target_rate=24_000, gain=0.88, trim=False)
    assert np.abs(run(effects, [square])).max() <= CEILING


@UNHURRIED
@given(signal=signals())
def test_audio_below_the_ceiling_is_untouched(signal):
    quiet = np.clip(signal, -CEILING, CEILING)
    assert np.array_equal(run(Limiter(RATE), np.array_split(quiet, 4)), quiet)


def test_the_limiter_turns_down_smoothly_and_comes_back():
    signal = np.full(2 * RATE, 0.4, np.float32)
    signal[4_000] = 2.0
    limited = run(Limiter(RATE), np.array_split(signal, 11))
    gain = limited / signal
    assert limited[4_000] == pytest.approx(CEILING, abs=1e-6)
    assert np.abs(np.diff(gain)).max() < 0.02  # 0.55 of reduction over 40 samples; a step would be a click
    assert np.all(np.diff(gain[:4_001]) <= 1e-6)
    assert np.all(np.diff(gain[4_050:]) >= -1e-6)
    assert np.all(gain[:3_959] == 1)  # 5 ms before the peak, no earlier
    assert np.all(gain[4_000 + 4_800 :] == 1)  # twelve time constants later it is over
    assert gain[4_040 + 400] == pytest.approx(1 - (1 - CEILING / 2) * math.exp(-1), abs=0.03)


def test_a_peak_that_is_hardly_too_high_is_cut():
    signal = np.full(1_000, CEILING * np.float32(1.000005))
    assert np.abs(run(Limiter(RATE), [signal])).max() <= CEILING


def test_the_limiter_holds_back_its_look_ahead_only():
    limiter = Limiter(RATE)
    assert sum(limiter.push(noise(100, 2.0)).size for _ in range(80)) == RATE - 40


def test_gain_is_linear():
    effects = Effects(source_rate=RATE, target_rate=RATE, gain=0.25, trim=False)
    signal = noise(1_000, 1.0)
    assert np.array_equal(run(effects, [signal]), signal * np.float32(0.25))


def test_silence_lasts_as_long_as_asked():
    pause = silence(0.25, 22_050)
    assert (pause.shape, pause.dtype, pause.any()) == ((5_512,), np.float32, False)


@pytest.mark.parametrize("rate", [8_000, 22_050, 48_000])
@pytest.mark.parametrize("level", [0.005, 0.1, 0.9])
def test_gain_reaches_the_loudness(rate, level):
    signal = np.concatenate([noise(2 * rate, level), silence(3, rate), noise(rate, level)])
    gain = loudness_gain(signal, rate)
    measured = pyloudnorm.Meter(rate).integrated_loudness((gain * signal).astype(np.float64))
    assert measured == pytest.approx(-24, abs=0.01)


def test_loudness_of_the_reference_tone():
    # BS.1770-4: a full-scale 997 Hz sine in one channel reads -3.01 LKFS.
    tone = np.sin(2 * np.pi * 997 * np.arange(48_000 * 2) / 48_000).astype(np.float32)
    assert 20 * math.log10(loudness_gain(tone, 48_000)) == pytest.approx(-24 + 3.01, abs=0.05)


def test_gain_does_not_lift_peaks_above_the_true_peak():
    signal = noise(16_000, 0.001)
    signal[8_000] = 0.5
    assert loudness_gain(signal, 16_000) == pytest.approx(10 ** (-2 / 20) / 0.5, rel=0.1)
    assert loudness_gain(signal, 16_000, true_peak_dbtp=0.0) > 1.2 * loudness_gain(signal, 16_000)


def test_short_audio_is_as_loud_as_long_audio():
    signal = noise(16_000, 0.1)
    assert loudness_gain(signal[:3_200], 16_000) == pytest.approx(loudness_gain(signal, 16_000), rel=0.1)


@pytest.mark.filterwarnings("error")
def test_silence_has_no_loudness_to_change():
    for length in (0, 1, 100, 16_000):
        assert loudness_gain(np.zeros(length, np.float32), 16_000) == 1.0
    assert loudness_gain(noise(16_000, 1e-5), 16_000) == 1.0


@pytest.mark.filterwarnings("error")
@UNHURRIED
@given(signal=signals(), rate=st.sampled_from([8_000, 22_050, 48_000]))
def test_every_signal_has_a_usable_gain(signal, rate):
    assert 0 < loudness_gain(signal, rate) < math.inf
