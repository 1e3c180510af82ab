"""The generated pages say what the code does, and the code says what the pages do."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from telemetry import spans
from telemetry.messages import LOG_MESSAGES
from telemetry.reference import PAGES, page
from telemetry.spans import OUTCOME_MEANINGS, STAGE_MEANINGS, Outcome, Stage

ROOT = Path(__file__).parents[2]
SOURCES = [
    path
    for room in ("service", "telemetry")
    for path in sorted((ROOT / room).rglob("*.py"))
    if path.name not in {"messages.py", "reference.py"}
]


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_up_to_date(name: str) -> None:
    written = (ROOT / "docs" / f"{name}.md").read_text(encoding="utf-8")
    assert written == page(name), f"run: python -m telemetry.reference {name} > docs/{name}.md"


def test_the_command_prints_a_page() -> None:
    command = [sys.executable, "-m", "telemetry.reference", "spans"]
    assert subprocess.check_output(command, cwd=ROOT, text=True) == page("spans")
    assert subprocess.run([*command[:-1], "nothing"], cwd=ROOT, capture_output=True).returncode == 1


def test_every_stage_outcome_and_attribute_is_explained() -> None:
    assert set(STAGE_MEANINGS) == set(Stage)
    assert set(OUTCOME_MEANINGS) == set(Outcome)
    named = {
        value
        for name, value in vars(spans).items()
        if name.isupper() and isinstance(value, str) and "." in value
    }
    assert named <= set(spans.ATTRIBUTE_MEANINGS)


def calls_of_event() -> Iterator[tuple[Path, str]]:
    """File and literal beginning of every message given to `event`."""
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "event":
                message = node.args[2]
                parts = message.values if isinstance(message, ast.JoinedStr) else [message]
                if isinstance(parts[0], ast.Constant):
                    yield path, str(parts[0].value)


def test_every_message_is_in_the_table() -> None:
    prefixes = tuple(row.prefix for row in LOG_MESSAGES)
    missing = [
        f"{path.relative_to(ROOT)}: {message!r}"
        for path, message in calls_of_event()
        if not message.startswith(prefixes)
    ]
    assert not missing, "add a row to telemetry/messages.py and write docs/logs.md anew"


@pytest.mark.parametrize("row", LOG_MESSAGES, ids=lambda row: row.prefix)
def test_every_message_in_the_table_is_written_somewhere(row: object) -> None:
    prefix = str(getattr(row, "prefix", "")).removesuffix(": ").rstrip()
    assert any(prefix in path.read_text(encoding="utf-8") for path in SOURCES)
