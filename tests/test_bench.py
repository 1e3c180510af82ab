"""The bench: its figures, its table, and one row for real."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.__main__ import main
from bench.audio import spoken_seconds
from bench.results import (
    FOLDER,
    Claim,
    Findings,
    Result,
    Series,
    Verdict,
    at_least,
    at_most,
    load,
    load_all,
    ratio,
)
from bench.rows import ROWS
from bench.statistics import bound, histogram_quantile, median
from bench.table import README, with_results
from bench.texts import long_text, unpunctuated

TIMES = st.floats(0.01, 100)


@given(st.lists(st.tuples(TIMES, TIMES), min_size=1, max_size=20))
def test_a_bound_lies_on_the_unfavourable_side_within_the_samples(pairs: list[tuple[float, float]]) -> None:
    values = [value for value, _ in pairs]
    assert min(values) <= bound(values, median, upper=False) <= median(values)
    assert median(values) <= bound(values, median, upper=True) <= max(values)


@pytest.mark.parametrize(
    ("figure", "its_bound", "verdict"),
    [(0.9, 0.99, Verdict.PASS), (0.9, 1.01, Verdict.FAIL), (1.01, 0.9, Verdict.FAIL)],
)
def test_a_claim_passes_only_if_its_bound_holds_too(
    figure: float, its_bound: float, verdict: Verdict
) -> None:
    assert Claim("low", figure, its_bound, asked=at_most(1)).verdict is verdict
    assert Claim("high", 1 / figure, 1 / its_bound, asked=at_least(1)).verdict is verdict


@pytest.mark.parametrize(("others", "verdict"), [(0.1, Verdict.PASS), (0.5, Verdict.NOISY)])
def test_nothing_passes_on_a_busy_machine(others: float, verdict: Verdict) -> None:
    claim = Claim("low", 0.9, 0.9, asked=at_most(1))
    result = Result("row", "", "", "", {"other_cores": others}, Findings({}, [claim]))
    assert result.verdict_on(claim) is result.verdict is verdict


def test_a_ratio_pairs_what_was_measured_together() -> None:
    drifting = Series("s", tuple(1.0 * 2**number for number in range(9)))
    twice = Series("s", tuple(2 * sample for sample in drifting.samples))
    claim = ratio("twice", twice, drifting, at_most(2))
    assert (claim.figure, claim.bound, claim.verdict) == (2, 2, Verdict.PASS)


@pytest.mark.parametrize(("share", "quantile"), [(0.25, 0.5), (0.74, 1.5), (0.99, 2.0)])
def test_a_histogram_quantile_is_linear_within_its_bucket(share: float, quantile: float) -> None:
    assert histogram_quantile(share, [(1, 50.0), (2, 98.0), (float("inf"), 100.0)]) == (
        pytest.approx(quantile)
    )


def test_pauses_are_not_speech() -> None:
    speech, pause, breath = np.full(8000, 5, np.int16), np.zeros(1600, np.int16), np.zeros(100, np.int16)
    assert spoken_seconds(np.concatenate((speech, pause, speech)), 8000) == 2
    assert spoken_seconds(np.concatenate((speech, breath, speech)), 8000) == 2 + 100 / 8000


@given(st.integers(50, 5000))
def test_texts_have_the_length_that_was_asked(characters: int) -> None:
    assert characters - 50 < len(long_text(characters)) <= characters
    text = unpunctuated(characters)
    assert characters - 12 < len(text) <= characters
    assert text.replace(" ", "").isalpha()


def test_the_readme_has_the_stored_results() -> None:
    text = README.read_text(encoding="utf-8")
    assert with_results(text, load_all(FOLDER, ROWS)) == text


def test_a_row_is_measured_stored_and_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["formats", "--reduced", "--output", str(tmp_path)])
    assert "1 client: mp3 / pcm" in capsys.readouterr().out
    stored = tmp_path / "formats.json"
    document = json.loads(stored.read_text(encoding="utf-8"))
    assert all(arm["median"] > 0 and len(arm["samples"]) == 1 for arm in document["arms"].values())
    assert document["command"] == "python -m bench formats --pairs 1 --slice 0.5 --reduced"
    assert {"cores", "packages", "load_average_at_start", "load_average_at_end"} <= document["machine"].keys()
    assert load(stored).verdict.value == document["verdict"]
    assert main(["formats", "--table", "--output", str(tmp_path)]) == 0
    assert "1 client: mp3 / pcm" in capsys.readouterr().out
