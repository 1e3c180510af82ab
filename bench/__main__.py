"""Command line: measure rows, or show what was measured. `python -m bench --help`."""

import argparse
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console

from bench.machine import Watch
from bench.pairs import Plan, Row
from bench.results import FOLDER, Result, Verdict, load_all
from bench.rows import ROWS
from bench.servers import NotInstalled
from bench.table import show, write_readme

REDUCED_SLICE_SECONDS = 0.5


def measured(row: Row, plan: Plan) -> Result:
    """Measure a row now."""
    watch = Watch()
    date = datetime.now(UTC).date().isoformat()
    findings = row.measure(plan)
    command = f"python -m bench {row.name} --pairs {plan.pairs}"
    if plan.slice_seconds != row.slice_seconds:
        command += f" --slice {plan.slice_seconds:g}"
    if plan.reduced:
        command += " --reduced"
    return Result(row.name, row.asked, command, date, watch.report(), findings)


def plan_of(row: Row, arguments: argparse.Namespace) -> Plan:
    plan = Plan(row.pairs, row.slice_seconds)
    if arguments.reduced:
        plan = Plan(1, REDUCED_SLICE_SECONDS, reduced=True)
    if arguments.pairs is not None:
        plan = replace(plan, pairs=arguments.pairs)
    if arguments.slice is not None:
        plan = replace(plan, slice_seconds=arguments.slice)
    return plan


def main(words: list[str] | None = None) -> int:
    """Returns the exit status: 1 if a row was not measured or did not pass."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("rows", nargs="*", metavar="row", help=f"{', '.join(ROWS)}; all if none is named")
    parser.add_argument("--pairs", type=int, help="how often each arm is measured")
    parser.add_argument("--slice", type=float, help="seconds of a measurement that goes over a time")
    parser.add_argument(
        "--reduced", action="store_true", help="only see that it works; stored only with --output"
    )
    parser.add_argument("--output", type=Path, help="folder for results (bench/results)")
    parser.add_argument("--table", action="store_true", help="measure nothing, show the stored results")
    arguments = parser.parse_args(words)
    if unknown := [name for name in arguments.rows if name not in ROWS]:
        parser.error(f"no such row: {', '.join(unknown)}")
    if arguments.pairs is not None and arguments.pairs < 1:
        parser.error("--pairs must be at least 1")
    if arguments.slice is not None and arguments.slice <= 0:
        parser.error("--slice must be above 0")
    names = arguments.rows or list(ROWS)
    console = Console()
    if arguments.table:
        show(load_all(arguments.output or FOLDER, names), console)
        return 0
    folder = arguments.output or (None if arguments.reduced else FOLDER)
    results: list[Result] = []
    for name in names:
        print(name, file=sys.stderr)
        try:
            result = measured(ROWS[name], plan_of(ROWS[name], arguments))
        except NotInstalled as missing:
            print(f"  not measured: {missing}", file=sys.stderr)
            continue
        results.append(result)
        if folder is not None:
            result.save(folder)
    if folder == FOLDER:
        write_readme(load_all(FOLDER, ROWS))
    show(results, console)
    passed = len(results) == len(names) and all(
        result.verdict in (Verdict.PASS, Verdict.INFORMATION) for result in results
    )
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
