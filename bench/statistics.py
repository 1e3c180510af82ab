"""Medians, spreads, and how far a figure can be trusted."""

from collections.abc import Callable, Sequence
from typing import Final, TypeVar

import numpy as np

Item = TypeVar("Item")

RESAMPLES: Final = 4000
CONFIDENCE: Final = 0.95
SEED: Final = 1969


def median(values: Sequence[float]) -> float:
    return float(np.median(values))


def quartiles(values: Sequence[float]) -> tuple[float, float]:
    """The lower and the upper one."""
    lower, upper = np.quantile(values, (0.25, 0.75))
    return float(lower), float(upper)


def quantile(values: Sequence[float], share: float) -> float:
    return float(np.quantile(values, share))


def paired_ratios(values: Sequence[float], against: Sequence[float]) -> list[float]:
    """Each value over the one that was taken beside it, so that what slowed both cancels."""
    return [value / other for value, other in zip(values, against, strict=True)]


def bound(rounds: Sequence[Item], statistic: Callable[[Sequence[Item]], float], *, upper: bool) -> float:
    """One-sided 95 % bound of a statistic by the percentile bootstrap (Efron, 1979), rounds resampled whole.

    Args:
        upper: whether the figure should be low, so that the bound tells how high it may be.
    """
    generator = np.random.default_rng(SEED)
    drawn = generator.integers(len(rounds), size=(RESAMPLES, len(rounds)))
    figures = [statistic([rounds[index] for index in row]) for row in drawn]
    return quantile(figures, CONFIDENCE if upper else 1 - CONFIDENCE)


def histogram_quantile(share: float, buckets: Sequence[tuple[float, float]]) -> float:
    """What PromQL's `histogram_quantile` gives: linear within the bucket that holds the rank.

    Args:
        buckets: upper edge and cumulative count of each, edges rising, the last one infinite.
    """
    total = buckets[-1][1]
    if total <= 0:
        return float("nan")
    rank = share * total
    edge_below = count_below = 0.0
    for edge, count in buckets:
        if count >= rank:
            if edge == float("inf"):
                return edge_below
            return edge_below + (edge - edge_below) * (rank - count_below) / max(count - count_below, 1e-12)
        edge_below, count_below = edge, count
    raise AssertionError("the last bucket holds every rank")
