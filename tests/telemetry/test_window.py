from itertools import pairwise
from threading import Thread
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telemetry.window import SLOTS, RequestCounts, RollingWindow

MINUTES = 6  # so that a slot is one second
WINDOW = MINUTES * 60

moments = st.lists(
    st.tuples(
        st.one_of(st.integers(0, 3), st.integers(0, WINDOW + 2), st.just(WINDOW), st.just(WINDOW * 1000)),
        st.one_of(st.none(), st.integers(0, 600_000)),
    ),
    max_size=60,
)
"""Seconds that pass, then a duration in milliseconds that is added, or nothing."""


@given(moments, st.integers(0, 10_000))
def test_it_agrees_with_a_list_of_everything(steps: list[tuple[int, int | None]], start: int) -> None:
    now = float(start)
    with patch("telemetry.window.monotonic", lambda: now):
        window = RollingWindow(MINUTES)
        kept: list[tuple[float, int]] = []
        for passed, duration in steps:
            now += passed
            if duration is not None:
                window.add(duration / 1000)
                kept.append((now, duration))
            live = [value for at, value in kept if at > now - SLOTS]
            assert window.statistics() == {
                "min_ms": min(live, default=None),
                "max_ms": max(live, default=None),
                "avg_ms": pytest.approx(sum(live) / len(live), abs=1e-3) if live else None,
                "count": len(live),
            }


@given(st.floats(0.5, 1440), st.lists(st.floats(0, 2), max_size=30), st.floats(0, 1e6))
def test_what_is_younger_counts_and_what_is_older_does_not(
    minutes: float, gaps: list[float], start: float
) -> None:
    """For any window: nothing older than it, and all that is younger by a step or more."""
    window_seconds = minutes * 60
    now = start
    with patch("telemetry.window.monotonic", lambda: now):
        window = RollingWindow(minutes)
        added = []
        for gap in gaps:
            now += gap * window_seconds
            window.add(1.0)
            added.append(now)
        count = window.statistics()["count"]
    margin = 1e-6 * (now + 1)
    surely = sum(1 for at in added if now - at < window_seconds * (1 - 1 / SLOTS) - margin)
    maybe = sum(1 for at in added if now - at < window_seconds + margin)
    assert isinstance(count, int)
    assert surely <= count <= maybe


def test_nothing_has_happened_yet() -> None:
    assert RollingWindow(60).statistics() == {"min_ms": None, "max_ms": None, "avg_ms": None, "count": 0}


def test_durations_from_many_threads_all_count() -> None:
    window = RollingWindow(60)

    def add() -> None:
        for _ in range(2000):
            window.add(0.001)

    threads = [Thread(target=add) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert window.statistics() == {"min_ms": 1.0, "max_ms": 1.0, "avg_ms": 1.0, "count": 8000}


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["POST /api/v1/tts", "GET other"]),
            st.sampled_from([None, "empty_text", "engine_failed", ""]),
        )
    )
)
def test_counts_add_up(requests: list[tuple[str, str | None]]) -> None:
    counts = RequestCounts()
    for endpoint, code in requests:
        counts.add(endpoint, code is None, code)
    summary, breakdown = counts.summary(), counts.breakdown()

    good = sum(1 for _, code in requests if code is None)
    assert summary["requests_total"] == len(requests)
    assert summary["requests_success"] == good
    assert summary["requests_error"] == len(requests) - good
    assert summary["success_rate"] == pytest.approx(good / len(requests) if requests else 1, abs=1e-6)
    assert summary["success_rate"] + summary["error_rate"] == pytest.approx(1, abs=1e-9)
    assert sum(breakdown["by_endpoint"].values()) == len(requests)
    assert sum(breakdown["errors_by_code"].values()) == len(requests) - good


def test_counts_never_go_back() -> None:
    counts = RequestCounts()
    totals = []
    for _ in range(3):
        counts.add("GET /", True, None)
        totals.append(counts.summary()["requests_total"])
    assert all(later > earlier for earlier, later in pairwise(totals))
