"""The figures behind the JSON health and metrics: a rolling window of durations, and counts since start."""

from collections import Counter
from dataclasses import dataclass, field
from threading import Lock
from time import monotonic

SLOTS = 360


@dataclass(slots=True)
class _Slot:
    index: int = -1
    count: int = 0
    total: float = 0.0
    least: float = 0.0
    most: float = 0.0


class RollingWindow:
    """Minimum, maximum, mean and count of durations over the last minutes, in fixed memory.

    The window moves in 360 steps, so what is reported covers between `minutes` and 1/360 less.
    """

    def __init__(self, minutes: float) -> None:
        self.minutes = minutes
        self._step = minutes * 60 / SLOTS
        self._slots = [_Slot() for _ in range(SLOTS)]
        self._lock = Lock()

    def add(self, seconds: float) -> None:
        index = int(monotonic() / self._step)
        with self._lock:
            slot = self._slots[index % SLOTS]
            if slot.index != index:
                slot.index, slot.count, slot.total, slot.least, slot.most = index, 0, 0.0, seconds, seconds
            slot.count += 1
            slot.total += seconds
            slot.least = min(slot.least, seconds)
            slot.most = max(slot.most, seconds)

    def statistics(self) -> dict[str, float | int | None]:
        """`min_ms`, `max_ms`, `avg_ms` (null where nothing happened) and `count`."""
        oldest = int(monotonic() / self._step) - SLOTS + 1
        with self._lock:
            live = [slot for slot in self._slots if slot.index >= oldest and slot.count]
            if not live:
                return {"min_ms": None, "max_ms": None, "avg_ms": None, "count": 0}
            count = sum(slot.count for slot in live)
            return {
                "min_ms": milliseconds(min(slot.least for slot in live)),
                "max_ms": milliseconds(max(slot.most for slot in live)),
                "avg_ms": milliseconds(sum(slot.total for slot in live) / count),
                "count": count,
            }


@dataclass(slots=True)
class RequestCounts:
    """Requests since start: how many, how they ended, where, and with which error."""

    total: int = 0
    success: int = 0
    by_endpoint: Counter[str] = field(default_factory=Counter)
    errors_by_code: Counter[str] = field(default_factory=Counter)
    _lock: Lock = field(default_factory=Lock)

    def add(self, endpoint: str, success: bool, error_code: str | None) -> None:
        with self._lock:
            self.total += 1
            self.by_endpoint[endpoint] += 1
            if success:
                self.success += 1
            else:
                self.errors_by_code[error_code or "unknown"] += 1

    def summary(self) -> dict[str, float | int]:
        """The counts and the two rates, which add up to 1; with no requests nothing has failed."""
        with self._lock:
            total, success = self.total, self.success
        rate = success / total if total else 1.0
        return {
            "requests_total": total,
            "requests_success": success,
            "requests_error": total - success,
            "success_rate": round(rate, 6),
            "error_rate": round(1 - rate, 6),
        }

    def breakdown(self) -> dict[str, dict[str, int]]:
        with self._lock:
            return {"by_endpoint": dict(self.by_endpoint), "errors_by_code": dict(self.errors_by_code)}


def milliseconds(seconds: float) -> float:
    """As logs and JSON print it: milliseconds to the microsecond."""
    return round(seconds * 1000, 3)
