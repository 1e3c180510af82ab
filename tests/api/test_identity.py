"""Who a request is: its id and its trace, taken or made, and always given back."""

import re

import httpx
import pytest

from tests.api.answers import TTS, problem, trace_id
from tests.server import RunningServer

TRACE = "0af7651916cd43dd8448eb211c80319c"
PARENT = "b7ad6b7169203331"

EVERYWHERE = [
    ("GET", "/livez"),
    ("GET", "/readyz"),
    ("GET", "/startupz"),
    ("GET", "/health"),
    ("GET", "/api/v1/health"),
    ("GET", "/api/v1/metrics"),
    ("GET", "/metrics"),
    ("GET", "/api/v1/models"),
    ("GET", "/docs"),
    ("GET", "/openapi.json"),
    ("GET", "/nothing"),
    ("POST", "/livez"),
    ("GET", TTS),
    ("POST", TTS),
]


@pytest.mark.parametrize(("method", "path"), EVERYWHERE)
def test_every_answer_gives_the_request_id_back(client: httpx.Client, method: str, path: str) -> None:
    response = client.request(method, path, headers={"X-Request-ID": "order-66:a.b_c"})
    assert response.headers.get_list("X-Request-ID") == ["order-66:a.b_c"]


def test_speech_gives_the_request_id_back(client: httpx.Client) -> None:
    for stream in (False, True):
        response = client.post(
            TTS, json={"text": "Hello.", "stream": stream}, headers={"X-Request-ID": f"hello-{stream}"}
        )
        assert response.status_code == 200
        assert response.headers["X-Request-ID"] == f"hello-{stream}"


@pytest.mark.parametrize(
    "wrong",
    [b"", b"a b", b"a" * 129, b'a"b', b"a;b", b"\xc3\xa9", b"a/b", b"{}", b"a\tb", b"<script>"],
)
def test_a_malformed_request_id_is_replaced(client: httpx.Client, wrong: bytes) -> None:
    response = client.get("/livez", headers=[(b"X-Request-ID", wrong)])
    assert re.fullmatch("[0-9a-f]{32}", response.headers["X-Request-ID"])


def test_the_longest_request_id_is_taken(client: httpx.Client) -> None:
    response = client.get("/livez", headers={"X-Request-ID": "a" * 128})
    assert response.headers["X-Request-ID"] == "a" * 128


def test_each_request_without_an_id_gets_its_own(client: httpx.Client) -> None:
    assert len({client.get("/livez").headers["X-Request-ID"] for _ in range(5)}) == 5


@pytest.mark.parametrize("flags", ["00", "01"])
def test_a_trace_is_continued(server: RunningServer, client: httpx.Client, flags: str) -> None:
    headers = {"traceparent": f"00-{TRACE}-{PARENT}-{flags}"}
    response = client.post(TTS, json={"text": "Hello."}, headers=headers)
    assert trace_id(response) == TRACE
    assert PARENT not in response.headers["traceresponse"], "tells our span, not the caller's"
    lines = server.lines_of(response.headers["X-Request-ID"], "Request completed")
    assert {line["trace_id"] for line in lines} == {TRACE}


@pytest.mark.parametrize(
    "wrong",
    ["", "nonsense", f"00-{'0' * 32}-{PARENT}-01", f"00-{TRACE}-{'0' * 16}-01", f"ff-{TRACE}-{PARENT}-01"],
)
def test_a_malformed_trace_begins_anew(client: httpx.Client, wrong: str) -> None:
    response = client.post(TTS, json={"text": ""}, headers={"traceparent": wrong})
    assert trace_id(response) not in (TRACE, "0" * 32)


def test_an_error_stands_in_the_callers_trace(client: httpx.Client) -> None:
    headers = {"traceparent": f"00-{TRACE}-{PARENT}-01", "X-Request-ID": "mine"}
    body = problem(client.post(TTS, json={"text": ""}, headers=headers), "empty_text")
    assert (body["request_id"], body["trace_id"]) == ("mine", TRACE)
