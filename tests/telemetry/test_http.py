import asyncio
import re
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from opentelemetry.trace import SpanKind

from telemetry import spans
from telemetry.http import Message, Receive, Scope, Send, TelemetryMiddleware, request_state
from telemetry.metrics import REGISTRY
from telemetry.spans import Outcome
from tests.telemetry.conftest import Recorder

Handler = Callable[[Scope, Receive, Send], Awaitable[None]]

HTTP: dict[str, Any] = {
    "type": "http",
    "method": "POST",
    "path": "/api/v1/tts",
    "scheme": "http",
    "query_string": b"",
    "client": ("203.0.113.77", 5000),
    "headers": [],
}
WEBSOCKET: dict[str, Any] = {**HTTP, "type": "websocket", "scheme": "ws"}
del WEBSOCKET["method"]


async def ok(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"audio"})


def answer(
    recorder: Recorder,
    app: Handler = ok,
    scope: dict[str, Any] = HTTP,
    address_policy: str = "full",
) -> tuple[list[Message], BaseException | None]:
    """One request through the middleware, under a server span as the instrumentation makes it."""
    sent: list[Message] = []
    failure: BaseException | None = None

    async def receive() -> Message:
        return {"type": "websocket.disconnect" if scope["type"] == "websocket" else "http.disconnect"}

    async def send(message: Message) -> None:
        sent.append(message)

    async def run() -> None:
        middleware = TelemetryMiddleware(
            app, deriver=recorder.deriver, ignored=frozenset({"/livez"}), address_policy=address_policy
        )
        attributes = {"http.request.method": "POST"} if scope["type"] == "http" else {}
        with recorder.tracer.start_as_current_span(
            "server", kind=SpanKind.SERVER, attributes=attributes, record_exception=False
        ):
            await middleware(dict(scope), receive, send)

    try:
        asyncio.run(run())
    except RuntimeError as error:
        failure = error
    return sent, failure


def headers(sent: list[Message]) -> dict[str, str]:
    return {name.decode(): value.decode() for name, value in sent[0]["headers"]}


def attributes(recorder: Recorder) -> dict[str, Any]:
    return dict(recorder.span("server").attributes or {})


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    st.one_of(
        st.binary(max_size=140),
        st.from_regex(rb"[A-Za-z0-9._:-]{1,128}", fullmatch=True),
        st.from_regex(rb"[A-Za-z0-9._:-]{129,140}", fullmatch=True),
        st.from_regex(rb"[A-Za-z0-9]{1,8}\n", fullmatch=True),
    )
)
def test_a_request_id_is_taken_if_well_formed_and_made_otherwise(recorder: Recorder, sent_id: bytes) -> None:
    sent, _ = answer(recorder, scope={**HTTP, "headers": [(b"x-request-id", sent_id)]})
    echoed = headers(sent)["x-request-id"]
    well_formed = 1 <= len(sent_id) <= 128 and all(
        chr(byte).isascii() and (chr(byte).isalnum() or chr(byte) in "._:-") for byte in sent_id
    )
    if well_formed:
        assert echoed.encode() == sent_id
    else:
        assert re.fullmatch("[0-9a-f]{32}", echoed)


def test_headers_tell_the_trace_and_the_timings(recorder: Recorder) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        for stage in ("speech.normalize", "speech.generate"):
            recorder.tracer.start_span(stage).end()
        await ok(scope, receive, send)

    found = headers(answer(recorder, app)[0])
    server = recorder.span("server").context
    assert server is not None
    assert (
        found["traceresponse"] == f"00-{server.trace_id:032x}-{server.span_id:016x}-{server.trace_flags:02x}"
    )
    assert int(found["traceresponse"][-2:], 16) & 1  # sampled
    # W3C Server-Timing: names are tokens, dur is a number of milliseconds
    token = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
    entry = rf"({token});dur=(\d+(?:\.\d+)?)"
    assert re.fullmatch(rf"{entry}(?:, {entry})*", found["server-timing"])
    assert [name for name, _ in re.findall(entry, found["server-timing"])] == [
        "speech.normalize",
        "speech.generate",
    ]


async def breaks_early(scope: Scope, receive: Receive, send: Send) -> None:
    raise RuntimeError("CANARY")


async def breaks_late(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"half", "more_body": True})
    raise RuntimeError("CANARY")


async def refuses(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 404, "headers": []})
    await send({"type": "http.response.body"})


async def fails(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 502, "headers": []})
    await send({"type": "http.response.body"})


async def is_left_early(scope: Scope, receive: Receive, send: Send) -> None:
    await receive()


async def is_left_late(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await receive()


async def says_why(scope: Scope, receive: Receive, send: Send) -> None:
    request_state(scope).failed(Outcome.REJECTED, "overloaded", "Too many")
    request_state(scope).failed(Outcome.ERROR, "internal_error", "The first word counts")
    await send({"type": "http.response.start", "status": 503, "headers": []})
    await send({"type": "http.response.body"})


async def closes_unaccepted(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "websocket.close", "code": 1000})


async def denies(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "websocket.http.response.start", "status": 401, "headers": []})
    await send({"type": "websocket.http.response.body", "body": b"no"})


async def talks(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "websocket.accept"})
    await receive()


async def breaks_in_talk(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "websocket.accept"})
    raise RuntimeError("CANARY")


@pytest.mark.parametrize(
    ("app", "scope", "outcome", "status", "error_type"),
    [
        (ok, HTTP, "ok", 200, None),
        (refuses, HTTP, "invalid", 404, "http_404"),
        (fails, HTTP, "error", 502, "http_502"),
        (breaks_early, HTTP, "error", 500, "RuntimeError"),
        (breaks_late, HTTP, "aborted", 200, "RuntimeError"),
        (is_left_early, HTTP, "cancelled", 499, "client_closed_request"),
        (is_left_late, HTTP, "cancelled", 200, "client_closed_request"),
        (says_why, HTTP, "rejected", 503, "overloaded"),
        (talks, WEBSOCKET, "ok", 101, None),
        (breaks_in_talk, WEBSOCKET, "error", 101, "RuntimeError"),
        (closes_unaccepted, WEBSOCKET, "invalid", 403, "http_403"),
        (denies, WEBSOCKET, "invalid", 401, "http_401"),
    ],
)
def test_how_a_request_ended(
    recorder: Recorder,
    app: Handler,
    scope: dict[str, Any],
    outcome: str,
    status: int,
    error_type: str | None,
) -> None:
    method = "POST" if scope is HTTP else "WEBSOCKET"
    labels = {"method": method, "route": "other", "status": str(status), "outcome": outcome}
    name = "http_server_request_duration_seconds_count"
    before = REGISTRY.get_sample_value(name, labels) or 0
    answer(recorder, app, scope)

    found = attributes(recorder)
    assert found[spans.OUTCOME] == outcome
    assert found[spans.HTTP_STATUS] == status
    assert found.get(spans.ERROR_TYPE) == error_type
    assert "CANARY" not in recorder.span("server").to_json()
    assert REGISTRY.get_sample_value(name, labels) == before + 1
    assert REGISTRY.get_sample_value("http_server_active_requests") == 0
    summary = recorder.deriver.requests.summary()
    assert (summary["requests_total"], summary["requests_success"]) == (1, outcome == "ok")


def test_who_has_the_last_byte_can_read_the_metrics(recorder: Recorder) -> None:
    labels = {"method": "POST", "route": "other", "status": "200", "outcome": "ok"}
    counts: list[float | None] = []

    def count() -> float:
        return REGISTRY.get_sample_value("http_server_request_duration_seconds_count", labels) or 0

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        async def counting_send(message: Message) -> None:
            await send(message)
            counts.append(count())

        await ok(scope, receive, counting_send)

    before = count()
    answer(recorder, app)
    assert counts == [before, before + 1]


def test_averages_leave_out_websockets_but_counts_do_not(recorder: Recorder) -> None:
    answer(recorder, talks, WEBSOCKET)
    assert recorder.deriver.responses.statistics()["count"] == 0
    assert recorder.deriver.requests.breakdown()["by_endpoint"] == {"WEBSOCKET other": 1}


def test_a_probe_whose_span_was_not_excluded_is_not_counted(recorder: Recorder) -> None:
    """`Host: a/b` hides a path from the instrumentation's excluded URLs."""
    sent, _ = answer(recorder, scope={**HTTP, "method": "GET", "path": "/livez"})
    assert "x-request-id" in headers(sent)
    assert recorder.deriver.requests.summary()["requests_total"] == 0


@pytest.mark.parametrize(
    ("policy", "address", "port"),
    [("full", None, None), ("truncated", "203.0.113.0", 0), ("off", "REDACTED", 0)],
)
def test_the_span_follows_the_address_policy(
    recorder: Recorder, policy: str, address: str | None, port: int | None
) -> None:
    answer(recorder, address_policy=policy)
    found = attributes(recorder)  # the instrumentation itself notes the full address
    assert (found.get(spans.CLIENT_ADDRESS), found.get(spans.CLIENT_PORT)) == (address, port)


def test_what_the_caller_says_of_itself_is_bounded_and_harmless(recorder: Recorder) -> None:
    agent = b"\x9b31mevil" + b"x" * 500
    scope = {
        **HTTP,
        "path": "/" + "p" * 500,
        "query_string": b"CANARY=1",
        "headers": [(b"user-agent", agent)],
    }
    answer(recorder, refuses, scope)
    found = attributes(recorder)
    assert found[spans.USER_AGENT] == "?31mevil" + "x" * 192
    assert found[spans.URL_PATH] == "/" + "p" * 199
    assert found[spans.URL_QUERY] == "REDACTED"
