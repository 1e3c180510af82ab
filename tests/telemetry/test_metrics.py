"""The registry: names, labels, help and queries, and that the catalogue has them all."""

import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

import telemetry.system  # registers the process's own collectors
from telemetry import metrics
from telemetry.metrics import CATALOGUE, REGISTRY, Family

UNITS = {"seconds", "bytes", "ratio", "boolean", "none"}
BY_NAME = pytest.mark.parametrize("family", CATALOGUE, ids=lambda family: family.name)


def exposed() -> dict[str, str]:
    """Name and kind of everything in the registry, as a scrape shows it."""
    families = text_string_to_metric_families(generate_latest(REGISTRY).decode())
    names = {}
    for family in families:
        counter = family.type == "counter"
        name = f"{family.name}_total" if counter else family.name
        names[name] = "info" if name.endswith("_info") else family.type
    return names


def test_the_catalogue_is_the_registry() -> None:
    assert telemetry.system._COLLECTORS
    catalogue = {family.name: family.kind for family in CATALOGUE}
    assert len(catalogue) == len(CATALOGUE)
    assert exposed() == catalogue


@BY_NAME
def test_a_name_says_its_unit(family: Family) -> None:
    assert re.fullmatch(r"[a-z][a-z0-9_]*", family.name)
    base = family.name.removesuffix("_total")
    assert (family.kind == "counter") == (base != family.name)
    if family.unit in {"seconds", "bytes"}:
        assert base.endswith(f"_{family.unit}")
    else:
        assert not re.search(r"_(seconds|bytes|milliseconds|ms|mb)$", base)
    assert (family.kind == "info") == family.name.endswith("_info")


@BY_NAME
def test_it_is_explained_in_a_sentence_and_queried_by_name(family: Family) -> None:
    assert re.fullmatch(r"[A-Z].*\.", family.purpose)
    assert re.search(rf"\b{family.name}(_bucket|_count|_sum)?\b", family.query)


@BY_NAME
def test_labels_are_from_closed_sets(family: Family) -> None:
    for label, values in family.labels.items():
        assert re.fullmatch(r"[a-z]+", label)
        assert values
        assert len(set(values)) == len(values)


def test_every_query_is_promql(needs: Callable[[str, str], str], tmp_path: Path) -> None:
    rules = [
        {"record": f"query:{number}", "expr": family.query}
        for number, family in enumerate(CATALOGUE)
        if family.query
    ]
    file = tmp_path / "rules.yaml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "docs", "rules": rules}]}), encoding="utf-8")
    promtool = needs("promtool", "Debian's package prometheus")
    checked = subprocess.run([promtool, "check", "rules", str(file)], capture_output=True, text=True)
    assert checked.returncode == 0, checked.stderr + checked.stdout


def test_promtool_has_nothing_to_say_about_the_exposition(needs: Callable[[str, str], str]) -> None:
    promtool = needs("promtool", "Debian's package prometheus")
    command, exposition = [promtool, "check", "metrics"], generate_latest(REGISTRY)
    checked = subprocess.run(command, input=exposition, capture_output=True)
    assert (checked.returncode, checked.stderr) == (0, b"")


@pytest.mark.parametrize(
    "buckets",
    [value for name, value in vars(metrics).items() if name.endswith("_BUCKETS")],
)
def test_buckets_rise(buckets: tuple[float, ...]) -> None:
    assert list(buckets) == sorted(set(buckets))


def test_buckets_reach_as_far_as_speech_does() -> None:
    assert (metrics.DURATION_BUCKETS[0], metrics.DURATION_BUCKETS[-1]) == (0.05, 600)
    assert (metrics.FIRST_AUDIO_BUCKETS[0], metrics.FIRST_AUDIO_BUCKETS[-1]) == (0.01, 30)
    assert (metrics.REAL_TIME_BUCKETS[0], metrics.REAL_TIME_BUCKETS[-1]) == (0.02, 10)
    assert 1 in metrics.REAL_TIME_BUCKETS


def test_a_counter_of_closed_labels_is_there_before_its_first_event() -> None:
    """Else its first increase could not be seen: there is nothing it increased from."""
    exposition = generate_latest(REGISTRY).decode()
    for family in CATALOGUE:
        closed = all("<" not in value for values in family.labels.values() for value in values)
        if family.kind == "counter" and closed:
            assert re.search(rf"^{family.name}(\{{|  ?)", exposition, re.MULTILINE), family.name
