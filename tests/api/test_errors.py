"""Requests that are wrong, each in its own way, and what they are told."""

import json
from collections.abc import Iterator

import httpx
import pytest

from tests.api.answers import FORMATS, TTS, caller, engine_is_free, files_of, heard, problem
from tests.api.voices import SILENT
from tests.server import RunningServer, wait_until

JSON = {"Content-Type": "application/json"}


@pytest.fixture(scope="module", autouse=True)
def unharmed(server: RunningServer) -> Iterator[None]:
    """However wrong its requests were, the service serves on and leaves no file behind."""
    before = files_of(server)
    yield
    wait_until(lambda: engine_is_free(server))
    with server.client() as client:
        assert heard(client.post(TTS, json={"text": "Good morning."})).seconds > 0.3
        assert client.get("/health").json()["status"] == "healthy"
    assert files_of(server) == before


@pytest.mark.parametrize(
    ("body", "code"),
    [
        pytest.param({}, "empty_text", id="no text"),
        pytest.param({"text": None}, "empty_text", id="null text"),
        pytest.param({"text": ""}, "empty_text", id="empty text"),
        pytest.param({"text": " \n\t\u00a0\u2003"}, "empty_text", id="blanks"),
        pytest.param({"text": "..."}, "empty_text", id="dots"),
        pytest.param({"text": "?! -- ()"}, "empty_text", id="punctuation"),
        pytest.param({"text": "😀🎉👩‍👩‍👧"}, "empty_text", id="emoji"),
        pytest.param({"text": "[1]", "remove_reference_numbers": True}, None, id="a reference alone"),
        pytest.param({"text": "a" * 10_001}, "text_too_long", id="one character too long"),
        pytest.param({"text": "a\x00b"}, "invalid_text", id="null character"),
        pytest.param({"text": "a\x1bb"}, "invalid_text", id="escape character"),
        pytest.param({"text": "a\ud800b"}, "invalid_text", id="lone surrogate"),
        pytest.param({"text": "\udfff"}, "invalid_text", id="lone low surrogate"),
        pytest.param({"text": 5}, "invalid_request", id="text is a number"),
        pytest.param({"text": ["a"]}, "invalid_request", id="text is an array"),
        pytest.param({"text": "a", "speed": 0}, "invalid_request", id="speed 0"),
        pytest.param({"text": "a", "speed": -1}, "invalid_request", id="negative speed"),
        pytest.param({"text": "a", "speed": 4.01}, "invalid_request", id="speed over the range"),
        pytest.param({"text": "a", "speed": float("nan")}, "invalid_request", id="speed is NaN"),
        pytest.param(
            {"text": "a", "temperature": float("inf")}, "invalid_request", id="infinite temperature"
        ),
        pytest.param(
            {"text": "a", "temperature": float("-inf")}, "invalid_request", id="-infinite temperature"
        ),
        pytest.param({"text": "a", "seed": float("nan")}, "invalid_request", id="seed is NaN"),
        pytest.param({"text": "a", "seed": -1}, "invalid_request", id="negative seed"),
        pytest.param({"text": "a", "seed": 2**32}, "invalid_request", id="seed over the range"),
        pytest.param({"text": "a", "seed": 1.5}, "invalid_request", id="seed is no integer"),
        pytest.param({"text": "a", "cfg_weight": 1.1}, "invalid_request", id="cfg_weight over the range"),
        pytest.param({"text": "a", "exaggeration": "much"}, "invalid_request", id="exaggeration is a word"),
        pytest.param({"text": "a", "sample_rate": 7999}, "invalid_request", id="sample rate too low"),
        pytest.param({"text": "a", "sample_rate": 48_001}, "invalid_request", id="sample rate too high"),
        pytest.param({"text": "a", "stream": "perhaps"}, "invalid_request", id="stream is a word"),
        pytest.param({"text": "a", "voice": 1}, "invalid_request", id="voice is a number"),
        pytest.param({"text": "a", "voice": "bob"}, "unknown_voice", id="unknown voice"),
        pytest.param({"text": "a", "voice": ""}, "unknown_voice", id="empty voice"),
        pytest.param({"text": "a", "voice": "\ud800"}, "unknown_voice", id="surrogate voice"),
        pytest.param({"text": "a", "voice": "../../etc/passwd"}, "unknown_voice", id="voice is a path"),
        pytest.param({"text": "a", "model": "bob"}, "unknown_model", id="unknown model"),
        pytest.param({"text": "a", "model": "\ud800"}, "unknown_model", id="surrogate model"),
        pytest.param({"text": "a", "format": "midi"}, "unsupported_format", id="unknown format"),
        pytest.param({"text": "a", "format": ""}, "unsupported_format", id="empty format"),
        pytest.param({"text": "a", "format": "MP3"}, "unsupported_format", id="format in capitals"),
        pytest.param({"text": "a", "format": "\ud800"}, "unsupported_format", id="surrogate format"),
        pytest.param(
            {"text": "a", "format": "mp3", "sample_rate": 20_000}, "unsupported_sample_rate", id="mp3 rate"
        ),
        pytest.param({"text": "a", "colour": "red"}, "unknown_parameter", id="unknown parameter"),
        pytest.param({"text": "a", "\ud800": 1}, "invalid_request", id="surrogate parameter"),
        pytest.param({"text": SILENT}, "empty_audio", id="a letter without a sound"),
        pytest.param({"text": "a", "reference_audio": "é"}, "invalid_audio", id="reference is no base64"),
        pytest.param({"text": "a", "reference_audio": "AAA"}, "invalid_audio", id="base64 cut short"),
    ],
)
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_a_wrong_body(client: httpx.Client, body: dict[str, object], code: str | None, stream: bool) -> None:
    response = client.post(TTS, content=json.dumps({"stream": stream, **body}), headers=JSON)
    if code is None:
        assert response.status_code == 200
    else:
        problem(response, code)


@pytest.mark.parametrize(
    ("content", "code"),
    [
        pytest.param(b"", "invalid_request", id="nothing"),
        pytest.param(b"{", "invalid_json", id="an open brace"),
        pytest.param(b"text=Hello", "invalid_json", id="a form"),
        pytest.param(b'{"text": "Hello"', "invalid_json", id="cut short"),
        pytest.param(b'\xff\xfe{"text"', "invalid_json", id="no UTF-8"),
        pytest.param(b"[" * 100_000, "invalid_json", id="nested deeply"),
        pytest.param(b'{"text": "a", "seed": ' + b"9" * 5000 + b"}", "invalid_json", id="a huge number"),
        pytest.param(b'["text", "Hello"]', "invalid_request", id="an array"),
        pytest.param(b'"Hello"', "invalid_request", id="a string"),
        pytest.param(b"null", "invalid_request", id="null"),
    ],
)
def test_a_body_that_is_no_json_object(client: httpx.Client, content: bytes, code: str) -> None:
    body = problem(client.post(TTS, content=content, headers=JSON), code)
    assert '{"text": "Hello"}' in str(body["detail"]), "tells the way out"


@pytest.mark.parametrize(
    "content_type", [None, "text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "x"]
)
def test_a_wrong_content_type(client: httpx.Client, content_type: str | None) -> None:
    headers = {} if content_type is None else {"Content-Type": content_type}
    response = client.post(TTS, content=b'{"text": "Hello"}', headers=headers)
    assert "Content-Type: application/json" in str(problem(response, "invalid_request")["detail"])


def test_no_body_at_all(client: httpx.Client) -> None:
    problem(client.post(TTS), "invalid_request")


@pytest.mark.parametrize("told", [True, False], ids=["content-length", "chunked"])
def test_a_huge_body(client: httpx.Client, told: bool) -> None:
    megabyte = b" " * 2**20
    content = 21 * megabyte if told else (megabyte for _ in range(21))
    body = problem(client.post(TTS, content=content, headers=JSON), "body_too_large")
    assert body["errors"] == {"limit": 20 * 2**20}


def test_a_huge_body_is_refused_before_it_is_sent(server: RunningServer) -> None:
    with caller(server) as sender:
        sender.begin("huge", 10 * 2**30)
        assert b'"code":"body_too_large"' in sender.read_audio()


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS"])
def test_a_method_that_is_not_there(client: httpx.Client, method: str) -> None:
    response = client.request(method, TTS)
    assert response.headers["Allow"] == "POST"
    if method == "HEAD":
        assert response.status_code == 405
    else:
        problem(response, "method_not_allowed")


@pytest.mark.parametrize(
    "path", ["/", "/nothing", "/api/v1", "/api/v1/tts/x", "/%00", "/api/v1/../../etc/passwd"]
)
def test_an_address_that_is_not_there(client: httpx.Client, path: str) -> None:
    problem(client.get(path), "not_found")


@pytest.mark.parametrize(
    "accept", ["application/json", "audio/wav;q=0.5, application/json", "APPLICATION/JSON"]
)
def test_a_stream_as_json(client: httpx.Client, accept: str) -> None:
    response = client.post(TTS, json={"text": "Hello", "stream": True}, headers={"Accept": accept})
    problem(response, "not_acceptable")


def test_what_is_available_is_told(client: httpx.Client) -> None:
    def errors(code: str, **asked: object) -> object:
        return problem(client.post(TTS, json={"text": "Hello", **asked}), code)["errors"]

    assert errors("unknown_voice", voice="bob") == {"voice": "bob", "model": "piper", "available": ["joe"]}
    assert errors("unknown_model", model="bob") == {"model": "bob", "available": ["piper"]}
    assert errors("unsupported_format", format="midi") == {"format": "midi", "available": list(FORMATS)}
    assert errors("unknown_parameter", colour=1, size=2) == {"unknown": ["colour", "size"]}
    assert errors("unsupported_sample_rate", format="opus", sample_rate=44_100) == {
        "format": "opus",
        "sample_rate": 44_100,
        "available": [8000, 12_000, 16_000, 24_000, 48_000],
    }
    assert errors("text_too_long", text="a" * 10_007) == {"length": 10_007, "limit": 10_000}
    assert errors("invalid_text", text="ab\x07") == {"character": "U+0007", "index": 2}
    assert errors("invalid_request", speed=9, seed=-1) == {
        "problems": [
            {"parameter": "seed", "problem": "Input should be greater than or equal to 0"},
            {"parameter": "speed", "problem": "Input should be less than or equal to 4"},
        ]
    }


def test_the_longest_text_is_not_too_long(client: httpx.Client) -> None:
    asked = {"text": "word " * 1999 + "words", "stream": True}
    with client.stream("POST", TTS, json=asked) as response:
        assert response.status_code == 200


def test_a_wrong_request_is_counted_and_logged_as_invalid(
    server: RunningServer, client: httpx.Client
) -> None:
    name = "http_server_request_duration_seconds_count"
    before = server.metric(name, outcome="invalid", status="400", route=TTS)
    response = client.post(TTS, json={"text": ""})
    assert server.metric(name, outcome="invalid", status="400", route=TTS) == before + 1
    line = server.lines_of(response.headers["X-Request-ID"], "Request failed")[-1]
    assert (line["outcome"], line["error_code"]) == ("invalid", "empty_text")
    assert line["error"] == "Text cannot be empty"
