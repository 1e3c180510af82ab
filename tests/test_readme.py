"""The README's examples run as they stand there."""

import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import av
import pytest

from tests.server import RunningServer, clean_environment

README = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```bash\n(.*?)```", README, re.DOTALL)


def run(example: str, server: RunningServer, folder: Path) -> str:
    """Run an example against the test's server, in a folder of its own."""
    chatterbox = f"{sys.executable} -m service"
    script = example.replace("http://127.0.0.1:7860", server.url).replace(".venv/bin/chatterbox", chatterbox)
    script = script.replace("logs/chatterbox_extended.log", str(server.log_file))
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=folder,
        env=clean_environment(),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, f"{script}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.split("\n")[0][:60])
def test_example_runs(
    example: str, server: RunningServer, tmp_path: Path, needs: Callable[[str, str], str]
) -> None:
    needs("curl", "Debian's package curl")
    needs("jq", "Debian's package jq")
    if "logs/" in example:  # the log needs a request to tell of
        run(EXAMPLES[0], server, tmp_path)
    output = run(example, server, tmp_path)
    for file in re.findall(r"-o (\S+)", example):
        with av.open(str(tmp_path / file)) as audio:
            assert sum(frame.samples for frame in audio.decode(audio=0)) > 8000
    if "jq" in example and "-o" not in example:
        assert output.strip()


def test_it_has_the_two_commands() -> None:
    makefile = (Path(__file__).parent.parent / "Makefile").read_text(encoding="utf-8")
    for target in re.findall(r"^make (\w+)", README, re.MULTILINE):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE)


def test_its_links_lead_somewhere() -> None:
    for link in re.findall(r"\]\(([^)#:]+)\)", README):
        assert (Path(__file__).parent.parent / link).exists(), link


def test_the_announced_curl_line_speaks(server: RunningServer, tmp_path: Path) -> None:
    if shutil.which("curl") is None:
        pytest.skip("curl is missing: install Debian's package curl")
    printed = "".join(server.output)
    assert f"{server.url}/docs" in printed
    line = re.search(r"(curl .*hello\.wav)", printed)
    assert line is not None
    run(line[1], server, tmp_path)
    with av.open(str(tmp_path / "hello.wav")) as audio:
        assert sum(frame.samples for frame in audio.decode(audio=0)) > 8000
