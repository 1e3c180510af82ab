"""Logs: one JSON object a line, written by a thread of its own so that nobody waits for a disk."""

import json
import logging
import os
import queue
import stat
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime
from io import TextIOWrapper
from logging import FileHandler
from logging.handlers import QueueHandler, QueueListener, RotatingFileHandler, TimedRotatingFileHandler
from pathlib import Path
from typing import Final, TextIO

from opentelemetry import trace

from telemetry import metrics
from telemetry.redact import Redactor

logger = logging.getLogger(__name__)

REQUEST_ID: ContextVar[str | None] = ContextVar("request_id", default=None)

FILE_MODE: Final = 0o640
OWN_LOGGERS: Final = frozenset({"service", "telemetry"})
SERVER_LOGGER: Final = "uvicorn"
EXPORTER_LOGGERS: Final = "opentelemetry.exporter"
LIBRARY_LEVEL: Final = logging.WARNING


@dataclass(frozen=True, slots=True)
class LogSettings:
    """Where logs go. An empty path is console only; rotation is "size" or "daily"."""

    level: str = "INFO"
    file_path: str = ""
    file_max_size_mb: float = 10
    file_backup_count: int = 5
    rotation: str = "size"
    console: bool = True
    queue_size: int = 10_000


def event(
    logger: logging.Logger,
    level: int,
    message: str,
    *,
    operation: str | None = None,
    data: Mapping[str, object] | None = None,
    fields: Mapping[str, object] | None = None,
    span: trace.SpanContext | None = None,
    request_id: str | None = None,
    error: BaseException | None = None,
) -> None:
    """Log one event.

    Args:
        operation: the operation's name in logs, such as `tts_generation`.
        data: facts of the operation; stands under `data`.
        fields: facts that stand at the top of the line.
        span: the span it belongs to, where that is not the current one.
        request_id: likewise.
        error: an exception to describe.
    """
    if logger.isEnabledFor(level):
        extra = {
            "operation": operation,
            "data": data,
            "fields": fields,
            "span_context": span,
            "request_id": request_id,
        }
        logger.log(level, message, extra=extra, exc_info=error, stacklevel=2)


class JsonFormatter(logging.Formatter):
    """A record as one line of JSON with the monitoring guide's field names, compact enough for `grep`."""

    def __init__(self, redactor: Redactor) -> None:
        super().__init__()
        self._redactor = redactor

    def format(self, record: logging.LogRecord) -> str:
        line: str | None = getattr(record, "line_of_json", None)
        if line is None:  # console and file write the same line, so it is made once
            fields = log_fields(record, self._redactor)
            line = json.dumps(fields, ensure_ascii=False, separators=(",", ":"), default=str)
            record.line_of_json = line
        return line


def log_fields(record: logging.LogRecord, redactor: Redactor) -> dict[str, object]:
    """The fields of one line, in the order they are written."""
    line: dict[str, object] = {
        "timestamp": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="microseconds"),
        "level": record.levelname,
        "logger": record.name,
        "message": record.getMessage(),
        "module": record.module,
        "function": record.funcName,
        "line": record.lineno,
    }
    for name in ("request_id", "operation"):
        value = getattr(record, name, None)
        if value is not None:
            line[name] = value
    span: trace.SpanContext | None = getattr(record, "span_context", None)
    if span is not None and span.is_valid:
        line["trace_id"] = trace.format_trace_id(span.trace_id)
        line["span_id"] = trace.format_span_id(span.span_id)
        line["trace_flags"] = f"{span.trace_flags:02x}"
    line.update(getattr(record, "fields", None) or {})
    data = getattr(record, "data", None)
    if data:
        line["data"] = data
    if record.exc_info and record.exc_info[0] is not None:
        line["exception"] = redactor.exception(*record.exc_info)
    return line


class ContextQueueHandler(QueueHandler):
    """Puts records on a bounded queue with what only the caller's thread knows: its request and span."""

    def prepare(self, record: logging.LogRecord) -> logging.LogRecord:
        if _speaks_freely(record):
            record.msg = record.getMessage()
        else:
            # A library's arguments can hold spoken text, and so can the lines below the first: asyncio
            # puts the exceptions of lost tasks there. The template cannot.
            record.msg = str(record.msg).partition("\n")[0]
        record.args = None
        if getattr(record, "request_id", None) is None:
            record.request_id = REQUEST_ID.get()
        if getattr(record, "span_context", None) is None:
            record.span_context = trace.get_current_span().get_span_context()
        return record

    def enqueue(self, record: logging.LogRecord) -> None:
        try:
            self.queue.put_nowait(record)
        except queue.Full:
            metrics.DROPPED.labels("logs", "queue_full").inc()
        else:
            metrics.LOG_RECORDS.labels(record.levelname).inc()


def _room(record: logging.LogRecord) -> str:
    return record.name.partition(".")[0]


def _speaks_freely(record: logging.LogRecord) -> bool:
    """Whether a record's arguments are known to hold nothing private."""
    return _room(record) in {*OWN_LOGGERS, SERVER_LOGGER} or record.name.startswith(EXPORTER_LOGGERS)


def _relevant(record: logging.LogRecord) -> bool:
    if _room(record) == SERVER_LOGGER:
        # Uvicorn's lines about WebSockets hold the query, and at DEBUG every header and message.
        return record.levelno >= logging.INFO and "WebSocket" not in str(record.msg)
    return record.levelno >= LIBRARY_LEVEL or _room(record) in OWN_LOGGERS


class DrainingListener(QueueListener):
    """The standard one, which gave up where the queue was full at the end, and died of a broken handler."""

    def enqueue_sentinel(self) -> None:
        self.queue.put(self._sentinel)  # type: ignore[attr-defined]  # private; the base puts it without waiting

    def handle(self, record: logging.LogRecord) -> None:
        try:
            super().handle(record)
        except Exception:
            metrics.DROPPED.labels("logs", "write_failed").inc()


class _PrivateFile(FileHandler):
    """A log file that others cannot read, whose failures are counted and never break a request."""

    _rotation_failed = False

    def _open(self) -> TextIOWrapper:
        descriptor = os.open(self.baseFilename, os.O_WRONLY | os.O_APPEND | os.O_CREAT, FILE_MODE)
        if stat.S_ISREG(os.fstat(descriptor).st_mode):  # not /dev/stdout
            os.fchmod(descriptor, FILE_MODE)
        return os.fdopen(descriptor, "a", encoding="utf-8", errors="backslashreplace")

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802  # the standard library's name
        metrics.DROPPED.labels("logs", "write_failed").inc()

    @contextmanager
    def _still_open(self) -> Iterator[None]:
        """Go on in the same file where rotation fails: a long file is better than a lost line."""
        try:
            yield
        except OSError as error:
            self.stream = self._open()
            if not self._rotation_failed:
                self._rotation_failed = True
                logger.warning("Log file cannot be rotated: %s", error.strerror)
        else:
            self._rotation_failed = False


class SizeRotatedFile(_PrivateFile, RotatingFileHandler):
    def doRollover(self) -> None:  # noqa: N802  # the standard library's name
        with self._still_open():
            super().doRollover()


class DailyRotatedFile(_PrivateFile, TimedRotatingFileHandler):
    def doRollover(self) -> None:  # noqa: N802  # the standard library's name
        with self._still_open():
            super().doRollover()


class ConsoleHandler(logging.StreamHandler[TextIO]):
    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802  # the standard library's name
        metrics.DROPPED.labels("logs", "write_failed").inc()


def _file_handler(settings: LogSettings) -> logging.Handler:
    path = Path(settings.file_path)
    path.parent.mkdir(parents=True, exist_ok=True)
    if settings.rotation == "daily":
        return DailyRotatedFile(path, when="midnight", utc=True, backupCount=settings.file_backup_count)
    size = int(settings.file_max_size_mb * 1024 * 1024)
    return SizeRotatedFile(path, maxBytes=size, backupCount=settings.file_backup_count)


class LogPipeline:
    """The handlers, their queue and their thread. `stop()` writes what is queued and closes everything."""

    def __init__(
        self, settings: LogSettings, redactor: Redactor, extra_handlers: Sequence[logging.Handler] = ()
    ) -> None:
        handlers: list[logging.Handler] = list(extra_handlers)
        problem: OSError | None = None
        if settings.file_path:
            try:
                handlers.append(_file_handler(settings))
            except OSError as error:
                problem = error
        if settings.console or problem is not None:
            handlers.append(ConsoleHandler(sys.stdout))
        formatter = JsonFormatter(redactor)
        for handler in handlers:
            handler.setFormatter(formatter)
        self._handlers = handlers
        records: queue.Queue[logging.LogRecord] = queue.Queue(settings.queue_size)
        self._entry = ContextQueueHandler(records)
        self._entry.addFilter(_relevant)
        self._listener = DrainingListener(records, *handlers)
        self._listener.start()
        root = logging.getLogger()
        root.addHandler(self._entry)
        root.setLevel(settings.level)
        logging.captureWarnings(True)
        if problem is not None:
            event(
                logger,
                logging.WARNING,
                f"Log file cannot be written, logging to the console only: {problem.strerror}",
                fields={"log_file_path": settings.file_path},
            )

    def stop(self) -> None:
        logging.getLogger().removeHandler(self._entry)
        self._listener.stop()
        for handler in self._handlers:
            with suppress(OSError):  # a full disk, which has been counted
                handler.close()
