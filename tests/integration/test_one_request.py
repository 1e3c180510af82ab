"""One request, read back from everywhere: the trace, the log, histograms, the JSON and the headers agree."""

import json
import re
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from telemetry.metrics import CATALOGUE
from telemetry.spans import ATTRIBUTE_MEANINGS, STAGE_MEANINGS
from tests.otlp import SERVER_KIND, Collector, ReceivedLog, ReceivedSpan, grpc_collector
from tests.server import RunningServer, running_server, sample

MICROSECOND = 1e-6
OPERATION = "text_to_speech piper"
OPENMETRICS = "application/openmetrics-text; version=1.0.0"
SPEECH = {"operation": "text_to_speech", "engine": "piper"}
SENTENCE = "Every figure of this request comes from one and the same clock."
TRACE_ID = "0af7651916cd43dd8448eb211c80319c"
SOON = {"OTEL_BSP_SCHEDULE_DELAY": "50", "OTEL_BLRP_SCHEDULE_DELAY": "50"}


@dataclass
class Reading:
    """Everything that one request left behind."""

    response: httpx.Response
    spans: list[ReceivedSpan]
    logs: list[ReceivedLog]
    lines: list[dict[str, Any]]
    before: str
    after: str
    json_before: dict[str, Any]
    json_after: dict[str, Any]

    @property
    def server(self) -> ReceivedSpan:
        (span,) = [span for span in self.spans if span.kind == SERVER_KIND]
        return span

    @property
    def operation(self) -> ReceivedSpan:
        return self.span(OPERATION)

    @property
    def stages(self) -> list[ReceivedSpan]:
        return [span for span in self.spans if span.parent_id == self.operation.span_id]

    def span(self, name: str) -> ReceivedSpan:
        (span,) = [span for span in self.spans if span.name == name]
        return span

    def line(self, message: str) -> dict[str, Any]:
        (line,) = [line for line in self.lines if str(line["message"]).startswith(message)]
        return line

    def rise(self, name: str, **labels: str) -> float:
        return sample(self.after, name, **labels) - sample(self.before, name, **labels)


@dataclass
class Watched:
    """A service and the collector it sends everything to."""

    server: RunningServer
    collector: Collector

    def scrape(self, accept: str = "text/plain") -> str:
        with self.server.client() as client:
            return client.get("/metrics", headers={"Accept": accept}).text

    def json(self) -> dict[str, Any]:
        with self.server.client() as client:
            found: dict[str, Any] = client.get("/api/v1/metrics").json()
            return found

    def speak(self, request_id: str, *, headers: dict[str, str] | None = None, **body: object) -> Reading:
        before, json_before = self.scrape(), self.json()
        with self.server.client() as client:
            response = client.post(
                "/api/v1/tts", json=body, headers={"X-Request-ID": request_id} | (headers or {})
            )
        assert response.status_code == 200
        after, json_after = self.scrape(), self.json()
        trace_id = response.headers["traceresponse"].split("-")[1]
        return Reading(
            response=response,
            spans=self.collector.trace(trace_id),
            logs=self.collector.logs_of(trace_id, "Request completed"),
            lines=self.server.lines_of(request_id, "Request completed"),
            before=before,
            after=after,
            json_before=json_before,
            json_after=json_after,
        )


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    folder = tmp_path_factory.mktemp("service")
    with ExitStack() as stack:
        collector = stack.enter_context(grpc_collector())
        telemetry = {"otlp_endpoint": collector.endpoint, "otlp_headers": {"x-key": "secret"}}
        settings: dict[str, object] = {"telemetry": telemetry, "server": {"log_level": "DEBUG"}}
        yield Watched(stack.enter_context(running_server(folder, settings, SOON)), collector)


@pytest.fixture(scope="module")
def whole(watched: Watched) -> Reading:
    traceparent = f"00-{TRACE_ID}-b7ad6b7169203331-01"
    text = " ".join([SENTENCE] * 8)
    return watched.speak("whole-1", headers={"traceparent": traceparent}, text=text, seed=7, speed=1.5)


@pytest.fixture(scope="module")
def streamed(watched: Watched) -> Reading:
    return watched.speak("streamed-1", text=" ".join([SENTENCE] * 20), stream=True, format="mp3")


@pytest.fixture(scope="module", params=["whole", "streamed"])
def reading(request: pytest.FixtureRequest) -> Reading:
    found: Reading = request.getfixturevalue(request.param)
    return found


def test_the_spans_make_a_tree_of_three_levels(reading: Reading) -> None:
    assert reading.server.name == "POST /api/v1/tts"
    assert reading.operation.parent_id == reading.server.span_id
    assert {span.name for span in reading.stages} == {span.name for span in reading.spans} - {
        reading.server.name,
        OPERATION,
    }
    assert {span.name for span in reading.stages} <= {stage.value for stage in STAGE_MEANINGS}
    assert len({span.name for span in reading.spans}) == len(reading.spans)
    assert not any(span.failed or span.events for span in reading.spans)


def test_every_span_lies_inside_its_parent(reading: Reading) -> None:
    for inner, outer in [
        (reading.operation, reading.server),
        *((stage, reading.operation) for stage in reading.stages),
    ]:
        assert outer.start <= inner.start <= inner.end <= outer.end, inner.name


def test_every_attribute_is_in_the_vocabulary(reading: Reading) -> None:
    assert {name for span in reading.spans for name in span.attributes} <= set(ATTRIBUTE_MEANINGS)


def test_the_spans_say_what_was_asked_and_what_became_of_it(reading: Reading) -> None:
    server, operation = reading.server.attributes, reading.operation.attributes
    assert server["http.request.method"] == "POST"
    assert server["http.route"] == server["url.path"] == "/api/v1/tts"
    assert server["http.response.status_code"] == 200
    assert server["http.response.body.size"] == len(reading.response.content)
    assert server["request.id"] == reading.response.headers["x-request-id"]
    assert server["speech.outcome"] == operation["speech.outcome"] == "ok"
    assert operation["gen_ai.operation.name"] == operation["speech.operation"] == "text_to_speech"
    assert operation["gen_ai.provider.name"] == operation["speech.engine"] == "piper"
    assert operation["speech.audio_bytes"] == len(reading.response.content)


def test_the_operations_numbers_agree(reading: Reading) -> None:
    operation = reading.operation.attributes
    busy, audio = operation["speech.busy_seconds"], operation["speech.audio_seconds"]
    assert operation["speech.real_time_factor"] == pytest.approx(busy / audio)
    assert 0 < operation["speech.time_to_first_audio_seconds"] <= reading.server.seconds
    deliver = sum(
        stage.attributes["speech.busy_seconds"] for stage in reading.stages if stage.name == "speech.deliver"
    )
    assert busy + deliver == pytest.approx(reading.operation.seconds, abs=MICROSECOND)


def test_a_whole_answers_busy_time_is_its_length(whole: Reading) -> None:
    busy = whole.operation.attributes["speech.busy_seconds"]
    assert busy == pytest.approx(whole.operation.seconds, abs=MICROSECOND)
    assert "speech.deliver" not in {stage.name for stage in whole.stages}


def test_the_stages_account_for_the_request(reading: Reading) -> None:
    """Nothing that takes time hides between the stages."""
    assert reading.server.seconds > 0.2
    busy = sum(stage.attributes["speech.busy_seconds"] for stage in reading.stages)
    assert busy >= 0.95 * reading.server.seconds
    deliver = reading.operation.seconds - reading.operation.attributes["speech.busy_seconds"]
    assert reading.operation.attributes["speech.busy_seconds"] + deliver >= 0.95 * reading.server.seconds


def test_the_histograms_show_the_spans(reading: Reading) -> None:
    server, operation = reading.server, reading.operation
    mode = "stream" if operation.attributes["speech.streamed"] else "whole"
    http = {"method": "POST", "route": "/api/v1/tts", "status": "200", "outcome": "ok"}
    expected = {
        ("http_server_request_duration_seconds", *http.items()): server.seconds,
        ("speech_request_duration_seconds", *SPEECH.items(), ("outcome", "ok")): operation.attributes[
            "speech.busy_seconds"
        ],
        ("speech_time_to_first_audio_seconds", *SPEECH.items(), ("mode", mode)): operation.attributes[
            "speech.time_to_first_audio_seconds"
        ],
        ("speech_real_time_factor", *SPEECH.items()): operation.attributes["speech.real_time_factor"],
    }
    for stage in reading.stages:
        label = ("stage", stage.name.removeprefix("speech."))
        expected[("speech_stage_duration_seconds", *SPEECH.items(), label)] = stage.attributes[
            "speech.busy_seconds"
        ]
    for (name, *labels), value in expected.items():
        assert reading.rise(f"{name}_sum", **dict(labels)) == pytest.approx(value, abs=MICROSECOND), name  # type: ignore[arg-type]  # pairs of text
        assert reading.rise(f"{name}_count", **dict(labels)) == 1  # type: ignore[arg-type]  # pairs of text
    assert reading.rise("speech_stage_duration_seconds_count") == len(reading.stages)
    assert reading.rise("speech_playback_underrun_seconds_count", **SPEECH) == (mode == "stream")


def test_the_counters_show_the_spans(reading: Reading) -> None:
    attributes = reading.operation.attributes
    assert reading.rise("speech_audio_seconds_total", **SPEECH) == pytest.approx(
        attributes["speech.audio_seconds"], abs=MICROSECOND
    )
    assert reading.rise("speech_characters_total", **SPEECH) == attributes["speech.characters"]
    assert reading.rise("http_server_response_body_bytes_total", route="/api/v1/tts") == len(
        reading.response.content
    )


def test_nothing_is_under_way_any_more(reading: Reading) -> None:
    for gauge in ("http_server_active_requests", "speech_requests_active", "speech_queue_depth"):
        assert sample(reading.after, gauge) == 0


def test_the_log_shows_the_spans(reading: Reading) -> None:
    for message, span, seconds in [
        ("Request completed: POST /api/v1/tts", reading.server, reading.server.seconds),
        (
            "Completed operation: tts_generation",
            reading.operation,
            reading.operation.attributes["speech.busy_seconds"],
        ),
        *(
            (f"Completed stage: {stage.name}", stage, stage.attributes["speech.busy_seconds"])
            for stage in reading.stages
        ),
    ]:
        line = reading.line(message)
        assert line["duration_ms"] == line["data"]["duration_ms"] == round(seconds * 1000, 3)
        assert (line["trace_id"], line["span_id"]) == (span.trace_id, span.span_id)
        assert int(line["trace_flags"], 16) & 1
    data = reading.line("Completed operation")["data"]
    assert data["audio_seconds"] == round(reading.operation.attributes["speech.audio_seconds"], 6)


def test_every_line_of_the_request_carries_its_trace(reading: Reading) -> None:
    span_ids = {span.span_id for span in reading.spans}
    for line in reading.lines:
        assert line["trace_id"] == reading.server.trace_id
        assert line["span_id"] in span_ids


def test_exported_log_records_are_the_lines_of_the_file(reading: Reading) -> None:
    identity = ("timestamp", "level", "message", "trace_id", "span_id", "trace_flags")
    lines = [
        (
            line["message"],
            line["level"],
            line["trace_id"],
            line["span_id"],
            int(line["trace_flags"], 16),
            {name: value for name, value in line.items() if name not in identity},
        )
        for line in reading.lines
    ]
    records = [
        (log.body, log.severity, log.trace_id, log.span_id, log.flags, log.attributes) for log in reading.logs
    ]
    assert sorted(records, key=repr) == sorted(lines, key=repr)


def test_the_json_metrics_show_the_spans(reading: Reading) -> None:
    for figure, seconds in [
        ("processing_times", reading.operation.attributes["speech.busy_seconds"]),
        ("response_times", reading.server.seconds),
    ]:
        before = reading.json_before["performance"][figure]
        after = reading.json_after["performance"][figure]
        assert after["count"] == before["count"] + 1
        total = after["avg_ms"] * after["count"] - (before["avg_ms"] or 0) * before["count"]
        assert total == pytest.approx(seconds * 1000, abs=0.001 * (after["count"] + before["count"]))
        assert after["min_ms"] <= round(seconds * 1000, 3) <= after["max_ms"]
    before, after = (found["performance"]["requests"] for found in (reading.json_before, reading.json_after))
    assert after["requests_total"] == before["requests_total"] + 1
    assert after["success_rate"] + after["error_rate"] == 1
    assert after["by_endpoint"]["POST /api/v1/tts"] == before["by_endpoint"].get("POST /api/v1/tts", 0) + 1


def test_server_timing_shows_the_spans_that_had_ended(whole: Reading, streamed: Reading) -> None:
    timings = dict(re.findall(r"([\w.]+);dur=([\d.]+)", whole.response.headers["server-timing"]))
    operation = {"text_to_speech": whole.operation.attributes["speech.busy_seconds"]}
    stages = {stage.name: stage.attributes["speech.busy_seconds"] for stage in whole.stages}
    assert {name: float(value) for name, value in timings.items()} == {
        name: round(seconds * 1000, 3) for name, seconds in (operation | stages).items()
    }
    assert "server-timing" not in streamed.response.headers


def test_identity_goes_in_and_comes_back(whole: Reading, streamed: Reading) -> None:
    assert whole.response.headers["x-request-id"] == "whole-1"
    assert whole.server.trace_id == TRACE_ID
    assert whole.server.parent_id == "b7ad6b7169203331"
    for reading in (whole, streamed):
        version, trace_id, span_id, flags = reading.response.headers["traceresponse"].split("-")
        assert (version, trace_id, span_id) == ("00", reading.server.trace_id, reading.server.span_id)
        assert int(flags, 16) & 1


def test_the_number_of_spans_does_not_grow_with_the_answer(watched: Watched, streamed: Reading) -> None:
    short = watched.speak("streamed-2", text=f"Hello there. {SENTENCE}", stream=True, format="mp3")
    assert short.operation.attributes["speech.chunks"] <= 3
    assert streamed.operation.attributes["speech.chunks"] >= 20
    assert {span.name for span in short.spans} == {span.name for span in streamed.spans}
    assert len(short.spans) == len(streamed.spans)


def exemplars(exposition: str) -> dict[str, set[str]]:
    """Trace ids of exemplars, by metric."""
    found: dict[str, set[str]] = {}
    for family in text_string_to_metric_families(exposition):
        for one in family.samples:
            if one.exemplar is not None:
                assert set(one.exemplar.labels) == {"trace_id"}
                found.setdefault(family.name, set()).add(one.exemplar.labels["trace_id"])
    return found


def test_exemplars_point_at_traces_that_were_received(watched: Watched, reading: Reading) -> None:
    found = exemplars(watched.scrape(OPENMETRICS))
    for name in (
        "http_server_request_duration_seconds",
        "speech_request_duration_seconds",
        "speech_stage_duration_seconds",
        "speech_time_to_first_audio_seconds",
        "speech_real_time_factor",
    ):
        assert found[name]
    received = {span.trace_id for span in watched.collector.spans}
    assert set.union(*found.values()) <= received


def test_a_caller_that_does_not_sample_is_counted_and_not_traced(watched: Watched) -> None:
    trace_id = "f" * 31 + "0"
    before = watched.scrape()
    with watched.server.client() as client:
        response = client.post(
            "/api/v1/tts",
            json={"text": SENTENCE},
            headers={"traceparent": f"00-{trace_id}-b7ad6b7169203331-00", "X-Request-ID": "unsampled-1"},
        )
    after = watched.scrape(OPENMETRICS)
    sampled = watched.speak("sampled-1", text="Whatever was to be sent has been sent by now.")

    assert response.headers["traceresponse"].split("-")[1] == trace_id
    for name in ("http_server_request_duration_seconds_count", "speech_request_duration_seconds_count"):
        assert sample(after, name) == sample(before, name) + 1
    assert trace_id not in after  # no exemplar
    assert sampled.spans
    assert trace_id not in {span.trace_id for span in watched.collector.spans}
    lines = watched.server.lines_of("unsampled-1", "Request completed")
    assert {line["trace_id"] for line in lines} == {trace_id}
    assert not any(int(str(line["trace_flags"]), 16) & 1 for line in lines)


def test_the_collector_gets_the_headers_and_knows_the_service(watched: Watched, whole: Reading) -> None:
    assert all(headers["x-key"] == "secret" for headers in watched.collector.headers)
    for resource in watched.collector.resources:
        assert resource["service.name"] == "chatterbox-extended"
        assert {"service.version", "service.instance.id"} <= set(resource)
    assert "secret" not in json.dumps(watched.server.log_lines())


def test_what_the_collector_took_is_counted(watched: Watched, whole: Reading) -> None:
    exposition = watched.scrape()
    for signal, received in (("traces", watched.collector.spans), ("logs", watched.collector.logs)):
        assert 0 < sample(exposition, "telemetry_exported_total", signal=signal) <= len(received)
    assert sample(exposition, "telemetry_dropped_total") == 0


def test_the_catalogue_has_every_metric_of_the_scrape(
    watched: Watched, whole: Reading, streamed: Reading
) -> None:
    catalogue = {family.name: family for family in CATALOGUE}
    unused = set(catalogue)
    for family in text_string_to_metric_families(watched.scrape(OPENMETRICS)):
        name = {"counter": f"{family.name}_total", "info": f"{family.name}_info"}.get(
            family.type, family.name
        )
        assert catalogue[name].kind == family.type
        for one in family.samples:
            unused.discard(name)
            assert set(one.labels) - {"le"} == set(catalogue[name].labels)
            for label, value in one.labels.items():
                closed = catalogue[name].labels.get(label, ("<any>",))
                assert value in closed or closed[0].startswith("<"), (name, label, value)
    assert not unused
