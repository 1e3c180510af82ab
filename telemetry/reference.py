"""The reference of metrics, spans and logs, made from the vocabularies.

`python -m telemetry.reference metrics > docs/metrics.md` writes one anew; `spans` and `logs` likewise.
"""

import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final

from telemetry.messages import FIELD_MEANINGS, LEVEL_MEANINGS, LOG_MESSAGES
from telemetry.metrics import CATALOGUE, Family
from telemetry.spans import (
    ATTRIBUTE_MEANINGS,
    LOG_OPERATIONS,
    OUTCOME_MEANINGS,
    STAGE_MEANINGS,
    Operation,
)

GENERATED: Final = (
    "Generated from the code by `python -m telemetry.reference {0} > docs/{0}.md`; don't edit it."
)

METRICS_INTRODUCTION: Final = """\
`GET /metrics` has them in the Prometheus text format, or in OpenMetrics with exemplars where `Accept` asks
for that. An exemplar's `trace_id` is that of a trace that was exported. Histograms of durations show busy
time: what a stage or operation worked, without the waits in between; where nothing is streamed that is its
length. Every figure comes from the span of the same work (see [spans.md](spans.md)), sampled or not.

Units are base units. A label has values from a closed set, listed here; whatever a caller makes up is
`other`. `<configured>` stands for what the settings name (models, engines, listed voices) and the routes of
the API. Probes, metrics, health and docs are not counted.

## How a metric is retired

1. A successor is added first, where there is one, in the same minor version as the next step.
2. The help text of the old one begins with `DEPRECATED (since 1.4, use x):`; so does its purpose here, and
   the changelog says it. It is emitted as before, with the same labels, for two minor versions.
3. Dashboards, rules and runbooks of this repository move to the successor in the same change.
4. Then it goes, with its row and a line in the changelog. Its name is never used again for something else.

Renaming a metric, a label or a label's value, or changing a unit, is a retirement. New labels and new values
of a closed set are not, but stand in the changelog; nor are new buckets.
"""

SPANS_INTRODUCTION: Final = """\
A span is the only clock: log lines, histograms, the JSON figures and `Server-Timing` are made from spans when
they end, so for one request they all show the same number.

A request is a tree of three levels: the server span (`POST /api/v1/tts`), in it the operation
(`text_to_speech piper`), in that one span for each stage that had work to do. The number of spans does not
grow with the length of the answer: a stage whose work comes in turns has one span, from its first start to
its last end, and `speech.busy_seconds` is the time worked in between.

`traceparent` of a caller is honoured and `traceresponse` goes back. Messages of exceptions are never kept,
nor is a query. What is private stands in [logs.md](logs.md).
"""

LOGS_INTRODUCTION: Final = """\
One JSON object a line, with no blanks between, so that `grep '"level":"ERROR"'` finds what it says. The lines
of uvicorn and of libraries have the same shape. A library's line (but uvicorn's and the OTLP exporters') is
the first of its message, without what was filled in, since that could be anything.

`CHATTERBOX_LOG_LEVEL` and `CHATTERBOX_LOG_FILE` are short for `server.log_level` and `server.log_file_path`;
see [settings.md](settings.md).
"""

LEVELS_NOTE: Final = """\
`Request failed` is an ERROR for every 4xx and 5xx, so that the search for errors finds what the JSON metrics
count as `requests_error`. The one exception is a caller who left (499): barging in is normal in a dialog.
Whose fault it was stands in `outcome`. Nothing should wake anybody up by log level: metrics are for that.

```bash
grep '"level":"ERROR"' logs/chatterbox_extended.log | jq 'select(.outcome != "invalid")'
```
"""

PRIVACY: Final = """\
## What is private

Spoken text, transcripts, audio, names of voices and models that a caller asks for, parameters and values that
do not exist, the query, headers and bodies are in no log line, span, metric or exemplar. In a log line,
`[50 chars, 3f9a..]` stands for a text: its length and the start of a keyed hash. The key is drawn at each
start, so equal texts look equal within one run, and nothing can be looked up in a table.

These come from a caller and are kept:

| what | where | bound |
| --- | --- | --- |
| `X-Request-ID` | logs, spans | letters, digits and `._:-`, at most 128; else one is made |
| `User-Agent` | logs, spans | 200 characters |
| address | logs, spans | `logging.client_address`: whole, truncated to /24 or /48, or off |
| URL without its query | logs; its path in spans | 200 characters of host and path each |
| `traceparent`, `tracestate` | spans, log lines' ids | as W3C Trace Context bounds them |
| HTTP method, lengths, numbers, switches | logs, spans | the API's own limits |
| models, voices and formats that exist | logs, spans, metrics | the settings |

What could steer a terminal is replaced by `?` in all of them.

`logging.capture_content: true` shows the first 50 characters of texts in `Request body received`,
`Starting TTS generation for text:` and `Using reference audio:`, and of messages of unexpected exceptions.
Spans and metrics stay as they are. It is for debugging: whoever reads the logs reads what people say.
"""

ROTATION: Final = """\
## Files

Logs are written by a thread of their own, from a queue of `logging.queue_size` lines. Where that is full, or
the disk is, lines are dropped and counted in `telemetry_dropped_total{signal="logs"}`; requests go on. At the
end everything queued is written.

| setting | what |
| --- | --- |
| `server.log_file_path` | the file; `""` is for the console only; if it cannot be written: a warning there |
| `server.log_rotation` | `size`, or `daily` at midnight UTC |
| `server.log_file_max_size_mb` | size at which `.log` becomes `.log.1`, `.log.1` becomes `.log.2` ...; 10 |
| `server.log_file_backup_count` | rotated files that are kept; 5 |
| `logging.console` | log to standard output too |
| `telemetry.export_logs` | send the same lines to the collector, with the same fields |

Files have mode 0640: the service's user writes, its group reads.

## Searching

```bash
grep '"level":"ERROR"' logs/chatterbox_extended.log | jq .
grep '"request_id":"req_123"' logs/chatterbox_extended.log | jq .
grep '"operation":"tts_generation"' logs/chatterbox_extended.log | jq '.data.duration_ms'
grep '"level":"ERROR"' logs/chatterbox_extended.log | jq -r '.message' | sort | uniq -c
grep '"duration_ms"' logs/chatterbox_extended.log | jq 'select(.data.duration_ms > 5000)'
```
"""


def metrics_page() -> Iterator[str]:
    yield "# Metrics\n"
    yield GENERATED.format("metrics") + "\n"
    yield METRICS_INTRODUCTION
    yield "## All metrics\n"
    yield from table(
        ("metric", "kind", "unit", "labels", "what it is for"),
        ((f"`{row.name}`", row.kind, row.unit, _labels(row), row.purpose) for row in CATALOGUE),
    )
    yield "## A query each\n"
    yield from table(
        ("metric", "PromQL"), ((f"`{row.name}`", f"`{_escaped(row.query)}`") for row in CATALOGUE)
    )


def spans_page() -> Iterator[str]:
    yield "# Spans\n"
    yield GENERATED.format("spans") + "\n"
    yield SPANS_INTRODUCTION
    yield "## Operations\n"
    yield "The span is named after the operation and the engine; logs name it as the monitoring guide does.\n"
    yield from table(
        ("operation", "in logs"), ((f"`{name.value}`", f"`{LOG_OPERATIONS[name]}`") for name in Operation)
    )
    yield "## Stages\n"
    yield from _meanings("span", {stage.value: meaning for stage, meaning in STAGE_MEANINGS.items()})
    yield "## Outcomes\n"
    yield from _meanings("outcome", {item.value: meaning for item, meaning in OUTCOME_MEANINGS.items()})
    yield "## Attributes\n"
    yield from _meanings("attribute", ATTRIBUTE_MEANINGS)


def logs_page() -> Iterator[str]:
    yield "# Logs\n"
    yield GENERATED.format("logs") + "\n"
    yield LOGS_INTRODUCTION
    yield "## Fields\n"
    yield from _meanings("field", FIELD_MEANINGS)
    yield "## Levels\n"
    yield from _meanings("level", LEVEL_MEANINGS)
    yield LEVELS_NOTE
    yield "## Messages\n"
    yield from table(
        ("begins with", "level", "when"),
        ((f"`{row.prefix}`", row.level, row.meaning) for row in LOG_MESSAGES),
    )
    yield PRIVACY
    yield ROTATION.rstrip("\n")


def table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    """A Markdown table with an empty line after it."""
    for row in (head, ("---",) * len(head), *rows):
        yield f"| {' | '.join(row)} |"
    yield ""


def _meanings(what: str, meanings: Mapping[str, str]) -> Iterator[str]:
    yield from table((what, "meaning"), ((f"`{name}`", meaning) for name, meaning in meanings.items()))


def _labels(family: Family) -> str:
    return "; ".join(
        f"`{label}`: {', '.join(value.strip('<>') if value[0] == '<' else f'`{value}`' for value in values)}"
        for label, values in family.labels.items()
    )


def _escaped(query: str) -> str:
    return query.replace("|", "\\|")


PAGES: Final[Mapping[str, Callable[[], Iterator[str]]]] = {
    "metrics": metrics_page,
    "spans": spans_page,
    "logs": logs_page,
}


def page(name: str) -> str:
    """The whole of `docs/<name>.md`."""
    return "\n".join(PAGES[name]()).rstrip("\n") + "\n"


if __name__ == "__main__":
    if sys.argv[1:] and sys.argv[1] in PAGES:
        sys.stdout.write(page(sys.argv[1]))
    else:
        sys.exit(f"usage: python -m telemetry.reference {{{','.join(PAGES)}}}")
