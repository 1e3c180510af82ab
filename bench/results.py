"""What a row found: samples of each arm, and claims about them that hold or don't."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

from bench import statistics

FOLDER: Final = Path(__file__).parent / "results"

QUIET_CORES: Final = 0.15
"""Others may keep so many cores busy. Above that a pass is worth nothing: contention slows engines whose
threads spin (the default) more than those whose threads don't, by far more than any limit asked here."""


class Verdict(StrEnum):
    PASS = "pass"
    FAIL = "fail"
    NOISY = "noisy"
    INFORMATION = "-"


@dataclass(frozen=True, slots=True)
class Asked:
    """A limit that a figure is held against."""

    figure: float
    at_most: bool

    def __str__(self) -> str:
        return f"{'≤' if self.at_most else '≥'} {self.figure:g}"


def at_most(figure: float) -> Asked:
    return Asked(figure, at_most=True)


def at_least(figure: float) -> Asked:
    return Asked(figure, at_most=False)


@dataclass(frozen=True, slots=True)
class Series:
    """All samples of one figure of one arm, in the order they were taken."""

    unit: str
    samples: tuple[float, ...]

    @property
    def median(self) -> float:
        return statistics.median(self.samples)

    @property
    def quartiles(self) -> tuple[float, float]:
        return statistics.quartiles(self.samples)


@dataclass(frozen=True, slots=True)
class Claim:
    """One figure of a row.

    Attributes:
        figure: of ratios, the ratio of the medians.
        bound: one-sided 95 %, on the side that is asked (the upper one where nothing is); of ratios, of the
            median of the paired ratios.
        unit: "" for a ratio.
    """

    name: str
    figure: float
    bound: float
    unit: str = ""
    asked: Asked | None = None
    median_of_paired_ratios: float | None = None

    @property
    def verdict(self) -> Verdict:
        """Only what the bound holds too has passed."""
        if self.asked is None:
            return Verdict.INFORMATION
        figures = (self.figure, self.bound)
        if self.asked.at_most:
            return Verdict.PASS if max(figures) <= self.asked.figure else Verdict.FAIL
        return Verdict.PASS if min(figures) >= self.asked.figure else Verdict.FAIL


def ratio(name: str, series: Series, against: Series, asked: Asked | None = None) -> Claim:
    """Of two series whose samples were taken in pairs."""
    ratios = statistics.paired_ratios(series.samples, against.samples)
    return Claim(
        name=name,
        figure=series.median / against.median,
        bound=statistics.bound(ratios, statistics.median, upper=asked is None or asked.at_most),
        asked=asked,
        median_of_paired_ratios=statistics.median(ratios),
    )


def level(name: str, series: Series, asked: Asked | None = None) -> Claim:
    """Of a series by itself: its median."""
    upper = asked is None or asked.at_most
    return Claim(
        name,
        series.median,
        statistics.bound(series.samples, statistics.median, upper=upper),
        series.unit,
        asked,
    )


@dataclass(frozen=True, slots=True)
class Findings:
    """What measuring a row gives."""

    series: Mapping[str, Series]
    claims: Sequence[Claim]


@dataclass(frozen=True, slots=True)
class Result:
    """A row's findings with what is needed to judge and to repeat them."""

    row: str
    asked: str
    command: str
    date: str
    machine: Mapping[str, Any]
    findings: Findings

    def verdict_on(self, claim: Claim) -> Verdict:
        """The claim's own, but nothing passes on a machine that others kept busy."""
        noisy = self.machine["other_cores"] > QUIET_CORES
        return Verdict.NOISY if noisy and claim.verdict is Verdict.PASS else claim.verdict

    @property
    def verdict(self) -> Verdict:
        """The worst of its claims."""
        verdicts = {self.verdict_on(claim) for claim in self.findings.claims}
        order = (Verdict.FAIL, Verdict.NOISY, Verdict.PASS)
        return next((each for each in order if each in verdicts), Verdict.INFORMATION)

    def save(self, folder: Path) -> Path:
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{self.row}.json"
        document = {
            "row": self.row,
            "asked": self.asked,
            "verdict": self.verdict,
            "command": self.command,
            "date": self.date,
            "claims": [asdict(claim) | {"verdict": self.verdict_on(claim)} for claim in self.findings.claims],
            "arms": {
                name: {
                    "unit": series.unit,
                    "median": series.median,
                    "quartiles": series.quartiles,
                    "samples": series.samples,
                }
                for name, series in self.findings.series.items()
            },
            "machine": self.machine,
        }
        path.write_text(json.dumps(_rounded(document), indent=1) + "\n", encoding="utf-8")
        return path


def load(path: Path) -> Result:
    """A saved result; verdicts are worked out again."""
    document = json.loads(path.read_text(encoding="utf-8"))
    claims = []
    for claim in document["claims"]:
        del claim["verdict"]
        asked = claim.pop("asked")
        claims.append(Claim(**claim, asked=None if asked is None else Asked(**asked)))
    series = {name: Series(arm["unit"], tuple(arm["samples"])) for name, arm in document["arms"].items()}
    names = ("row", "asked", "command", "date", "machine")
    return Result(**{name: document[name] for name in names}, findings=Findings(series, claims))


def load_all(folder: Path, order: Iterable[str]) -> list[Result]:
    return [load(path) for name in order if (path := folder / f"{name}.json").is_file()]


def _rounded(value: Any) -> Any:
    """Six significant digits: more is noise."""
    if isinstance(value, float):
        return float(f"{value:.6g}")
    if isinstance(value, Mapping):
        return {key: _rounded(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(each) for each in value]
    return value
