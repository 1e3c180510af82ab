"""The HTTP side of a span: identity in, attributes and headers out, and how the request really ended."""

import logging
import re
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from typing import Any, Final
from uuid import uuid4

from opentelemetry import trace
from opentelemetry.trace import StatusCode

from telemetry import metrics, spans
from telemetry.clock import MonotonicSpan
from telemetry.derive import SpanDeriver
from telemetry.logs import REQUEST_ID, event
from telemetry.redact import PATH_CHARACTERS, USER_AGENT_CHARACTERS, client_address, clipped
from telemetry.spans import Outcome
from telemetry.window import milliseconds

logger = logging.getLogger(__name__)

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

REDACTED: Final = "REDACTED"
REQUEST_ID_PATTERN: Final = re.compile(rb"[A-Za-z0-9._:-]{1,128}")
CLIENT_CLOSED_REQUEST: Final = 499
"""What logs and metrics say where the client left before a status was sent (nginx's number)."""

WEBSOCKET_REFUSED: Final = 403
"""The status a server sends for a WebSocket that is closed before it was accepted (ASGI specification)."""

STATE_KEY: Final = "telemetry"


@dataclass(slots=True)
class RequestState:
    """What the application tells about a request, and what the middleware saw of it."""

    request_id: str
    outcome: Outcome | None = None
    error_code: str | None = None
    error_message: str | None = None
    status: int = 0
    size: int = 0
    completed: bool = False
    disconnected: bool = False

    def failed(self, outcome: Outcome, code: str, message: str) -> None:
        """Say how the request failed; the first word counts."""
        if self.outcome is None:
            self.outcome, self.error_code, self.error_message = outcome, code, message


def request_state(scope: Scope) -> RequestState:
    state: RequestState = scope["state"][STATE_KEY]
    return state


class TelemetryMiddleware:
    """Pure ASGI. Writes attributes to the server span and ends it before the last byte is passed on.

    Args:
        ignored: paths that have no span: probes, metrics, health, docs. They log at DEBUG.
        address_policy: how a caller's address is logged: "full", "truncated" or "off".
    """

    def __init__(
        self,
        app: Application,
        *,
        deriver: SpanDeriver,
        ignored: frozenset[str],
        address_policy: str = "full",
    ) -> None:
        self._app = app
        self._deriver = deriver
        self._ignored = ignored
        self._address_policy = address_policy

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        state = RequestState(_request_id(scope))
        scope.setdefault("state", {})[STATE_KEY] = state
        token = REQUEST_ID.set(state.request_id)
        try:
            if scope["type"] == "http" and scope["path"] in self._ignored:
                await self._pass_by(scope, receive, send, state)
            else:
                await self._observe(scope, receive, send, state)
        finally:
            REQUEST_ID.reset(token)

    async def _pass_by(self, scope: Scope, receive: Receive, send: Send, state: RequestState) -> None:
        async def identified_send(message: Message) -> None:
            if message["type"] == "http.response.start":
                state.status = message["status"]
                _add_headers(message, [(b"x-request-id", state.request_id.encode())])
            await send(message)

        await self._app(scope, receive, identified_send)
        event(
            logger,
            logging.DEBUG,
            f"Request completed: {scope['method']} {scope['path']}",
            fields={"status_code": state.status},
        )

    async def _observe(self, scope: Scope, receive: Receive, send: Send, state: RequestState) -> None:
        span = trace.get_current_span()
        self._deriver.identify(span, state.request_id)
        self._describe(scope, span, state)
        metrics.HTTP_ACTIVE.inc()

        async def watched_receive() -> Message:
            message = await receive()
            if message["type"] in ("http.disconnect", "websocket.disconnect"):
                state.disconnected = True
            return message

        async def observed_send(message: Message) -> None:
            kind = message["type"]
            if kind in ("http.response.start", "websocket.http.response.start"):
                state.status = message["status"]
                _add_headers(message, self._headers(span, state))
            elif kind in ("http.response.body", "websocket.http.response.body"):
                state.size += len(message.get("body", b""))
                if not message.get("more_body", False):
                    state.completed = True
                    _finish(span, state, None)
            elif kind == "websocket.accept":
                state.status = 101
            elif kind == "websocket.close":
                state.completed = True
                state.status = state.status or WEBSOCKET_REFUSED
            await send(message)

        failure: BaseException | None = None
        try:
            await self._app(scope, watched_receive, observed_send)
        except BaseException as error:
            failure = error
            raise
        finally:
            metrics.HTTP_ACTIVE.dec()
            _finish(span, state, failure)

    def _describe(self, scope: Scope, span: trace.Span, state: RequestState) -> None:
        """Log the start, and bring what the instrumentation noted about the caller to the same measure."""
        method = scope.get("method", "WEBSOCKET")
        path = clipped(scope["path"], PATH_CHARACTERS)
        headers = dict(scope["headers"])
        host = clipped(headers.get(b"host", b"").decode("latin-1"), PATH_CHARACTERS)
        user_agent = clipped(headers.get(b"user-agent", b"").decode("latin-1"), USER_AGENT_CHARACTERS)
        client = scope.get("client")
        address = client_address(client[0] if client else None, self._address_policy)
        span.set_attribute(spans.REQUEST_ID, state.request_id)
        span.set_attribute(spans.URL_PATH, path)
        if scope.get("query_string"):
            span.set_attribute(spans.URL_QUERY, REDACTED)
        if user_agent:
            span.set_attribute(spans.USER_AGENT, user_agent)
        if client and self._address_policy != "full":
            span.set_attribute(spans.CLIENT_ADDRESS, address or REDACTED)
            span.set_attribute(spans.CLIENT_PORT, 0)
        event(
            logger,
            logging.INFO,
            f"Request started: {method} {path}",
            fields={
                "method": method,
                "url": f"{scope.get('scheme', 'http')}://{host}{path}",
                "client_ip": address,
                "user_agent": user_agent,
            },
        )

    def _headers(self, span: trace.Span, state: RequestState) -> list[tuple[bytes, bytes]]:
        """`X-Request-ID`; `traceresponse` (W3C Trace Context 2 draft); `Server-Timing` (W3C)."""
        headers = [(b"x-request-id", state.request_id.encode())]
        context = span.get_span_context()
        if context.is_valid:
            ids = f"{trace.format_trace_id(context.trace_id)}-{trace.format_span_id(context.span_id)}"
            headers.append((b"traceresponse", f"00-{ids}-{context.trace_flags:02x}".encode()))
            timings = self._deriver.timings(span)
            if timings:
                value = ", ".join(f"{name};dur={milliseconds(seconds)}" for name, seconds in timings)
                headers.append((b"server-timing", value.encode()))
        return headers


def _request_id(scope: Scope) -> str:
    for name, value in scope["headers"]:
        if name == b"x-request-id" and REQUEST_ID_PATTERN.fullmatch(value):
            return str(value.decode("ascii"))
    return uuid4().hex


def _add_headers(message: Message, headers: list[tuple[bytes, bytes]]) -> None:
    message["headers"] = [*message.get("headers", []), *headers]


def _finish(span: trace.Span, state: RequestState, failure: BaseException | None) -> None:
    """Write how the request ended and end the span; the first call counts."""
    if not span.is_recording():
        return
    outcome = _outcome(state, failure)
    if outcome is Outcome.CANCELLED and not state.status:
        state.status = CLIENT_CLOSED_REQUEST
    if not state.status:
        state.status = 500
    span.set_attribute(spans.OUTCOME, outcome.value)
    span.set_attribute(spans.HTTP_STATUS, state.status)
    span.set_attribute(spans.HTTP_RESPONSE_SIZE, state.size)
    if outcome is not Outcome.OK:
        span.set_attribute(spans.ERROR_TYPE, state.error_code or _error_code(state, outcome, failure))
        if state.error_message:
            span.set_attribute(spans.ERROR_MESSAGE, state.error_message)
    if outcome in (Outcome.ERROR, Outcome.ABORTED, Outcome.EMPTY):
        span.set_status(StatusCode.ERROR)
    if isinstance(span, MonotonicSpan):
        span.stop()
    span.end()


def _error_code(state: RequestState, outcome: Outcome, failure: BaseException | None) -> str:
    """A code for what the application did not name."""
    if outcome is Outcome.CANCELLED:
        return "client_closed_request"
    return type(failure).__qualname__ if failure else f"http_{state.status}"


def _outcome(state: RequestState, failure: BaseException | None) -> Outcome:
    if state.outcome is not None:
        return state.outcome
    if state.status == 101:
        return Outcome.ERROR if failure else Outcome.OK
    if not state.completed:
        if state.disconnected:
            return Outcome.CANCELLED
        return Outcome.ABORTED if state.status else Outcome.ERROR
    if state.status < 400:
        return Outcome.OK
    return Outcome.INVALID if state.status < 500 else Outcome.ERROR
