"""An OTLP collector on loopback, over gRPC and over HTTP, that keeps what it is sent."""

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from gzip import decompress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread
from typing import Any

import grpc
from google.protobuf.json_format import MessageToJson
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2 as logs_service
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2_grpc as logs_grpc
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2 as trace_service
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2_grpc as trace_grpc
from opentelemetry.proto.common.v1.common_pb2 import AnyValue
from opentelemetry.proto.trace.v1 import trace_pb2

from tests.server import wait_until

SERVER_KIND = trace_pb2.Span.SPAN_KIND_SERVER


@dataclass(frozen=True)
class ReceivedSpan:
    """One span as the collector got it; times in nanoseconds since the epoch."""

    name: str
    kind: int
    trace_id: str
    span_id: str
    parent_id: str
    start: int
    end: int
    attributes: dict[str, Any]
    events: list[tuple[str, dict[str, Any]]]
    failed: bool

    @property
    def seconds(self) -> float:
        return (self.end - self.start) / 1e9


@dataclass(frozen=True)
class ReceivedLog:
    """One log record as the collector got it."""

    body: str
    severity: str
    trace_id: str
    span_id: str
    flags: int
    attributes: dict[str, Any]


@dataclass
class Collector:
    """What was received so far."""

    endpoint: str = ""
    headers: list[dict[str, str]] = field(default_factory=list)
    resources: list[dict[str, Any]] = field(default_factory=list)
    _spans: list[ReceivedSpan] = field(default_factory=list)
    _logs: list[ReceivedLog] = field(default_factory=list)
    _texts: list[str] = field(default_factory=list)
    _lock: Lock = field(default_factory=Lock)

    @property
    def spans(self) -> list[ReceivedSpan]:
        with self._lock:
            return list(self._spans)

    @property
    def logs(self) -> list[ReceivedLog]:
        with self._lock:
            return list(self._logs)

    @property
    def text(self) -> str:
        """Everything that came, as text: resources, scopes, links and all."""
        with self._lock:
            return "\n".join(self._texts)

    def trace(self, trace_id: str) -> list[ReceivedSpan]:
        """The spans of a trace, by start, once its server span is among them."""

        def whole() -> list[ReceivedSpan]:
            found = [span for span in self.spans if span.trace_id == trace_id]
            return found if any(span.kind == SERVER_KIND for span in found) else []

        return sorted(wait_until(whole, 20), key=lambda span: span.start)

    def logs_of(self, trace_id: str, until: str) -> list[ReceivedLog]:
        """The log records of a trace, once one that starts with `until` is among them."""

        def found() -> list[ReceivedLog]:
            logs = [log for log in self.logs if log.trace_id == trace_id]
            return logs if any(log.body.startswith(until) for log in logs) else []

        return wait_until(found, 20)

    def take_traces(
        self, request: trace_service.ExportTraceServiceRequest, headers: Mapping[str, str]
    ) -> trace_service.ExportTraceServiceResponse:
        with self._lock:
            self.headers.append(dict(headers))
            self._texts.append(MessageToJson(request, ensure_ascii=False))
            for resource in request.resource_spans:
                self.resources.append(_mapping(resource.resource.attributes))
                self._spans += [_span(span) for scope in resource.scope_spans for span in scope.spans]
        return trace_service.ExportTraceServiceResponse()

    def take_logs(
        self, request: logs_service.ExportLogsServiceRequest, headers: Mapping[str, str]
    ) -> logs_service.ExportLogsServiceResponse:
        with self._lock:
            self.headers.append(dict(headers))
            self._texts.append(MessageToJson(request, ensure_ascii=False))
            for resource in request.resource_logs:
                self.resources.append(_mapping(resource.resource.attributes))
                for scope in resource.scope_logs:
                    self._logs += [
                        ReceivedLog(
                            body=log.body.string_value,
                            severity=log.severity_text,
                            trace_id=log.trace_id.hex(),
                            span_id=log.span_id.hex(),
                            flags=log.flags,
                            attributes=_mapping(log.attributes),
                        )
                        for log in scope.log_records
                    ]
        return logs_service.ExportLogsServiceResponse()


def _span(span: trace_pb2.Span) -> ReceivedSpan:
    return ReceivedSpan(
        name=span.name,
        kind=span.kind,
        trace_id=span.trace_id.hex(),
        span_id=span.span_id.hex(),
        parent_id=span.parent_span_id.hex(),
        start=span.start_time_unix_nano,
        end=span.end_time_unix_nano,
        attributes=_mapping(span.attributes),
        events=[(event.name, _mapping(event.attributes)) for event in span.events],
        failed=span.status.code == trace_pb2.Status.STATUS_CODE_ERROR,
    )


def _mapping(pairs: "Any") -> dict[str, Any]:
    return {pair.key: _value(pair.value) for pair in pairs}


def _value(value: AnyValue) -> Any:
    kind = value.WhichOneof("value")
    if kind is None:
        return None
    if kind == "kvlist_value":
        return _mapping(value.kvlist_value.values)
    if kind == "array_value":
        return [_value(item) for item in value.array_value.values]
    return getattr(value, kind)


class _TraceService(trace_grpc.TraceServiceServicer):
    def __init__(self, collector: Collector) -> None:
        self._collector = collector

    def Export(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802  # gRPC's name
        return self._collector.take_traces(request, _metadata(context))


class _LogsService(logs_grpc.LogsServiceServicer):
    def __init__(self, collector: Collector) -> None:
        self._collector = collector

    def Export(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802  # gRPC's name
        return self._collector.take_logs(request, _metadata(context))


def _metadata(context: grpc.ServicerContext) -> dict[str, str]:
    return {str(key): str(value) for key, value in context.invocation_metadata()}


@contextmanager
def grpc_collector() -> Iterator[Collector]:
    """Listen for OTLP over gRPC."""
    collector = Collector()
    server = grpc.server(ThreadPoolExecutor(2))
    trace_grpc.add_TraceServiceServicer_to_server(_TraceService(collector), server)
    logs_grpc.add_LogsServiceServicer_to_server(_LogsService(collector), server)
    port = server.add_insecure_port("127.0.0.1:0")
    collector.endpoint = f"http://127.0.0.1:{port}"
    server.start()
    try:
        yield collector
    finally:
        server.stop(grace=1).wait()


@contextmanager
def http_collector() -> Iterator[Collector]:
    """Listen for OTLP over HTTP with protobuf bodies."""
    collector = Collector()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:  # the standard library's name
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers.get("Content-Encoding") == "gzip":
                body = decompress(body)
            headers = {name.lower(): value for name, value in self.headers.items()}
            answer: Any
            if self.headers["Content-Type"] != "application/x-protobuf":
                self.send_error(415)
                return
            if self.path == "/v1/traces":
                traces = trace_service.ExportTraceServiceRequest.FromString(body)
                answer = collector.take_traces(traces, headers)
            elif self.path == "/v1/logs":
                logs = logs_service.ExportLogsServiceRequest.FromString(body)
                answer = collector.take_logs(logs, headers)
            else:
                self.send_error(404)
                return
            encoded = answer.SerializeToString()
            self.send_response(200)
            self.send_header("Content-Type", "application/x-protobuf")
            self.send_header("Content-Length", str(len(encoded)))
            self.end_headers()
            self.wfile.write(encoded)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the standard library's name
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    collector.endpoint = f"http://127.0.0.1:{server.server_address[1]}"
    thread = Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield collector
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
