"""The one error table, and how each error looks to a caller: problem+json (RFC 9457)."""

import json
import logging
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from opentelemetry import trace
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service import errors
from service.errors import ServiceError
from telemetry.http import request_state
from telemetry.logs import event
from telemetry.spans import Outcome

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ErrorKind:
    """A row of the table: what a code means to callers, to dashboards and to whoever reads the docs."""

    code: str
    status: int
    outcome: Outcome
    meaning: str


def _kind(error: type[ServiceError], status: int, outcome: Outcome, meaning: str) -> ErrorKind:
    return ErrorKind(error.code, status, outcome, meaning)


INVALID, REJECTED, ERROR = Outcome.INVALID, Outcome.REJECTED, Outcome.ERROR

ERROR_TABLE: Final[dict[str, ErrorKind]] = {
    kind.code: kind
    for kind in (
        _kind(errors.InvalidRequest, 400, INVALID, "A value is missing, of the wrong type or out of range."),
        _kind(errors.InvalidJson, 400, INVALID, "The body is not JSON."),
        _kind(errors.UnknownParameter, 400, INVALID, "The request has a parameter that does not exist."),
        _kind(errors.EmptyText, 400, INVALID, "There is nothing to speak in the text."),
        _kind(errors.InvalidText, 400, INVALID, "The text holds control characters or lone surrogates."),
        _kind(errors.UnsupportedSampleRate, 400, INVALID, "The format can't hold that sample rate."),
        _kind(errors.UnknownModel, 404, INVALID, "No model of that name is configured."),
        _kind(errors.UnknownVoice, 404, INVALID, "The model has no voice of that name."),
        ErrorKind("not_found", 404, INVALID, "There is nothing at this address."),
        ErrorKind("method_not_allowed", 405, INVALID, "The address exists, but not for this method."),
        _kind(errors.NotAcceptable, 406, INVALID, "The answer can't have the form that `Accept` asks for."),
        _kind(errors.TextTooLong, 413, INVALID, "The text is longer than `api.max_text_length`."),
        _kind(errors.BodyTooLarge, 413, INVALID, "The body is larger than `api.max_body_bytes`."),
        _kind(errors.UnsupportedFormat, 415, INVALID, "The service does not write that audio format."),
        _kind(errors.InvalidAudio, 415, INVALID, "What was sent as audio is not audio."),
        _kind(errors.Cancelled, 499, Outcome.CANCELLED, "The client went away; in logs and metrics only."),
        _kind(ServiceError, 500, ERROR, "The service broke; the log has the cause under the request's id."),
        _kind(errors.EngineFailed, 500, ERROR, "The engine broke while it worked."),
        _kind(errors.EmptyAudio, 500, Outcome.EMPTY, "The engine reported success and gave no audio."),
        _kind(errors.Overloaded, 503, REJECTED, "Too many requests are waiting; see `Retry-After`."),
        _kind(errors.Draining, 503, REJECTED, "The service is shutting down; see `Retry-After`."),
        _kind(errors.EngineLoading, 503, REJECTED, "The model is being loaded; see `Retry-After`."),
        _kind(errors.EngineUnavailable, 503, ERROR, "The model can't be loaded; the message says why."),
    )
}

_NOT_JSON: Final = 'The body is not valid JSON; send an object such as {"text": "Hello"}'

_HTTP_CODES: Final = {404: "not_found", 405: "method_not_allowed"}


def outcome_of(error: ServiceError) -> Outcome:
    return ERROR_TABLE[error.code].outcome


def problem(
    scope: Scope, code: str, message: str, detail: dict[str, object], retry_after: float | None
) -> Response:
    """The answer to a failed request; also notes the failure for telemetry."""
    kind = ERROR_TABLE[code]
    state = request_state(scope)
    state.failed(kind.outcome, code, message)
    context = trace.get_current_span().get_span_context()
    content: dict[str, Any] = {
        "type": f"urn:chatterbox:error:{code}",
        "title": HTTPStatus(kind.status).phrase,
        "status": kind.status,
        "detail": message,
        "code": code,
        "request_id": state.request_id,
    }
    if context.is_valid:
        content["trace_id"] = trace.format_trace_id(context.trace_id)
    if detail:
        content["errors"] = detail
    headers = {} if retry_after is None else {"Retry-After": str(max(1, round(retry_after)))}
    # In ASCII: what the caller sent may hold half a surrogate pair, which UTF-8 can't.
    body = json.dumps(content, separators=(",", ":"))
    return Response(body, kind.status, headers, media_type="application/problem+json")


def service_problem(scope: Scope, error: ServiceError) -> Response:
    return problem(scope, error.code, error.message, dict(error.detail), error.retry_after)


def as_service_error(error: RequestValidationError) -> ServiceError:
    """What pydantic and FastAPI found, as one of our errors."""
    found = error.errors()
    first = found[0]
    where = ".".join(str(part) for part in first["loc"][1:])
    if first["type"] == "json_invalid":
        return errors.InvalidJson(_NOT_JSON)
    unknown = [item for item in found if item["type"] == "extra_forbidden"]
    if unknown:
        names = [".".join(str(part) for part in item["loc"][1:])[:80] for item in unknown[:20]]
        return errors.UnknownParameter(
            "The request has parameters that do not exist; /docs lists those that do",
            detail={"unknown": names},
        )
    if where == "text":
        value = first.get("input")
        if first["type"] == "string_unicode":
            return errors.InvalidText("The text holds half a surrogate pair, which nobody can speak")
        if first["type"] == "missing" or value is None:
            return errors.EmptyText()
    places = [
        {"parameter": ".".join(str(part) for part in item["loc"][1:])[:80], "problem": item["msg"]}
        for item in found[:20]
    ]
    if first["type"] == "missing" and not where:
        return errors.InvalidRequest('The request has no body; send JSON such as {"text": "Hello"}')
    if first["type"] == "model_attributes_type":
        return errors.InvalidRequest(
            'The body is no JSON object; send one such as {"text": "Hello"} as Content-Type: application/json'
        )
    # The name of a known parameter is ours; where the whole body is wrong, there is none.
    return errors.InvalidRequest(
        f"{where or 'The body'}: {first['msg']}" if len(found) == 1 else "Several parameters are wrong",
        detail={"problems": places},
    )


class Problem(BaseModel):
    """An error (RFC 9457)."""

    type: str = Field(description="The code as a URN.")
    title: str = Field(description="The status in words.")
    status: int = Field(description="The HTTP status.")
    detail: str = Field(description="What is wrong and the way out.")
    code: str = Field(description="A row of the error table; match on this.")
    request_id: str = Field(description="The answer's `X-Request-ID`.")
    trace_id: str | None = Field(None, description="The trace's id, as in `traceresponse`; none for probes.")
    errors: dict[str, Any] | None = Field(None, description="Facts: limits, what is available.")


def problem_responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """What an operation's document says about its errors."""
    content = {"application/problem+json": {"schema": Problem.model_json_schema()}}
    described: dict[int | str, dict[str, Any]] = {
        status: {
            "description": "; ".join(
                f"`{kind.code}`: {kind.meaning}" for kind in ERROR_TABLE.values() if kind.status == status
            ),
            "content": content,
        }
        for status in statuses
    }
    # Without a default FastAPI documents its own 422, which this service never sends.
    described["default"] = {"description": "Any other error.", "content": content}
    return described


def add_error_handlers(app: FastAPI) -> None:
    """Make every error of the application answer in the one shape."""

    async def on_service_error(request: Request, error: Exception) -> Response:
        assert isinstance(error, ServiceError)  # noqa: S101  # registered for this class only
        return service_problem(request.scope, error)

    async def on_validation_error(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)  # noqa: S101  # registered for this class only
        return service_problem(request.scope, as_service_error(error))

    async def on_http_error(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)  # noqa: S101  # registered for this class only
        cause = error.__cause__  # of a failure while FastAPI read the body
        if isinstance(cause, ServiceError):
            return service_problem(request.scope, cause)
        if isinstance(cause, ClientDisconnect):
            left = ERROR_TABLE[errors.Cancelled.code]
            request_state(request.scope).failed(left.outcome, left.code, left.meaning)
            return Response(status_code=left.status)  # for logs and metrics, nobody reads it
        if isinstance(cause, (ValueError, RecursionError)):  # no UTF-8, huge numbers, deep nesting
            return service_problem(request.scope, errors.InvalidJson(_NOT_JSON))
        code = _HTTP_CODES.get(error.status_code, errors.InvalidRequest.code)
        response = problem(request.scope, code, ERROR_TABLE[code].meaning, {}, None)
        response.headers.update(error.headers or {})
        return response

    app.add_exception_handler(ServiceError, on_service_error)
    app.add_exception_handler(RequestValidationError, on_validation_error)
    app.add_exception_handler(HTTPException, on_http_error)


class ErrorBoundary:
    """Turns what nobody expected into a 500, or, once bytes have left, into a broken connection."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = False

        async def watched_send(message: Message) -> None:
            nonlocal started
            started = started or message["type"] == "http.response.start"
            await send(message)

        try:
            await self._app(scope, receive, watched_send)
        except Exception as error:
            if scope["type"] != "http":
                raise
            cause = error.__cause__ if isinstance(error.__cause__, ServiceError) else error
            if not isinstance(cause, ServiceError):
                event(logger, logging.ERROR, "Unexpected error", error=error)
            if started:
                code = cause.code if isinstance(cause, ServiceError) else ServiceError.code
                request_state(scope).failed(Outcome.ABORTED, code, ERROR_TABLE[code].meaning)
                raise
            await problem(scope, ServiceError.code, ERROR_TABLE[ServiceError.code].meaning, {}, None)(
                scope, receive, send
            )


class BodyLimit:
    """Refuses bodies over the limit before they are read, and stops reading where their size was not told."""

    def __init__(self, app: ASGIApp, max_bytes: int) -> None:
        self._app = app
        self._max_bytes = max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        error = errors.BodyTooLarge(
            f"The body is larger than {self._max_bytes} bytes", detail={"limit": self._max_bytes}
        )
        told = next((value for name, value in scope["headers"] if name == b"content-length"), b"0")
        if told.isdigit() and int(told) > self._max_bytes:
            await service_problem(scope, error)(scope, receive, send)
            return
        received = 0

        async def limited_receive() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > self._max_bytes:
                raise error
            return message

        await self._app(scope, limited_receive, send)
