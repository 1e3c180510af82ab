"""Audio formats and the encoders that write them, in memory, while the audio is still being made.

MP3, AAC, Ogg Opus and FLAC are encoded and muxed by FFmpeg (PyAV), which works without the interpreter
lock. PCM is the samples themselves, and WAV is PCM behind a 44-byte header: both are written directly.

What a decoder gives back, for n samples in (measured; `tests/speech/test_codec.py` holds it):

- wav, pcm, flac: n samples, each the 16-bit value of what was fed.
- opus: n samples, within 4 (at 8 kHz), for audio longer than a packet of 20 ms: the header's pre-skip and the
  last page's position tell the decoder what to cut (RFC 7845).
- mp3: not streamed, n samples, at most 46 more: the Xing frame tells what to cut. Streamed, up to 2304 more,
  of which the first 1105 are the delay of LAME (576) and of decoders (529).
- aac: 1024 samples of priming, then n rounded up to whole frames of 1024: ADTS has no place to tell.
"""

import io
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Self, cast

import av
import numpy as np
from av.audio.stream import AudioStream
from numpy.typing import NDArray

from service import errors

# Layer III rates of MPEG-1, MPEG-2 and MPEG-2.5 (LAME takes no other); AAC has the same up to 48 kHz.
_MPEG_SAMPLE_RATES = (8_000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000)
# RFC 6716, section 2: the five bandwidths of Opus.
_OPUS_SAMPLE_RATES = (8_000, 12_000, 16_000, 24_000, 48_000)
_ANY_SAMPLE_RATE = range(8_000, 48_001)

_STREAMED_SIZE = 0xFFFFFFFF  # in a RIFF header: the end is not known yet; readers go on to the last byte


@dataclass(frozen=True, slots=True)
class Compression:
    """How FFmpeg is asked to write one format.

    Attributes:
        muxer: FFmpeg's name of the container.
        encoder: FFmpeg's name of the codec.
        sample_format: what the encoder takes.
        bit_rates: bits a second for sample rates up to 12 kHz, up to 24 kHz and above; none where lossless.
        options: the encoder's options.
        container_options: the muxer's options, streamed or not.
        streamed_options: the muxer's options that only a stream wants.
    """

    muxer: str
    encoder: str
    sample_format: str
    bit_rates: tuple[int, int, int] | None = None
    options: Mapping[str, str] = field(default_factory=dict)
    container_options: Mapping[str, str] = field(default_factory=dict)
    streamed_options: Mapping[str, str] = field(default_factory=dict)

    def bit_rate(self, sample_rate: int) -> int | None:
        """Bits a second at this sample rate; None where lossless."""
        if self.bit_rates is None:
            return None
        narrow, wide, full = self.bit_rates
        if sample_rate <= 12_000:
            return narrow
        return wide if sample_rate <= 24_000 else full


@dataclass(frozen=True, slots=True)
class AudioFormat:
    """One audio format that the service can write, always mono.

    Attributes:
        name: what a request calls it.
        extension: of a file that holds it, without the dot.
        media_base: the media type, without parameters that depend on the audio.
        sample_rates: what it can hold, in Hz.
        compression: how FFmpeg writes it; None for PCM and WAV.
    """

    name: str
    extension: str
    media_base: str
    sample_rates: Sequence[int]
    compression: Compression | None = None

    def media_type(self, sample_rate: int) -> str:
        """The Content-Type. PCM names its layout there, since nothing in the bytes does (little-endian)."""
        if self.name == "pcm":
            return f"{self.media_base};rate={sample_rate};channels=1;encoding=signed-int;bits=16"
        return self.media_base


# MP3: twice what LAME would choose (it compresses 11 times, to 32 kbit/s at 22.05 kHz mono). Quality 7: from
# there on LAME only searches longer, and 5 costs 1.6 times the CPU at the same bit rate.
_MP3 = Compression(
    "mp3",
    "libmp3lame",
    "s16p",
    bit_rates=(32_000, 64_000, 96_000),
    options={"compression_level": "7"},
    container_options={"id3v2_version": "0"},  # no tags, or a stream starts with an empty one
)
# Opus: the top of RFC 6716's sweet spots (section 2.1.1: 28-40 kbit/s fullband speech, 48-64 music).
# Complexity 5 of 10 costs 0.7 times the CPU. A page of 100 ms holds a stream back by as much and costs 5 % in
# size; 20 ms would cost 26 %, and with FFmpeg's default of 1 s a listener first hears nothing for two.
_OPUS = Compression(
    "ogg",
    "libopus",
    "s16",
    bit_rates=(32_000, 40_000, 64_000),
    options={"application": "voip", "compression_level": "5"},
    streamed_options={"page_duration": "100000"},
)
# AAC-LC: 64 kbit/s a channel is what it was designed for. At that rate the fast coder is as close to the
# original as FFmpeg's default, twoloop (log-spectral distance 3.0 against 2.8 dB), at 0.4 times the CPU.
_AAC = Compression("adts", "aac", "fltp", bit_rates=(32_000, 64_000, 96_000), options={"aac_coder": "fast"})
_FLAC = Compression("flac", "flac", "s16", options={"compression_level": "5"})

FORMATS: Mapping[str, AudioFormat] = {
    entry.name: entry
    for entry in (
        AudioFormat("mp3", "mp3", "audio/mpeg", _MPEG_SAMPLE_RATES, _MP3),
        AudioFormat("opus", "opus", "audio/ogg;codecs=opus", _OPUS_SAMPLE_RATES, _OPUS),
        AudioFormat("aac", "aac", "audio/aac", _MPEG_SAMPLE_RATES, _AAC),
        AudioFormat("flac", "flac", "audio/flac", _ANY_SAMPLE_RATE, _FLAC),
        AudioFormat("wav", "wav", "audio/wav", _ANY_SAMPLE_RATE),
        AudioFormat("pcm", "pcm", "audio/pcm", _ANY_SAMPLE_RATE),
    )
}


def audio_format(name: str) -> AudioFormat:
    """The format of that name.

    Raises:
        errors.UnsupportedFormat: there is none; the error lists what there is.
    """
    try:
        return FORMATS[name]
    except KeyError:
        raise errors.UnsupportedFormat(name, tuple(FORMATS)) from None


def check_sample_rate(fmt: AudioFormat, rate: int) -> None:
    """Refuses a sample rate (Hz) that the format can't hold.

    Raises:
        errors.UnsupportedSampleRate: the message and `detail` tell which ones it can.
    """
    if rate in fmt.sample_rates:
        return
    detail: dict[str, object] = {"format": fmt.name, "sample_rate": rate}
    if isinstance(fmt.sample_rates, range):
        lowest, highest = fmt.sample_rates[0], fmt.sample_rates[-1]
        available = f"any from {lowest} to {highest}"
        detail |= {"minimum": lowest, "maximum": highest}
    else:
        available = ", ".join(map(str, fmt.sample_rates))
        detail["available"] = list(fmt.sample_rates)
    raise errors.UnsupportedSampleRate(
        f"Sample rate not available in {fmt.name}; available in Hz: {available}", detail=detail
    )


def to_int16(samples: NDArray[np.float32]) -> NDArray[np.int16]:
    """Signed 16-bit little-endian samples: scaled by 2**15, rounded and clipped; NaN becomes 0.

    2**15 is the scale of FFmpeg and libsndfile, so audio that was 16-bit before comes out unchanged.
    """
    scaled = np.clip(samples, -1, 1)
    if np.isnan(scaled.sum()):  # one pass that allocates nothing
        np.nan_to_num(scaled, copy=False)
    scaled *= 1 << 15
    np.rint(scaled, out=scaled)
    np.minimum(scaled, (1 << 15) - 1, out=scaled)
    return scaled.astype("<i2")


class Encoder:
    """Writes the audio of one response. Not for two threads at once; many encoders may run side by side.

    Streamed, bytes leave as soon as the codec has them, and the headers leave sizes and durations open.
    Not streamed, `finish` returns everything, with headers that are right; memory is that of the result.

    Args:
        format: one of `FORMATS`.
        sample_rate: of the samples, in Hz.
        streamed: whether bytes leave before the audio is complete.

    Raises:
        errors.UnsupportedSampleRate: the format can't hold that rate.
    """

    def __init__(self, format: AudioFormat, sample_rate: int, *, streamed: bool) -> None:  # noqa: A002 (field's term)
        check_sample_rate(format, sample_rate)
        self.format = format
        self.sample_rate = sample_rate
        self.samples_written = 0
        self._writer: _LinearWriter | _CompressedWriter | None
        if format.compression is None:
            self._writer = _LinearWriter(sample_rate, wav=format.name == "wav", streamed=streamed)
        else:
            self._writer = _CompressedWriter(format.compression, sample_rate, streamed=streamed)

    @property
    def seconds(self) -> float:
        """Seconds of audio fed so far."""
        return self.samples_written / self.sample_rate

    def encode(self, samples: NDArray[np.float32]) -> bytes:
        """Takes samples of shape (n,), nominally -1 to 1, and returns the bytes that are ready to leave."""
        writer = self._open_writer()
        self.samples_written += samples.size
        return writer.write(to_int16(samples))

    def finish(self) -> bytes:
        """Ends the audio, returns the rest of the bytes and closes the encoder."""
        rest = self._open_writer().finish()
        self.close()
        return rest

    def close(self) -> None:
        """Releases the codec. Needed only where `finish` was not reached; harmless otherwise."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None

    def _open_writer(self) -> "_LinearWriter | _CompressedWriter":
        if self._writer is None:  # FFmpeg would write into freed memory
            raise ValueError("Encoder is closed")
        return self._writer

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


# RIFF, size, WAVE; "fmt ", size, PCM (1), channels, samples and bytes a second, bytes and bits a sample;
# "data", size (Microsoft and IBM, Multimedia Programming Interface and Data Specifications 1.0, 1991).
_WAV_HEADER = struct.Struct("<4sI4s 4sIHHIIHH 4sI")


def _wav_header(sample_rate: int, data_size: int) -> bytes:
    riff_size = min(data_size + _WAV_HEADER.size - 8, _STREAMED_SIZE)
    layout = (b"fmt ", 16, 1, 1, sample_rate, sample_rate * 2, 2, 16)
    return _WAV_HEADER.pack(b"RIFF", riff_size, b"WAVE", *layout, b"data", min(data_size, _STREAMED_SIZE))


class _Pipe:
    """A file that can't seek: what was written is taken once and forgotten."""

    def __init__(self) -> None:
        self._ready = bytearray()

    def write(self, data: bytes) -> int:
        self._ready += data
        return len(data)

    def take(self) -> bytes:
        ready = bytes(self._ready)
        self._ready.clear()
        return ready


class _LinearWriter:
    """PCM, with or without a WAV header in front."""

    def __init__(self, sample_rate: int, *, wav: bool, streamed: bool) -> None:
        self._sample_rate = sample_rate
        self._streamed = streamed
        self._header_is_due = wav and not streamed
        self._pipe = _Pipe()
        if wav and streamed:
            self._pipe.write(_wav_header(sample_rate, _STREAMED_SIZE))

    def write(self, samples: NDArray[np.int16]) -> bytes:
        self._pipe.write(samples.tobytes())
        return self._pipe.take() if self._streamed else b""

    def finish(self) -> bytes:
        rest = self._pipe.take()
        return _wav_header(self._sample_rate, len(rest)) + rest if self._header_is_due else rest

    def close(self) -> None:
        self._pipe.take()


class _CompressedWriter:
    """One FFmpeg encoder and its muxer."""

    def __init__(self, compression: Compression, sample_rate: int, *, streamed: bool) -> None:
        self._sink = _Pipe() if streamed else io.BytesIO()
        # Bit-exact leaves versions and random serial numbers out: the same audio is the same bytes.
        container_options = {"fflags": "+bitexact", **compression.container_options}
        if streamed:
            container_options |= {"flush_packets": "1", **compression.streamed_options}
        self._container = av.open(
            self._sink, "w", format=compression.muxer, container_options=container_options
        )
        stream = self._container.add_stream(
            compression.encoder,
            rate=sample_rate,
            options=dict(compression.options),
            layout="mono",
            format=compression.sample_format,
        )
        self._stream = cast(AudioStream, stream)
        if bit_rate := compression.bit_rate(sample_rate):
            self._stream.bit_rate = bit_rate
        self._container.start_encoding()
        # A mono frame is the same bytes planar or packed; naming the encoder's own format saves a conversion.
        self._frame_format = "s16p" if compression.sample_format == "s16p" else "s16"
        self._time_base = Fraction(1, sample_rate)
        self._position = 0

    def write(self, samples: NDArray[np.int16]) -> bytes:
        if samples.size:
            frame = av.AudioFrame.from_ndarray(samples[np.newaxis], format=self._frame_format, layout="mono")
            frame.sample_rate = self._time_base.denominator
            frame.time_base = self._time_base
            frame.pts = self._position
            self._position += samples.size
            self._container.mux(self._stream.encode(frame))
        return self._sink.take() if isinstance(self._sink, _Pipe) else b""

    def finish(self) -> bytes:
        self._container.mux(self._stream.encode(None))
        self._container.close()
        return self._sink.take() if isinstance(self._sink, _Pipe) else self._sink.getvalue()

    def close(self) -> None:
        self._container.close()
