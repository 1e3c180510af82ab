"""A span is the only clock: nobody else takes the time of anything, and nobody else publishes a duration."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = sorted(path for room in ("service", "telemetry") for path in (ROOT / room).rglob("*.py"))

CLOCKS = {
    "time.time",
    "time.time_ns",
    "time.monotonic",
    "time.monotonic_ns",
    "time.perf_counter",
    "time.perf_counter_ns",
    "time.process_time",
    "time.process_time_ns",
    "time.thread_time",
    "time.thread_time_ns",
    "time.clock_gettime",
    "time.clock_gettime_ns",
    "timeit",
    "timeit.timeit",
    "timeit.default_timer",
    "datetime.datetime.now",
    "datetime.datetime.utcnow",
    "datetime.datetime.today",
    "asyncio.get_running_loop().time",
    "asyncio.get_event_loop().time",
}

ALLOWED: dict[str, dict[str, str]] = {
    "telemetry/clock.py": {"time.perf_counter_ns": "the clock"},
    "telemetry/window.py": {"time.monotonic": "which slot of the window is now"},
    "telemetry/system.py": {"asyncio.get_running_loop().time": "how late the loop wakes up"},
    "service/engines/registry.py": {"time.monotonic": "when a failed model may be tried again"},
    "service/api/health.py": {"datetime.datetime.now": "timestamps, and uptime"},
}
"""What a file may ask, and what for."""

OBSERVERS = {"telemetry/derive.py", "telemetry/system.py"}

DURATIONS = {"duration", "duration_ms", "duration_s", "elapsed", "elapsed_ms", "took", "took_ms", "latency"}
"""Names of a time that work took. `duration_seconds` is the length of audio, and stays allowed."""


def read(path: Path) -> tuple[str, ast.Module]:
    return str(path.relative_to(ROOT)), ast.parse(path.read_text(encoding="utf-8"))


def imported(tree: ast.Module) -> dict[str, str]:
    """Local names of what is imported, with their full names."""
    names = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                names[alias.asname or alias.name.partition(".")[0]] = (
                    alias.name if alias.asname else alias.name.partition(".")[0]
                )
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                names[alias.asname or alias.name] = f"{node.module}.{alias.name}"
    return names


def full_name(node: ast.expr, names: dict[str, str]) -> str | None:
    """`perf_counter`, `time.perf_counter`, `loop.time`: what an expression stands for, import resolved."""
    if isinstance(node, ast.Name):
        return names.get(node.id)
    if isinstance(node, ast.Attribute):
        inner = full_name(node.value, names)
        return f"{inner}.{node.attr}" if inner else None
    if isinstance(node, ast.Call):
        called = full_name(node.func, names)
        return f"{called}()" if called else None
    return None


def clocks_in(tree: ast.Module) -> set[str]:
    """The clocks that a module asks, by whatever name it knows them."""
    names = imported(tree)
    for node in ast.walk(tree):  # loop = asyncio.get_running_loop(); clock = time.perf_counter
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            stands_for = full_name(node.value, names)
            if stands_for:
                names.setdefault(node.targets[0].id, stands_for)
    used = {full_name(node, names) for node in ast.walk(tree) if isinstance(node, ast.Attribute | ast.Name)}
    return {name for name in used if name in CLOCKS}


@pytest.mark.parametrize(
    "source",
    [
        "import time\nstart = time.perf_counter()",
        "from time import perf_counter as now\nstart = now()",
        "import time as t\nstart = t.time()",
        "from time import monotonic\nclock = monotonic",
        "import timeit\ntimeit.default_timer()",
        "from datetime import datetime\nstart = datetime.now()",
        "import datetime as dt\nstart = dt.datetime.now()",
        "import asyncio\nloop = asyncio.get_running_loop()\nstart = loop.time()",
    ],
)
def test_a_timer_is_found_under_any_name(source: str) -> None:
    assert clocks_in(ast.parse(source))


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_nobody_takes_the_time(path: Path) -> None:
    name, tree = read(path)
    assert clocks_in(tree) <= set(ALLOWED.get(name, {})), "let the caller open a span instead"


def test_every_exception_is_still_needed() -> None:
    for name, allowed in ALLOWED.items():
        assert clocks_in(read(ROOT / name)[1]) == set(allowed)


def observations(tree: ast.Module) -> Iterator[int]:
    """Lines that give a value to a histogram or a summary."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr in {"observe", "time"}:
            histogram = ast.unparse(node.value).partition(".labels(")[0].removeprefix("metrics.")
            if node.attr == "observe" or histogram.isupper():
                yield node.lineno


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_only_the_deriver_observes(path: Path) -> None:
    name, tree = read(path)
    assert name in OBSERVERS or not list(observations(tree)), "set a span attribute instead"


def published_durations(tree: ast.Module) -> Iterator[str]:
    """Keys, keyword arguments and fields that are named like a time that work took."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Dict):
            keys = [key.value for key in node.keys if isinstance(key, ast.Constant)]
        elif isinstance(node, ast.Call):
            keys = [keyword.arg for keyword in node.keywords]
        elif isinstance(node, ast.AnnAssign):
            keys = [ast.unparse(node.target)]
        else:
            continue
        yield from (key for key in keys if isinstance(key, str) and key.lower() in DURATIONS)


@pytest.mark.parametrize(
    "path",
    [path for path in SOURCES if path.is_relative_to(ROOT / "service")],
    ids=lambda path: str(path.relative_to(ROOT)),
)
def test_the_service_publishes_no_duration(path: Path) -> None:
    assert not list(published_durations(read(path)[1]))
