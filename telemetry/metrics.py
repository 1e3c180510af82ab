"""The metric registry: every metric the service emits, what it is for, and its labels' closed values.

The code, `docs/metrics.md`, dashboards, rules and tests all read this one table.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import Final

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    Info,
    disable_created_metrics,
)

from telemetry.spans import Operation, Outcome, Stage

disable_created_metrics()  # type: ignore[no-untyped-call]  # the library has no hint on it

REGISTRY: Final = CollectorRegistry()

OTHER: Final = "other"
"""What a label says instead of a value outside its closed set."""

METHODS: Final = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "WEBSOCKET", OTHER)

DURATION_BUCKETS: Final = (0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1, 1.5, 2.5, 5, 10, 20, 30, 60, 120, 300, 600)
STAGE_BUCKETS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60, 300, 600)
HTTP_BUCKETS: Final = (0.005, 0.01, 0.025, *DURATION_BUCKETS)
FIRST_AUDIO_BUCKETS: Final = (0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.5, 0.75, 1, 2, 3, 5, 10, 30)
REAL_TIME_BUCKETS: Final = (0.02, 0.03, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 1, 1.25, 1.5, 2, 5, 10)
UNDERRUN_BUCKETS: Final = (0, 0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
LAG_BUCKETS: Final = (0.001, 0.0025, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 5)

_OPERATIONS = tuple(item.value for item in Operation)
_OUTCOMES = tuple(item.value for item in Outcome)
_STAGES = tuple(item.label for item in Stage)
CONFIGURED: Final = ("<configured>",)
"""A closed set that the settings make: engines, models, listed voices."""


@dataclass(frozen=True, slots=True)
class Family:
    """One metric, for the documentation and for the tests that hold everything else against it."""

    name: str
    kind: str
    purpose: str
    unit: str
    query: str
    labels: Mapping[str, Sequence[str]] = field(default_factory=dict)


CATALOGUE: Final[list[Family]] = []


def _family(
    kind: str, name: str, purpose: str, unit: str, query: str, labels: Mapping[str, Sequence[str]] | None
) -> list[str]:
    CATALOGUE.append(Family(name, kind, purpose, unit, query, labels or {}))
    return list(labels or {})


def _counter(
    name: str, purpose: str, unit: str, query: str, labels: Mapping[str, Sequence[str]] | None = None
) -> Counter:
    counter = Counter(
        name, purpose, _family("counter", name, purpose, unit, query, labels), registry=REGISTRY
    )
    if labels and not any(value.startswith("<") for values in labels.values() for value in values):
        # There from the start: a series that begins with its first event has no increase to be seen.
        for values in product(*labels.values()):
            counter.labels(*values)
    return counter


def _gauge(
    name: str, purpose: str, unit: str, query: str, labels: Mapping[str, Sequence[str]] | None = None
) -> Gauge:
    return Gauge(name, purpose, _family("gauge", name, purpose, unit, query, labels), registry=REGISTRY)


def _histogram(
    name: str,
    purpose: str,
    unit: str,
    query: str,
    buckets: Sequence[float],
    labels: Mapping[str, Sequence[str]] | None = None,
) -> Histogram:
    names = _family("histogram", name, purpose, unit, query, labels)
    return Histogram(name, purpose, names, registry=REGISTRY, buckets=buckets)


_OPERATION_ENGINE: Final = {"operation": _OPERATIONS, "engine": CONFIGURED}

HTTP_DURATION = _histogram(
    "http_server_request_duration_seconds",
    "Requests, from arrival to the last byte handed on. Probes, metrics, health and docs are left out.",
    "seconds",
    "sum by (route, outcome) (rate(http_server_request_duration_seconds_count[5m]))",
    HTTP_BUCKETS,
    {"method": METHODS, "route": CONFIGURED, "status": ("<status code>",), "outcome": _OUTCOMES},
)
HTTP_ACTIVE = _gauge(
    "http_server_active_requests",
    "Requests being answered now.",
    "requests",
    "max_over_time(http_server_active_requests[5m])",
)
HTTP_RESPONSE_BYTES = _counter(
    "http_server_response_body_bytes_total",
    "Bytes of response bodies handed to the server.",
    "bytes",
    "sum by (route) (rate(http_server_response_body_bytes_total[5m]))",
    {"method": METHODS, "route": CONFIGURED},
)
OPERATION_DURATION = _histogram(
    "speech_request_duration_seconds",
    "Busy time of operations: their length without waiting for the peer.",
    "seconds",
    "histogram_quantile(0.95, sum by (le, operation) (rate(speech_request_duration_seconds_bucket[5m])))",
    DURATION_BUCKETS,
    {**_OPERATION_ENGINE, "outcome": _OUTCOMES},
)
OPERATIONS_ACTIVE = _gauge(
    "speech_requests_active",
    "Operations on their way now.",
    "operations",
    "sum by (engine) (speech_requests_active)",
    _OPERATION_ENGINE,
)
STAGE_DURATION = _histogram(
    "speech_stage_duration_seconds",
    "Busy time of each stage of an operation.",
    "seconds",
    "sum by (stage) (rate(speech_stage_duration_seconds_sum[5m]))",
    STAGE_BUCKETS,
    {**_OPERATION_ENGINE, "stage": _STAGES},
)
FIRST_AUDIO = _histogram(
    "speech_time_to_first_audio_seconds",
    "From the request's arrival to its first audio byte.",
    "seconds",
    "histogram_quantile(0.95, sum by (le, mode) (rate(speech_time_to_first_audio_seconds_bucket[5m])))",
    FIRST_AUDIO_BUCKETS,
    {**_OPERATION_ENGINE, "mode": ("stream", "whole")},
)
REAL_TIME = _histogram(
    "speech_real_time_factor",
    "Busy time over audio time; above 1 a listener waits.",
    "ratio",
    "histogram_quantile(0.95, sum by (le, engine) (rate(speech_real_time_factor_bucket[5m])))",
    REAL_TIME_BUCKETS,
    _OPERATION_ENGINE,
)
UNDERRUN = _histogram(
    "speech_playback_underrun_seconds",
    "The longest that a player which starts at the first byte of a stream would have had to wait.",
    "seconds",
    '1 - sum(rate(speech_playback_underrun_seconds_bucket{le="0.1"}[5m]))'
    " / sum(rate(speech_playback_underrun_seconds_count[5m]))",
    UNDERRUN_BUCKETS,
    _OPERATION_ENGINE,
)
AUDIO_SECONDS = _counter(
    "speech_audio_seconds_total",
    "Seconds of audio made. Voices that telemetry.voice_labels does not list are `other`.",
    "seconds",
    "sum by (engine) (rate(speech_audio_seconds_total[5m]))",
    {**_OPERATION_ENGINE, "voice": CONFIGURED},
)
CHARACTERS = _counter(
    "speech_characters_total",
    "Characters of text taken in by operations that made audio.",
    "characters",
    "sum by (engine) (rate(speech_characters_total[5m]))",
    _OPERATION_ENGINE,
)
QUEUE_DEPTH = _gauge(
    "speech_queue_depth",
    "Pieces of work waiting for a turn on an engine.",
    "pieces",
    "max_over_time(speech_queue_depth[5m])",
)
QUEUE_RUNNING = _gauge(
    "speech_queue_running",
    "Pieces of work on an engine now.",
    "pieces",
    "avg_over_time(speech_queue_running[5m])",
)
REJECTED = _counter(
    "speech_rejected_total",
    "Requests refused before any work.",
    "requests",
    "sum by (reason) (rate(speech_rejected_total[5m]))",
    {"reason": ("overloaded", "engine_loading", "draining")},
)
ENGINE_STATE = _gauge(
    "speech_engine_state",
    "One for the state that the model is in, zero for the others.",
    "boolean",
    'speech_engine_state{state="failed"} == 1',
    {"model": CONFIGURED, "state": ("unloaded", "loading", "ready", "failed")},
)
ENGINE_LOADS = _counter(
    "speech_engine_loads_total",
    "Times a model was loaded, by result.",
    "loads",
    'increase(speech_engine_loads_total{result="failed"}[1h])',
    {"model": CONFIGURED, "result": ("ok", "failed")},
)
MEMORY_LIMIT = _gauge(
    "process_memory_limit_bytes",
    "What memory.percent is a share of: the container's limit if there is one, else the host's memory.",
    "bytes",
    "process_resident_memory_bytes / process_memory_limit_bytes",
)
THREADS = _gauge("process_threads", "Threads of the process.", "threads", "process_threads")
DISK_FREE = _gauge(
    "process_output_disk_free_bytes",
    "Free space on the file system of paths.output_dir.",
    "bytes",
    "predict_linear(process_output_disk_free_bytes[6h], 86400) < 0",
)
DISK_SIZE = _gauge(
    "process_output_disk_size_bytes",
    "Size of the file system of paths.output_dir.",
    "bytes",
    "1 - process_output_disk_free_bytes / process_output_disk_size_bytes",
)
LOG_RECORDS = _counter(
    "telemetry_log_records_total",
    "Log records written, by level.",
    "records",
    "sum by (level) (rate(telemetry_log_records_total[5m]))",
    {"level": ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")},
)
DROPPED = _counter(
    "telemetry_dropped_total",
    "Telemetry that could not be kept or sent, by signal and reason.",
    "items",
    "sum by (signal, reason) (rate(telemetry_dropped_total[5m]))",
    {"signal": ("traces", "logs"), "reason": ("queue_full", "export_failed", "write_failed")},
)
EXPORTED = _counter(
    "telemetry_exported_total",
    "Spans and log records that the collector took.",
    "items",
    "sum by (signal) (rate(telemetry_exported_total[5m]))",
    {"signal": ("traces", "logs")},
)
LOOP_LAG = _histogram(
    "process_event_loop_lag_seconds",
    "How late the event loop wakes up: time that every request waits for nothing.",
    "seconds",
    "histogram_quantile(0.99, rate(process_event_loop_lag_seconds_bucket[5m]))",
    LAG_BUCKETS,
)
BUILD = Info("service_build", "Version of the service and what it runs on.", registry=REGISTRY)
_family(
    "info",
    "service_build_info",
    "Version of the service and what it runs on.",
    "none",
    "service_build_info",
    {"version": ("<version>",), "python": ("<version>",)},
)

_GENERATION: Final = {"generation": ("0", "1", "2")}
_COLLECTED: Final = (
    Family(
        "process_virtual_memory_bytes",
        "gauge",
        "Virtual memory of the process.",
        "bytes",
        "process_virtual_memory_bytes",
    ),
    Family(
        "process_resident_memory_bytes",
        "gauge",
        "Memory that the process holds.",
        "bytes",
        "process_resident_memory_bytes / process_memory_limit_bytes > 0.8",
    ),
    Family(
        "process_start_time_seconds",
        "gauge",
        "When the process started, in seconds since the epoch.",
        "seconds",
        "time() - process_start_time_seconds",
    ),
    Family(
        "process_cpu_seconds_total",
        "counter",
        "CPU time of the process.",
        "seconds",
        "rate(process_cpu_seconds_total[5m])",
    ),
    Family(
        "process_open_fds",
        "gauge",
        "Open file descriptors.",
        "descriptors",
        "process_open_fds / process_max_fds",
    ),
    Family("process_max_fds", "gauge", "File descriptors it may open.", "descriptors", "process_max_fds"),
    Family(
        "python_gc_objects_collected_total",
        "counter",
        "Objects that the garbage collector freed.",
        "objects",
        "sum(rate(python_gc_objects_collected_total[5m]))",
        _GENERATION,
    ),
    Family(
        "python_gc_objects_uncollectable_total",
        "counter",
        "Objects that the garbage collector could not free.",
        "objects",
        "sum(increase(python_gc_objects_uncollectable_total[1h])) > 0",
        _GENERATION,
    ),
    Family(
        "python_gc_collections_total",
        "counter",
        "Runs of the garbage collector.",
        "runs",
        "sum by (generation) (rate(python_gc_collections_total[5m]))",
        _GENERATION,
    ),
)
"""What prometheus-client's own collectors emit; `telemetry/system.py` registers them."""

CATALOGUE.extend(_COLLECTED)
