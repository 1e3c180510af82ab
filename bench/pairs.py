"""Arms taken in turns, so that what the machine does meanwhile happens to all of them."""

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from time import sleep
from typing import Final

from bench.results import Findings, Series

REST_SECONDS: Final = 0.05
"""Between two arms: the threads of an engine spin a little after their last call."""

Arm = Callable[[], Mapping[str, float]]
"""Measures once; gives figures by the name of their series."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How long to measure.

    Attributes:
        pairs: how often each arm is measured.
        slice_seconds: how long each of those takes, where a row measures over a time.
        reduced: whether the row is only to show that it works: shorter texts, fewer clients.
    """

    pairs: int
    slice_seconds: float
    reduced: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the table.

    Attributes:
        asked: what it has to show, in words.
        pairs: how often each arm is measured if nobody says otherwise.
    """

    name: str
    asked: str
    measure: Callable[[Plan], Findings]
    pairs: int = 15
    slice_seconds: float = 3.0


def interleaved(
    arms: Sequence[Arm], pairs: int, unit: str | Callable[[str], str], label: str
) -> dict[str, Series]:
    """Measure every arm once a round; each round begins with another one.

    Args:
        unit: of all series, or what tells it by a series's name.
        label: for the progress on standard error.
    """
    samples: dict[str, list[float]] = {}
    for number in range(pairs):
        print(f"\r  {label}: {number + 1}/{pairs} ", end="", file=sys.stderr, flush=True)
        first = number % len(arms)
        for arm in (*arms[first:], *arms[:first]):
            for name, value in arm().items():
                samples.setdefault(name, []).append(value)
            sleep(REST_SECONDS)
    print(file=sys.stderr)
    return {
        name: Series(unit if isinstance(unit, str) else unit(name), tuple(values))
        for name, values in samples.items()
    }
