import asyncio
import json
import logging
import os
import stat
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path
from threading import Event, Thread
from time import time

import pytest
from opentelemetry import trace
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags

from telemetry.logs import REQUEST_ID, LogPipeline, LogSettings, event
from telemetry.messages import FIELD_MEANINGS
from telemetry.metrics import REGISTRY
from telemetry.redact import Redactor

logger = logging.getLogger("service.tests")

DAY = 24 * 3600

StartPipeline = Callable[..., LogPipeline]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[StartPipeline]:
    """Start a pipeline that writes to `app.log`; a test may stop it itself."""
    root = logging.getLogger()
    level = root.level
    running: list[LogPipeline] = []

    def pipeline(handlers: tuple[logging.Handler, ...] = (), **settings: object) -> LogPipeline:
        options = {"file_path": str(tmp_path / "app.log"), "console": False, **settings}
        running.append(LogPipeline(LogSettings(**options), Redactor(), handlers))  # type: ignore[arg-type]
        return running[-1]

    yield pipeline
    for each in running:
        if each._entry in root.handlers:
            each.stop()
    root.setLevel(level)
    logging.captureWarnings(False)


def lines(*files: Path) -> list[dict[str, object]]:
    return [
        json.loads(line) for file in files for line in file.read_text(encoding="utf-8").split("\n") if line
    ]


def dropped(reason: str) -> float:
    return REGISTRY.get_sample_value("telemetry_dropped_total", {"signal": "logs", "reason": reason}) or 0


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_line_has_the_guides_fields_and_no_blanks(start: StartPipeline, tmp_path: Path) -> None:
    pipeline = start()
    span = SpanContext(0xABC, 0xDEF, is_remote=False, trace_flags=TraceFlags(1))
    event(
        logger,
        logging.ERROR,
        "Completed operation: tts_generation",
        operation="tts_generation",
        data={"duration_ms": 2847.5},
        fields={"duration_ms": 2847.5},
        span=span,
        request_id="req_123",
    )
    pipeline.stop()

    text = (tmp_path / "app.log").read_text(encoding="utf-8")
    for searched in ('"level":"ERROR"', '"request_id":"req_123"', '"operation":"tts_generation"'):
        assert searched in text
    (line,) = lines(tmp_path / "app.log")
    assert list(line) == [
        "timestamp",
        "level",
        "logger",
        "message",
        "module",
        "function",
        "line",
        "request_id",
        "operation",
        "trace_id",
        "span_id",
        "trace_flags",
        "duration_ms",
        "data",
    ]
    assert line["trace_id"] == f"{0xABC:032x}"
    assert line["span_id"] == f"{0xDEF:016x}"
    assert line["trace_flags"] == "01"
    assert (line["module"], line["function"]) == (
        "test_logs",
        "test_a_line_has_the_guides_fields_and_no_blanks",
    )
    assert str(line["timestamp"]).endswith("+00:00")
    assert set(line) <= set(FIELD_MEANINGS)


def test_a_line_knows_its_request_and_span_by_itself(start: StartPipeline, tmp_path: Path) -> None:
    pipeline = start()
    token = REQUEST_ID.set("req_7")
    span = NonRecordingSpan(SpanContext(1, 2, is_remote=False))
    with trace.use_span(span):
        logger.warning("plain %s", "logging")
    REQUEST_ID.reset(token)
    pipeline.stop()
    (line,) = lines(tmp_path / "app.log")
    assert line["message"] == "plain logging"
    assert (line["request_id"], line["span_id"]) == ("req_7", "0000000000000002")


def test_the_level_decides(start: StartPipeline, tmp_path: Path) -> None:
    pipeline = start(level="WARNING")
    event(logger, logging.INFO, "quiet")
    event(logger, logging.WARNING, "loud")
    pipeline.stop()
    assert [line["message"] for line in lines(tmp_path / "app.log")] == ["loud"]


def test_a_text_of_any_kind_is_one_line_and_comes_back_whole(start: StartPipeline, tmp_path: Path) -> None:
    nasty = 'new\nline "quote" \\ \x00 \x1b[31m ü 語 \u2028 \ud800'
    pipeline = start()
    event(logger, logging.INFO, nasty)
    pipeline.stop()
    raw = (tmp_path / "app.log").read_bytes()
    assert raw.count(b"\n") == 1
    assert json.loads(raw)["message"] == nasty


def test_concurrent_writers_lose_and_break_nothing_over_rollovers(
    start: StartPipeline, tmp_path: Path
) -> None:
    writers, each = 8, 250
    lost = dropped("queue_full"), dropped("write_failed")
    pipeline = start(file_max_size_mb=0.05, file_backup_count=100)

    def write(writer: int) -> None:
        for number in range(each):
            event(logger, logging.INFO, "line", data={"writer": writer, "number": number, "fill": "x" * 50})

    threads = [Thread(target=write, args=(writer,)) for writer in range(writers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    pipeline.stop()

    files = sorted(tmp_path.glob("app.log*"), key=lambda path: -int(path.suffix[1:].replace("log", "0")))
    assert len(files) > 5
    found = [line["data"] for line in lines(*files)]
    assert len(found) == writers * each
    for writer in range(writers):  # in order, oldest file first
        assert [data["number"] for data in found if data["writer"] == writer] == list(range(each))  # type: ignore[index, call-overload]
    assert {mode(path) for path in files} == {0o640}
    assert all(path.stat().st_size <= 0.05 * 1024 * 1024 for path in files)
    assert (dropped("queue_full"), dropped("write_failed")) == lost


def test_only_so_many_rotated_files_are_kept(start: StartPipeline, tmp_path: Path) -> None:
    pipeline = start(file_max_size_mb=0.002, file_backup_count=2)
    for _ in range(100):
        event(logger, logging.INFO, "line")
    pipeline.stop()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["app.log", "app.log.1", "app.log.2"]


def test_daily_rotation_starts_a_file_a_day_and_keeps_so_many(start: StartPipeline, tmp_path: Path) -> None:
    log = tmp_path / "app.log"
    log.write_text('{"message":"yesterday"}\n', encoding="utf-8")
    os.utime(log, (time() - DAY, time() - DAY))
    for day in ("2020-01-01", "2020-01-02", "2020-01-03"):
        (tmp_path / f"app.log.{day}").write_text("", encoding="utf-8")

    pipeline = start(rotation="daily", file_backup_count=2)
    event(logger, logging.INFO, "today")
    pipeline.stop()

    assert [line["message"] for line in lines(log)] == ["today"]
    assert mode(log) == 0o640
    rotated = sorted(tmp_path.glob("app.log.*"))
    assert rotated[0].name == "app.log.2020-01-03"
    assert [line["message"] for line in lines(*rotated)] == ["yesterday"]
    assert len(rotated) == 2


def test_where_rotation_fails_the_file_goes_on(start: StartPipeline, tmp_path: Path) -> None:
    (tmp_path / "app.log.1").mkdir()
    pipeline = start(file_max_size_mb=0.002, file_backup_count=1)
    for number in range(50):
        event(logger, logging.INFO, "line", data={"number": number})
    pipeline.stop()
    found = [line for line in lines(tmp_path / "app.log") if line["message"] == "line"]
    assert [line["data"] for line in found] == [{"number": number} for number in range(50)]


def test_a_file_that_others_could_read_is_closed_to_them(start: StartPipeline, tmp_path: Path) -> None:
    log = tmp_path / "app.log"
    log.touch()
    log.chmod(0o666)
    start().stop()
    assert mode(log) == 0o640


def test_a_device_keeps_its_mode(start: StartPipeline) -> None:
    master, terminal = os.openpty()
    path = Path(os.ttyname(terminal))
    path.chmod(0o622)
    start(file_path=str(path)).stop()
    assert mode(path) == 0o622
    os.close(master)
    os.close(terminal)


def test_an_empty_path_is_console_only(
    start: StartPipeline, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pipeline = start(file_path="", console=True)
    event(logger, logging.INFO, "hello")
    pipeline.stop()
    assert json.loads(capsys.readouterr().out)["message"] == "hello"
    assert list(tmp_path.iterdir()) == []


def test_a_path_that_cannot_be_written_is_a_warning_on_the_console(
    start: StartPipeline, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    pipeline = start(file_path=str(tmp_path / "file" / "app.log"), console=False)
    event(logger, logging.INFO, "the show goes on")
    pipeline.stop()
    warning, line = map(json.loads, capsys.readouterr().out.splitlines())
    assert warning["level"] == "WARNING"
    assert warning["message"].startswith("Log file cannot be written")
    assert line["message"] == "the show goes on"


class StuckHandler(logging.Handler):
    """A disk that hangs until it is released."""

    def __init__(self) -> None:
        super().__init__()
        self.entered, self.released = Event(), Event()
        self.messages: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.entered.set()
        assert self.released.wait(10)
        self.messages.append(record.getMessage())


def test_a_full_queue_drops_counts_and_holds_up_nobody(start: StartPipeline) -> None:
    disk = StuckHandler()
    pipeline = start((disk,), queue_size=2)
    before = dropped("queue_full")
    event(logger, logging.INFO, "on its way")
    assert disk.entered.wait(10)
    for number in range(5):
        event(logger, logging.INFO, f"line {number}")
    assert dropped("queue_full") - before == 3

    with ThreadPoolExecutor(1) as executor:
        stopping = executor.submit(pipeline.stop)
        assert not wait([stopping], timeout=0.05).done  # the queue is still full
        disk.released.set()
        stopping.result(10)
    assert disk.messages == ["on its way", "line 0", "line 1"]


def test_stopping_writes_everything_queued(start: StartPipeline, tmp_path: Path) -> None:
    disk = StuckHandler()
    pipeline = start((disk,))
    for number in range(500):
        event(logger, logging.INFO, f"line {number}")
    disk.released.set()
    pipeline.stop()
    assert [line["message"] for line in lines(tmp_path / "app.log")] == [f"line {n}" for n in range(500)]


class BrokenHandler(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        raise RuntimeError


def test_a_broken_handler_is_counted_and_does_not_end_the_log(start: StartPipeline) -> None:
    before = dropped("write_failed")
    pipeline = start((BrokenHandler(),))
    for _ in range(3):
        event(logger, logging.INFO, "line")
    pipeline.stop()
    assert dropped("write_failed") - before == 3


def test_a_line_that_cannot_be_written_is_counted(start: StartPipeline) -> None:
    before = dropped("write_failed")
    pipeline = start(file_path="/dev/full")
    event(logger, logging.INFO, "line")
    pipeline.stop()
    assert dropped("write_failed") - before == 1


def fail_in_a_task() -> None:
    """What asyncio says of an exception that nobody fetched has the exception in its text."""

    async def fail() -> None:
        raise ValueError("CANARY")

    async def run() -> None:
        task = asyncio.ensure_future(fail())
        await asyncio.wait([task])

    asyncio.run(run())


def log_an_exception() -> None:
    try:
        int("CANARY")
    except ValueError:
        logging.getLogger("some.library").exception("It broke on %s", "CANARY")


@pytest.mark.parametrize(
    ("cause", "message"),
    [
        (fail_in_a_task, "Task exception was never retrieved"),
        (log_an_exception, "It broke on %s"),
    ],
)
def test_a_librarys_line_is_its_template(
    start: StartPipeline, tmp_path: Path, cause: Callable[[], None], message: str
) -> None:
    pipeline = start()
    cause()
    pipeline.stop()
    (line,) = lines(tmp_path / "app.log")
    assert line["message"] == message
    exception = line["exception"]
    assert isinstance(exception, dict)
    assert exception["type"] == "ValueError"
    assert "CANARY" not in json.dumps(line)


def test_libraries_are_quiet_below_warning_and_uvicorn_below_info(
    start: StartPipeline, tmp_path: Path
) -> None:
    pipeline = start(level="DEBUG")
    for name in ("service.x", "telemetry.x", "uvicorn.error", "some.library"):
        for level in (logging.DEBUG, logging.INFO, logging.WARNING):
            logging.getLogger(name).log(level, name)
    pipeline.stop()
    found = [(line["logger"], line["level"]) for line in lines(tmp_path / "app.log")]
    assert found == [
        ("service.x", "DEBUG"),
        ("service.x", "INFO"),
        ("service.x", "WARNING"),
        ("telemetry.x", "DEBUG"),
        ("telemetry.x", "INFO"),
        ("telemetry.x", "WARNING"),
        ("uvicorn.error", "INFO"),
        ("uvicorn.error", "WARNING"),
        ("some.library", "WARNING"),
    ]


def test_uvicorns_lines_about_websockets_are_left_out(start: StartPipeline, tmp_path: Path) -> None:
    pipeline = start()
    uvicorn = logging.getLogger("uvicorn.error")
    uvicorn.info('%s - "WebSocket %s" 403', "203.0.113.77:1", "/ws?key=CANARY")
    uvicorn.info("Finished server process [%d]", 7)
    pipeline.stop()
    assert [line["message"] for line in lines(tmp_path / "app.log")] == ["Finished server process [7]"]


def test_why_export_failed_is_told(start: StartPipeline, tmp_path: Path) -> None:
    pipeline = start()
    exporter = logging.getLogger("opentelemetry.exporter.otlp.proto.grpc.exporter")
    exporter.error("Failed to export %s to %s, error code: %s", "traces", "collector:4317", "UNAVAILABLE")
    pipeline.stop()
    (line,) = lines(tmp_path / "app.log")
    assert line["message"] == "Failed to export traces to collector:4317, error code: UNAVAILABLE"
