import io
import wave
from concurrent.futures import ThreadPoolExecutor

import av
import numpy as np
import psutil
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service import errors
from service.speech.codec import FORMATS, Encoder, audio_format, check_sample_rate, to_int16

DEMUXERS = {"mp3": "mp3", "opus": "ogg", "aac": "aac", "flac": "flac", "wav": "wav"}
LOSSLESS = ("pcm", "wav", "flac")
STREAMED = pytest.mark.parametrize("streamed", [True, False], ids=["streamed", "complete"])
UNHURRIED = settings(deadline=None)
EVERY_FORMAT = pytest.mark.parametrize("name", FORMATS)


def speechlike(count: int, rate: int = 24_000) -> np.ndarray:
    """A voice-like buzz with a syllable rhythm, -12 dBFS at its loudest."""
    seconds = np.arange(count) / rate
    buzz = sum(np.sin(2 * np.pi * 140 * harmonic * seconds) / harmonic for harmonic in range(1, 12))
    return (0.12 * buzz * np.sin(2 * np.pi * 2 * seconds) ** 2).astype(np.float32)


def encode(name: str, samples: np.ndarray, rate: int, *, streamed: bool, chunk: int = 4_800) -> bytes:
    with Encoder(FORMATS[name], rate, streamed=streamed) as encoder:
        parts = [encoder.encode(samples[start : start + chunk]) for start in range(0, samples.size, chunk)]
        return b"".join([*parts, encoder.finish()])


def decode(name: str, data: bytes) -> tuple[np.ndarray, int]:
    """All samples as float, and their rate."""
    if name == "pcm":
        return np.frombuffer(data, "<i2") / 32768, 0
    with av.open(io.BytesIO(data), format=DEMUXERS[name]) as container:
        frames = [frame.to_ndarray()[0] for frame in container.decode(audio=0)]
        rate = container.streams.audio[0].rate
    samples = np.concatenate(frames)
    return (samples / 32768 if samples.dtype == np.int16 else samples), rate


@EVERY_FORMAT
@STREAMED
def test_audio_survives_at_every_sample_rate(name, streamed):
    rates = FORMATS[name].sample_rates
    for rate in (8_000, 22_050, 44_099, 48_000) if isinstance(rates, range) else rates:
        seconds = np.arange(rate) / rate
        tone = (0.3 * np.sin(2 * np.pi * 440 * seconds)).astype(np.float32)
        decoded, decoded_rate = decode(name, encode(name, tone, rate, streamed=streamed))
        heard = decoded_rate or rate
        assert heard == (48_000 if name == "opus" else rate)
        middle = decoded[heard // 4 : heard * 3 // 4]
        spectrum = np.abs(np.fft.rfft(middle * np.hanning(middle.size)))
        assert spectrum.argmax() * heard / middle.size == pytest.approx(440, abs=3)
        assert np.sqrt(np.mean(middle**2)) == pytest.approx(0.3 / np.sqrt(2), rel=0.1)


@EVERY_FORMAT
@STREAMED
@settings(max_examples=25, deadline=None)
@given(count=st.integers(1, 30_000))
def test_decoded_length_is_what_was_fed(name, streamed, count):
    decoded, rate = decode(name, encode(name, speechlike(count), 24_000, streamed=streamed))
    length = decoded.size * 24_000 / (rate or 24_000)
    if name == "aac":
        assert length == 1024 + -(-count // 1024) * 1024
    elif name == "mp3" and streamed:
        assert count + 1105 <= length <= count + 2304
    elif name == "mp3":
        assert count <= length <= count + 46
    else:
        assert length == count


@pytest.mark.parametrize("name", LOSSLESS)
@STREAMED
def test_lossless_formats_hold_the_rounded_samples(name, streamed):
    samples = speechlike(50_000)
    decoded, _ = decode(name, encode(name, samples, 24_000, streamed=streamed))
    assert np.array_equal(decoded * 32768, to_int16(samples))


@EVERY_FORMAT
@STREAMED
@settings(max_examples=10, deadline=None)
@given(chunk=st.integers(1, 7_000), count=st.integers(0, 12_000))
def test_bytes_do_not_depend_on_the_chunks(name, streamed, chunk, count):
    samples = speechlike(count)
    chunk = max(chunk, count // 200)  # a few hundred calls tell as much as thousands
    whole = encode(name, samples, 24_000, streamed=streamed, chunk=max(1, count))
    assert encode(name, samples, 24_000, streamed=streamed, chunk=chunk) == whole


@EVERY_FORMAT
def test_a_stream_is_at_most_a_quarter_second_behind(name):
    # FLAC's frames of 4608 samples are the longest wait: 0.19 s.
    encoder = Encoder(FORMATS[name], 24_000, streamed=True)
    sent = b""
    for chunk in np.split(speechlike(48_000), 20):
        sent += encoder.encode(chunk)
        if encoder.seconds >= 0.3:
            decoded, rate = decode(name, sent)
            assert decoded.size / (rate or 24_000) >= encoder.seconds - 0.25
    encoder.close()


@EVERY_FORMAT
def test_what_is_not_streamed_comes_at_the_end(name):
    with Encoder(FORMATS[name], 24_000, streamed=False) as encoder:
        assert encoder.encode(speechlike(48_000)) == b""
        assert len(encoder.finish()) > 4_000


def test_complete_mp3_tells_its_duration_at_the_start():
    data = encode("mp3", speechlike(36_000), 24_000, streamed=False)
    with av.open(io.BytesIO(data[:600]), format="mp3") as container:
        assert container.duration / av.time_base == pytest.approx(1.5, abs=0.03)


@pytest.mark.parametrize(("streamed", "total"), [(False, 36_000), (True, 0)])
def test_flac_tells_its_length_where_it_is_known(streamed, total):
    data = encode("flac", speechlike(36_000), 24_000, streamed=streamed)
    assert (
        int.from_bytes(data[18:26]) & (1 << 36) - 1 == total
    )  # STREAMINFO, RFC 9639 section 8.2; 0 is unknown


def test_complete_wav_has_exact_sizes():
    data = encode("wav", speechlike(1_001), 22_050, streamed=False)
    assert int.from_bytes(data[4:8], "little") == len(data) - 8
    with wave.open(io.BytesIO(data)) as file:
        assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (22_050, 1, 2)
        assert file.getnframes() == 1_001


def test_streamed_wav_leaves_its_sizes_open_and_opens():
    data = encode("wav", speechlike(1_001), 22_050, streamed=True)
    assert data[4:8] == data[40:44] == b"\xff\xff\xff\xff"
    with wave.open(io.BytesIO(data)) as file:
        assert len(file.readframes(1_000_000)) == 2 * 1_001
    assert decode("wav", data)[0].size == 1_001


@EVERY_FORMAT
@STREAMED
def test_no_audio_at_all(name, streamed):
    with Encoder(FORMATS[name], 24_000, streamed=streamed) as encoder:
        start = encoder.encode(np.zeros(0, np.float32))
        assert len(start + encoder.finish()) < 10_000
        assert encoder.seconds == 0


@pytest.mark.filterwarnings("error")
@UNHURRIED
@given(st.lists(st.floats(width=32), max_size=50))
def test_samples_are_rounded_and_clipped_never_wrapped(values):
    samples = np.array(values, np.float32)
    before = samples.copy()
    result = to_int16(samples)
    expected = [
        0 if np.isnan(value) else max(-32768, min(32767, np.rint(value * 32768.0))) for value in values
    ]
    assert result.dtype == np.dtype("<i2")
    assert result.tolist() == expected
    assert np.array_equal(samples, before, equal_nan=True)


def test_samples_that_were_16_bit_come_back_unchanged():
    values = np.arange(-32768, 32768, dtype=np.int16)
    assert np.array_equal(to_int16((values / 32768).astype(np.float32)), values)


@pytest.mark.parametrize("name", ["mp3", "opus", "aac", "flac"])
def test_overdriven_audio_stays_in_phase(name):
    # Wrapped samples would turn the flat tops of this 12 dB overdriven tone into a buzz.
    seconds = np.arange(24_000) / 24_000
    tone = (4 * np.sin(2 * np.pi * 200 * seconds)).astype(np.float32)
    decoded, rate = decode(name, encode(name, tone, 24_000, streamed=True))
    spectrum = np.abs(np.fft.rfft(decoded[: rate // 2] * np.hanning(rate // 2)))
    assert spectrum.argmax() * 2 == pytest.approx(200, abs=2)


def test_seconds_count_what_was_fed():
    with Encoder(FORMATS["opus"], 24_000, streamed=True) as encoder:
        encoder.encode(speechlike(6_000))
        encoder.encode(speechlike(6_000))
        assert encoder.samples_written == 12_000
        assert encoder.seconds == 0.5


@EVERY_FORMAT
def test_a_closed_encoder_refuses_work(name):
    encoder = Encoder(FORMATS[name], 24_000, streamed=True)
    encoder.encode(speechlike(10_000))
    encoder.close()
    encoder.close()
    with pytest.raises(ValueError, match="closed"):
        encoder.encode(speechlike(10))
    finished = Encoder(FORMATS[name], 24_000, streamed=True)
    finished.finish()
    with pytest.raises(ValueError, match="closed"):
        finished.finish()


@pytest.mark.parametrize("name", ["mp3", "opus", "aac", "flac"])
def test_abandoned_encoders_leave_no_memory_behind(name):
    process = psutil.Process()

    def abandon(times: int) -> int:
        for _ in range(times):
            with Encoder(FORMATS[name], 24_000, streamed=True) as encoder:
                encoder.encode(speechlike(2_400))
        return process.memory_info().rss

    settled = abandon(20)
    assert abandon(100) - settled < 100 * 50_000  # one MP3 encoder alone takes some 300 kB


def test_encoders_in_many_threads_do_not_disturb_each_other():
    jobs = [(name, speechlike(24_000 + 1_000 * index)) for index in range(3) for name in FORMATS]

    def work(job: tuple[str, np.ndarray]) -> bytes:
        return encode(*job, 24_000, streamed=True, chunk=1_000)

    alone = [work(job) for job in jobs]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(work, jobs)) == alone


def test_media_types():
    assert {name: entry.media_type(24_000) for name, entry in FORMATS.items()} == {
        "mp3": "audio/mpeg",
        "opus": "audio/ogg;codecs=opus",
        "aac": "audio/aac",
        "flac": "audio/flac",
        "wav": "audio/wav",
        "pcm": "audio/pcm;rate=24000;channels=1;encoding=signed-int;bits=16",
    }


def test_an_unknown_format_is_refused_with_what_there_is():
    assert audio_format("mp3") is FORMATS["mp3"]
    with pytest.raises(errors.UnsupportedFormat) as refusal:
        audio_format("ogg/vorbis")
    assert refusal.value.detail["available"] == list(FORMATS)
    assert "vorbis" not in refusal.value.message


def test_a_sample_rate_the_format_cannot_hold_is_refused_with_what_it_can():
    with pytest.raises(
        errors.UnsupportedSampleRate, match=r"opus.*8000, 12000, 16000, 24000, 48000"
    ) as refusal:
        check_sample_rate(FORMATS["opus"], 22_050)
    assert refusal.value.detail["available"] == [8_000, 12_000, 16_000, 24_000, 48_000]
    with pytest.raises(errors.UnsupportedSampleRate, match="any from 8000 to 48000"):
        Encoder(FORMATS["wav"], 96_000, streamed=True)
    for entry in FORMATS.values():
        check_sample_rate(entry, 24_000)
