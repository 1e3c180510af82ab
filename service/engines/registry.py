"""The configured models: which there are, what state each is in, loading and unloading."""

import logging
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from enum import StrEnum
from threading import Lock, Timer
from time import monotonic
from typing import Final

from service.config import EngineModel, PiperModel
from service.engines.base import SpeechEngine
from service.engines.piper import PiperEngine
from service.engines.priority import yield_to_others
from service.errors import EngineLoading, EngineUnavailable, ServiceError, UnknownModel
from telemetry import metrics
from telemetry.logs import event

logger = logging.getLogger(__name__)

RETRY_FAILED_SECONDS: Final = 15
"""How long a model that could not be loaded is left alone before a request tries again."""


class ModelState(StrEnum):
    UNLOADED = "unloaded"
    LOADING = "loading"
    READY = "ready"
    FAILED = "failed"


def make_engine(settings: EngineModel) -> SpeechEngine:
    """The engine that a model's settings name."""
    if isinstance(settings, PiperModel):
        return PiperEngine(settings.voices, settings.default_voice, settings.threads)
    raise EngineUnavailable(f"There is no engine {settings.engine}")


class Model:
    """One configured model: an engine with its weights, loaded or not. Safe to use from any thread."""

    def __init__(self, name: str, settings: EngineModel, loader: ThreadPoolExecutor) -> None:
        self.name = name
        self.settings = settings
        self.engine = make_engine(settings)
        self.problem: str | None = None
        self.was_loaded = False
        self._state = ModelState.UNLOADED
        self._loader = loader
        self._loading: Future[None] | None = None
        self._failed_at = 0.0
        self._users = 0
        self._idle: Timer | None = None
        self._lock = Lock()
        self._enter(ModelState.UNLOADED)

    @property
    def state(self) -> ModelState:
        return self._state

    def load(self) -> Future[None]:
        """Load if need be. The future fails with what `SpeechEngine.load` raises."""
        with self._lock:
            if self._loading is not None:
                retry = self._state is ModelState.FAILED and (
                    monotonic() - self._failed_at > RETRY_FAILED_SECONDS
                )
                if not retry:
                    return self._loading
            self._enter(ModelState.LOADING)
            self._loading = self._loader.submit(self._load)
            return self._loading

    def _load(self) -> None:
        try:
            self.engine.load()
        except Exception as error:
            known = isinstance(error, ServiceError)
            problem = str(error) if known else f"Loading failed ({type(error).__name__})"
            with self._lock:
                self.problem = problem
                self._failed_at = monotonic()
                self._enter(ModelState.FAILED)
            metrics.ENGINE_LOADS.labels(self.name, "failed").inc()
            event(
                logger,
                logging.ERROR,
                f"Model {self.name} could not be loaded: {problem}",
                error=None if known else error,
            )
            raise EngineUnavailable(
                f"Model {self.name} is not available: {problem}", retry_after=RETRY_FAILED_SECONDS
            ) from error
        with self._lock:
            self.problem = None
            self.was_loaded = True
            self._enter(ModelState.READY)
        metrics.ENGINE_LOADS.labels(self.name, "ok").inc()
        event(logger, logging.INFO, f"Model {self.name} loaded")

    @contextmanager
    def lease(self) -> Iterator[SpeechEngine]:
        """Keep the model loaded while the body runs.

        Raises:
            EngineLoading: it is not loaded (any more); trying again loads it.
        """
        with self._lock:
            if self._state is not ModelState.READY:
                raise EngineLoading(f"Model {self.name} is loading, try again", retry_after=1)
            self._users += 1
            self._cancel_idle()
        try:
            yield self.engine
        finally:
            with self._lock:
                self._users -= 1
                if not self._users and self.settings.idle_unload_seconds:
                    self._idle = Timer(self.settings.idle_unload_seconds, self._unload_if_idle)
                    self._idle.daemon = True
                    self._idle.start()

    def _unload_if_idle(self) -> None:
        with self._lock:
            if self._users or self._state is not ModelState.READY:
                return
            self._unload()
        event(logger, logging.INFO, f"Model {self.name} unloaded: idle")

    def close(self) -> None:
        with self._lock:
            self._cancel_idle()
            if self._state is ModelState.READY and not self._users:
                self._unload()

    def _unload(self) -> None:
        self.engine.unload()
        self._loading = None
        self._enter(ModelState.UNLOADED)

    def _cancel_idle(self) -> None:
        if self._idle is not None:
            self._idle.cancel()
            self._idle = None

    def _enter(self, state: ModelState) -> None:
        self._state = state
        for each in ModelState:
            metrics.ENGINE_STATE.labels(self.name, each.value).set(each is state)


class ModelRegistry:
    """All configured models.

    Args:
        models: settings by model name.
        default: the model for requests that name none; the first one if not given.
    """

    def __init__(self, models: Mapping[str, EngineModel], default: str | None = None) -> None:
        self._loader = ThreadPoolExecutor(1, "model-loader", initializer=yield_to_others)
        self.models = {name: Model(name, settings, self._loader) for name, settings in models.items()}
        self.default = default or next(iter(self.models))

    def get(self, name: str | None) -> Model:
        """The model of that name, or the default.

        Raises:
            UnknownModel: there is none.
        """
        model = self.models.get(self.default if name is None else name)
        if model is None:
            raise UnknownModel(name or "", list(self.models))
        return model

    def preload(self) -> None:
        """Begin to load every model that is to be there from the start."""
        wanted = [model for model in self.models.values() if model.settings.preload]
        pending = len(wanted)
        lock = Lock()

        def note(loading: Future[None]) -> None:
            nonlocal pending
            with lock:
                pending -= 1
                last = pending == 0
            if last and all(model.state is ModelState.READY for model in wanted):
                event(logger, logging.INFO, "Models preloaded successfully")

        for model in wanted:
            model.load().add_done_callback(note)

    @property
    def starting(self) -> bool:
        """Whether a model that is to be there from the start is still on its way."""
        return any(
            model.settings.preload and not model.was_loaded and model.problem is None
            for model in self.models.values()
        )

    def loaded(self, operation: str) -> bool:
        """Whether some model that does the operation can work now."""
        return any(
            model.state is ModelState.READY and operation in model.engine.capabilities.operations
            for model in self.models.values()
        )

    def close(self) -> None:
        """Unload everything; nothing may be in use."""
        self._loader.shutdown(wait=True, cancel_futures=True)
        for model in self.models.values():
            model.close()
