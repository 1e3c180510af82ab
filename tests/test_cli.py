"""The command line, as a user runs it."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import av
import pytest

from tests.server import clean_environment, running_server


def chatterbox(*arguments: str, folder: Path, stdin: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "service", *arguments],
        cwd=folder,
        env=clean_environment(),
        input=stdin,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def seconds_of(path: Path) -> float:
    with av.open(str(path)) as audio:
        rate = audio.streams.audio[0].rate
        return sum(frame.samples for frame in audio.decode(audio=0)) / rate


@pytest.mark.parametrize("suffix", ["mp3", "opus", "aac", "flac", "wav"])
def test_speak_writes_what_the_suffix_says(suffix: str, tmp_path: Path) -> None:
    done = chatterbox("speak", "Good morning to all of you.", "-o", f"x.{suffix}", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert 1 < seconds_of(tmp_path / f"x.{suffix}") < 5
    assert [path.name for path in tmp_path.iterdir()] == [f"x.{suffix}"]


def test_speak_reads_standard_input(tmp_path: Path) -> None:
    done = chatterbox("speak", "-", "-o", "x.wav", folder=tmp_path, stdin="Good morning to all of you.")
    assert done.returncode == 0, done.stderr
    assert seconds_of(tmp_path / "x.wav") > 1


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["...", "-o", "x.wav"], "empty_text"),
        (["Hello", "-o", "x.ogg"], "unsupported_format"),
        (["Hello", "-o", "x.wav", "--voice", "nobody"], "unknown_voice"),
        (["Hello", "-o", "x.wav", "--model", "nothing"], "unknown_model"),
        (["Hello", "-o", "missing/x.wav"], "No such file or directory"),
    ],
)
def test_speak_refuses_clearly_and_leaves_nothing(arguments: list[str], told: str, tmp_path: Path) -> None:
    done = chatterbox("speak", *arguments, folder=tmp_path)
    assert done.returncode == 1
    assert told in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_speak_keeps_the_old_file_when_it_fails(tmp_path: Path) -> None:
    (tmp_path / "x.wav").write_bytes(b"precious")
    assert chatterbox("speak", "...", "-o", "x.wav", folder=tmp_path).returncode == 1
    assert (tmp_path / "x.wav").read_bytes() == b"precious"


def test_doctor_finds_everything_that_the_default_needs(tmp_path: Path) -> None:
    done = chatterbox("doctor", "--json", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    weights = next(entry for entry in report["findings"] if entry["group"] == "weights")
    assert ".onnx" in weights["found"]
    assert report["settings"]["server.port"] == {"value": 7860, "source": "default"}


def test_doctor_names_what_is_missing_and_how_to_get_it(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text(
        "models:\n  far:\n    engine: piper\n    voices:\n      ghost: no/such/voice.onnx\n", encoding="utf-8"
    )
    done = chatterbox("doctor", "--json", folder=tmp_path)
    assert done.returncode == 1
    missing = [entry for entry in json.loads(done.stdout)["findings"] if entry["found"] is None]
    assert [entry["name"] for entry in missing] == ["far: voice ghost"]
    assert "no/such/voice.onnx does not exist" in missing[0]["remedy"]


def test_doctor_lists_only_settings_that_differ(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("server:\n  port: 7860\n  host: 127.0.0.2\n", encoding="utf-8")
    done = chatterbox("doctor", "--json", folder=tmp_path)
    assert json.loads(done.stdout)["changed"] == ["server.host"]


def test_a_wrong_setting_stops_every_command(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("server:\n  prot: 1\n", encoding="utf-8")
    for command in (["serve"], ["doctor"], ["speak", "Hello", "-o", "x.wav"]):
        done = chatterbox(*command, folder=tmp_path)
        assert done.returncode == 2
        assert "config.yaml:2: server.prot" in done.stderr


@pytest.mark.parametrize("signal_number", [signal.SIGTERM, signal.SIGINT])
def test_serve_ends_well_when_told_to(signal_number: signal.Signals, tmp_path: Path) -> None:
    with running_server(tmp_path) as server:
        os.kill(server.process.pid, signal_number)
        assert server.process.wait(timeout=30) == 0
        assert server.log_lines()[-1]["message"] == "Shutting down application"


def test_serve_says_when_the_port_is_taken(tmp_path: Path) -> None:
    with running_server(tmp_path) as server:
        port = server.url.rpartition(":")[2]
        other = tmp_path / "other"
        other.mkdir()
        done = chatterbox("serve", "--port", port, folder=other)
        assert done.returncode != 0
        assert "address already in use" in done.stdout
        assert "CHATTERBOX_SERVER__PORT" in done.stderr
