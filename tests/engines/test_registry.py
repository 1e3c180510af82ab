"""Models and their states, with real engines behind them."""

from collections.abc import Iterator
from concurrent.futures import wait
from contextlib import contextmanager
from pathlib import Path

import pytest

from service.config import PiperModel
from service.engines import registry as registry_module
from service.engines.registry import Model, ModelRegistry, ModelState
from service.errors import EngineLoading, EngineUnavailable, UnknownModel
from tests.api.voices import voice
from tests.server import wait_until


@contextmanager
def registered(models: dict[str, PiperModel], default: str | None = None) -> Iterator[ModelRegistry]:
    registry = ModelRegistry(models, default)
    try:
        yield registry
    finally:
        registry.close()


def on_demand(**settings: object) -> PiperModel:
    return PiperModel.model_validate({"preload": False, "threads": 1, **settings})


def absent(folder: Path, **settings: object) -> PiperModel:
    return PiperModel.model_validate({"voices": {"joe": str(folder / "joe.onnx")}, "threads": 1, **settings})


def test_models_are_found_by_name_and_there_is_a_default() -> None:
    with registered({"a": on_demand(), "b": on_demand()}) as registry:
        assert registry.get(None).name == "a"
        assert registry.get("b").name == "b"
        with pytest.raises(UnknownModel) as caught:
            registry.get("c")
        assert caught.value.detail == {"model": "c", "available": ["a", "b"]}
    with registered({"a": on_demand(), "b": on_demand()}, default="b") as registry:
        assert registry.get(None).name == "b"


def test_a_model_goes_from_unloaded_to_ready_and_back() -> None:
    with registered({"joe": on_demand()}) as registry:
        model = registry.get("joe")
        assert (model.state, registry.starting, registry.loaded("text_to_speech")) == (
            ModelState.UNLOADED,
            False,
            False,
        )
        with pytest.raises(EngineLoading), model.lease():
            pass
        model.load().result()
        assert model.state is ModelState.READY
        assert registry.loaded("text_to_speech")
        assert not registry.loaded("speech_to_text")
        assert model.load() is model.load(), "loaded once, whoever asks"
        with model.lease() as engine:
            assert engine.voices
    assert model.state is ModelState.UNLOADED
    assert model.engine.voices == {}


def test_preloading_ends_the_start(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    with registered({"now": PiperModel(threads=1), "later": on_demand()}) as registry:
        assert registry.starting
        registry.preload()
        wait([registry.get("now").load()])
        assert not registry.starting
        assert registry.get("later").state is ModelState.UNLOADED
    assert "Models preloaded successfully" in caplog.messages


def test_a_model_that_fails_says_why_and_ends_the_start(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with registered({"ghost": absent(tmp_path)}) as registry:
        registry.preload()
        model = registry.get("ghost")
        with pytest.raises(
            EngineUnavailable, match=r"Model ghost is not available: .* does not exist"
        ) as caught:
            model.load().result()
        assert caught.value.retry_after == registry_module.RETRY_FAILED_SECONDS
        assert model.state is ModelState.FAILED
        assert "does not exist: download it" in str(model.problem)
        assert not registry.starting
        with pytest.raises(EngineLoading), model.lease():
            pass
    assert "Models preloaded successfully" not in caplog.messages


def test_a_failed_model_is_left_alone_for_a_while_and_then_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with registered({"joe": absent(tmp_path)}) as registry:
        model = registry.get("joe")
        failed = model.load()
        with pytest.raises(EngineUnavailable):
            failed.result()
        voice(tmp_path, "joe")  # the operator puts the file there
        assert model.load() is failed
        monkeypatch.setattr(registry_module, "RETRY_FAILED_SECONDS", 0)
        model.load().result()
        assert (model.state, model.problem) == (ModelState.READY, None)


def test_an_idle_model_is_unloaded_and_one_in_use_is_not() -> None:
    with registered({"joe": on_demand(idle_unload_seconds=0.05)}) as registry:
        model = registry.get("joe")
        model.load().result()
        with model.lease() as engine:
            with model.lease():
                pass
            # Longer than the idle time, measured by another timer of the same kind.
            with registered({"other": on_demand(idle_unload_seconds=0.1)}) as others:
                _use(others.get("other"))
                wait_until(lambda: others.get("other").state is ModelState.UNLOADED)
            assert model.state is ModelState.READY
            assert engine.voices
        wait_until(lambda: model.state is ModelState.UNLOADED)
        assert model.engine.voices == {}


def _use(model: Model) -> None:
    model.load().result()
    with model.lease():
        pass
