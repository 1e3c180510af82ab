"""The results as a table: for the terminal, and between two marks of the README."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.table import Table

from bench.results import Result, Verdict

README: Final = Path(__file__).parent / "README.md"
BEGIN: Final = "<!-- results: written by python -m bench -->"
END: Final = "<!-- end of results -->"

CLAIM_HEADS: Final = ("row", "figure", "value", "95 % bound", "asked", "verdict")
ARM_HEADS: Final = ("row", "arm", "median", "quartiles", "samples")
STYLES: Final = {Verdict.PASS: "green", Verdict.FAIL: "red", Verdict.NOISY: "yellow", Verdict.INFORMATION: ""}


def _number(value: float) -> str:
    return f"{value:.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def _claims(results: Iterable[Result]) -> list[tuple[tuple[str, ...], Verdict]]:
    lines: list[tuple[tuple[str, ...], Verdict]] = []
    for result in results:
        for claim in result.findings.claims:
            unit = f" {claim.unit}" if claim.unit else ""
            cells = (
                result.row,
                claim.name,
                _number(claim.figure) + unit,
                _number(claim.bound) + unit,
                f"{claim.asked}{unit}" if claim.asked else "",
                result.verdict_on(claim).value,
            )
            lines.append((cells, result.verdict_on(claim)))
    return lines


def _arms(results: Iterable[Result]) -> list[tuple[str, ...]]:
    return [
        (
            result.row,
            name,
            f"{_number(series.median)} {series.unit}",
            " to ".join(_number(value) for value in series.quartiles),
            str(len(series.samples)),
        )
        for result in results
        for name, series in result.findings.series.items()
    ]


def show(results: Sequence[Result], console: Console) -> None:
    claims = Table(*CLAIM_HEADS, title="Figures and what was asked")
    for cells, verdict in _claims(results):
        claims.add_row(*cells, style=STYLES[verdict])
    arms = Table(*ARM_HEADS, title="Arms")
    for cells in _arms(results):
        arms.add_row(*cells)
    console.print(claims, arms)


def markdown(results: Sequence[Result]) -> str:
    """The results as the README has them."""
    if not results:
        return "No results are stored yet.\n"
    parts = [
        _markdown_table(CLAIM_HEADS, [cells for cells, _ in _claims(results)]),
        _markdown_table(ARM_HEADS, _arms(results)),
        _markdown_table(
            ("row", "date", "commit", "on", "cores others used", "repeat with"),
            [
                (
                    result.row,
                    result.date,
                    str(result.machine["commit"]),
                    f"{result.machine['cores']} cores, {result.machine['processor']}",
                    str(result.machine["other_cores"]),
                    f"`{result.command}`",
                )
                for result in results
            ],
        ),
    ]
    return "\n".join(parts)


def _markdown_table(heads: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    rule = "|".join(["---"] * len(heads))
    rows = [f"| {' | '.join(cells)} |" for cells in (heads, *lines)]
    return "\n".join((rows[0], f"|{rule}|", *rows[1:])) + "\n"


def with_results(readme: str, results: Sequence[Result]) -> str:
    """A README's text with these results between its marks."""
    before, _, rest = readme.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n\n{markdown(results)}\n{END}{after}"


def write_readme(results: Sequence[Result]) -> None:
    README.write_text(with_results(README.read_text(encoding="utf-8"), results), encoding="utf-8")
