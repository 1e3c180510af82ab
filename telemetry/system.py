"""The process and the machine it runs on, as figures."""

import asyncio
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psutil
from prometheus_client import GCCollector, ProcessCollector

from telemetry import metrics

MEGABYTE: Final = 1024 * 1024
GIGABYTE: Final = 1024**3
LAG_INTERVAL_SECONDS: Final = 0.1
CPU_INTERVAL_SECONDS: Final = 1

_MEMORY_LIMITS: Final = (
    Path("/sys/fs/cgroup/memory.max"),
    Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"),
)


def memory_limit() -> int:
    """Bytes the process may use: its container's limit if there is one, else the host's memory."""
    host = int(psutil.virtual_memory().total)
    for path in _MEMORY_LIMITS:
        try:
            limit = int(path.read_text().strip())
        except (OSError, ValueError):
            continue
        if 0 < limit < host:
            return limit
    return host


def count_files(folder: Path) -> int:
    """Regular files directly in a folder; 0 where there is none."""
    try:
        return sum(1 for entry in folder.iterdir() if entry.is_file())
    except OSError:
        return 0


def _existing(folder: Path) -> Path:
    folder = folder.absolute()
    return next(path for path in (folder, *folder.parents) if path.exists())


@dataclass(frozen=True, slots=True)
class SystemSnapshot:
    """The `system` part of the JSON metrics."""

    cpu_percent: float
    process_cpu_percent: float
    rss: int
    vms: int
    memory_limit: int
    disk_free: int
    disk_total: int
    disk_used: int
    output_files: int
    temp_files: int

    def as_json(self) -> dict[str, object]:
        return {
            "cpu_percent": self.cpu_percent,
            "process_cpu_percent": self.process_cpu_percent,
            "memory": {
                "rss_mb": round(self.rss / MEGABYTE, 1),
                "vms_mb": round(self.vms / MEGABYTE, 1),
                "percent": round(100 * self.rss / self.memory_limit, 1),
            },
            "disk": {
                "free_gb": round(self.disk_free / GIGABYTE, 1),
                "usage_percent": round(100 * self.disk_used / self.disk_total, 1),
            },
            "file_counts": {"outputs": self.output_files, "temp": self.temp_files},
        }


class System:
    """Reads the figures. Every method reads files of the kernel: call it off the event loop."""

    def __init__(self, output_dir: Path, temp_dir: Path) -> None:
        self._process = psutil.Process()
        self._output_dir = output_dir
        self._temp_dir = temp_dir
        self._cpu_percent = 0.0
        self._process_cpu_percent = 0.0
        self.sample_cpu()

    def sample_cpu(self) -> None:
        """Read how busy the processors were since the last call; the very first reading is always 0."""
        self._cpu_percent = psutil.cpu_percent()
        self._process_cpu_percent = self._process.cpu_percent()

    def snapshot(self) -> SystemSnapshot:
        memory = self._process.memory_info()
        disk = shutil.disk_usage(_existing(self._output_dir))
        return SystemSnapshot(
            cpu_percent=self._cpu_percent,
            process_cpu_percent=self._process_cpu_percent,
            rss=memory.rss,
            vms=memory.vms,
            memory_limit=memory_limit(),
            disk_free=disk.free,
            disk_total=disk.total,
            disk_used=disk.used,
            output_files=count_files(self._output_dir),
            temp_files=count_files(self._temp_dir),
        )

    def refresh_gauges(self) -> None:
        """Bring the gauges up to date; called before a scrape is rendered."""
        disk = shutil.disk_usage(_existing(self._output_dir))
        metrics.DISK_FREE.set(disk.free)
        metrics.DISK_SIZE.set(disk.total)
        metrics.MEMORY_LIMIT.set(memory_limit())
        metrics.THREADS.set(self._process.num_threads())


_COLLECTORS: Final = (
    ProcessCollector(registry=metrics.REGISTRY),
    GCCollector(registry=metrics.REGISTRY),
)


async def watch_event_loop() -> None:
    """Note how late the loop wakes up, ten times a second, until cancelled."""
    loop = asyncio.get_running_loop()
    while True:
        due = loop.time() + LAG_INTERVAL_SECONDS
        await asyncio.sleep(LAG_INTERVAL_SECONDS)
        metrics.LOOP_LAG.observe(max(loop.time() - due, 0.0))


async def watch_cpu(system: System) -> None:
    """Read the processors' load once a second, until cancelled: shorter spans of time tell nothing."""
    while True:
        await asyncio.sleep(CPU_INTERVAL_SECONDS)
        await asyncio.to_thread(system.sample_cpu)
