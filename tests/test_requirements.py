"""The pins: what they must hold, and must not."""

import re
from importlib.util import find_spec
from pathlib import Path

import pytest

PINS = sorted((Path(__file__).parent.parent / "requirements").glob("*.txt"))


@pytest.mark.parametrize("path", PINS, ids=lambda path: path.name)
def test_no_index_address_is_written(path: Path) -> None:
    assert "://" not in path.read_text(encoding="utf-8")


def test_bigger_sets_hold_the_smaller_ones() -> None:
    names = {
        path.stem: set(re.findall(r"^([a-z0-9-]+)==", path.read_text(encoding="utf-8"), re.MULTILINE))
        for path in PINS
    }
    assert names["run"] < names["test"]
    assert {"piper-tts", "pytest", "chatterbox-tts", "torch"} <= names["all"]
    assert "torch" not in names["test"]


@pytest.mark.chatterbox
def test_the_watermarker_is_there_and_the_demo_page_is_not() -> None:
    """Without pkg_resources, which newer setuptools lack, the watermarker is silently None."""
    import perth

    assert perth.PerthImplicitWatermarker is not None
    assert find_spec("chatterbox") is not None
    assert find_spec("gradio") is None
    assert find_spec("pre_commit") is None
