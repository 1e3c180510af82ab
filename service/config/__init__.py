"""The settings, and `load_settings`, which reads them.

Strongest first: the command line, `CHATTERBOX_*` from the environment, `config.yaml`, the defaults.
`docs/settings.md` is generated from the models.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from pydantic import (
    BaseModel,
    Field,
    PrivateAttr,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_validator,
)

from service.config.sections import (
    DEFAULT_MODELS,
    LOG_FILE_NAME,
    ApiSettings,
    EngineModel,
    LoggingSettings,
    ModelName,
    ModelSettings,
    PathSettings,
    PiperModel,
    SchedulingSettings,
    Section,
    ServerSettings,
    SpeechSettings,
    TelemetrySettings,
    refuse_key,
)
from service.config.shape import Keys, dotted
from service.config.source import RawSettings
from service.errors import SettingsError

__all__ = [
    "ApiSettings",
    "Effective",
    "EngineModel",
    "LoggingSettings",
    "PathSettings",
    "PiperModel",
    "SchedulingSettings",
    "ServerSettings",
    "Settings",
    "SpeechSettings",
    "TelemetrySettings",
    "load_settings",
]

DEFAULT_FILE = Path("config.yaml")


class Effective(NamedTuple):
    """A setting's value as it is used, and its source: `default`, `config.yaml:12`, a variable's name."""

    value: object
    source: str


class Settings(Section):
    """All settings, checked."""

    paths: PathSettings = PathSettings()
    server: ServerSettings = Field(default=ServerSettings(), validate_default=True)
    api: ApiSettings = ApiSettings()
    models: dict[ModelName, ModelSettings] = Field(
        default={name: PiperModel() for name in DEFAULT_MODELS},
        min_length=1,
        description="Models by name: small letters, digits, `.`, `_` and `-`, at most 64. The default is one "
        "named piper, with the defaults of its engine; what is given replaces it.",
    )
    speech: SpeechSettings = Field(default=SpeechSettings(), validate_default=True)
    scheduling: SchedulingSettings = SchedulingSettings()
    logging: LoggingSettings = LoggingSettings()
    telemetry: TelemetrySettings = TelemetrySettings()

    _sources: Mapping[Keys, str] = PrivateAttr(default_factory=dict)

    @field_validator("server")
    @classmethod
    def _log_file_in_logs_dir(cls, server: ServerSettings, info: ValidationInfo) -> ServerSettings:
        if "log_file_path" in server.model_fields_set or "paths" not in info.data:
            return server
        return server.model_copy(update={"log_file_path": str(info.data["paths"].logs_dir / LOG_FILE_NAME)})

    @field_validator("speech")
    @classmethod
    def _model_is_configured(cls, speech: SpeechSettings, info: ValidationInfo) -> SpeechSettings:
        models: Mapping[str, EngineModel] | None = info.data.get("models")
        if models is None:  # they are wrong themselves, and reported
            return speech
        name = speech.default_model
        if name and name not in models:
            message = f"no such model {name!r}; there is {', '.join(models)}"
            raise refuse_key("default_model", message, speech)
        return speech.model_copy(update={"default_model": name or next(iter(models))})

    def effective(self) -> dict[str, Effective]:
        """Every setting by its dotted name, with where its value comes from; secrets are masked."""
        values: dict[str, Effective] = {}
        self._collect((), self, values)
        return values

    def _collect(self, keys: Keys, value: object, values: dict[str, Effective]) -> None:
        if isinstance(value, BaseModel):
            value = dict(value)
        if isinstance(value, dict) and value:
            for key, inner in value.items():
                self._collect((*keys, key), inner, values)
            return
        plain = str(value) if isinstance(value, Path | SecretStr) else value
        values[dotted(keys)] = Effective(plain, self._sources.get(keys, "default"))


def load_settings(
    path: Path | None = None,
    environ: Mapping[str, str] | None = None,
    overrides: Mapping[str, object] | None = None,
) -> Settings:
    """Read the settings.

    Args:
        path: the YAML file. None: `config.yaml` in the working directory, if there is one.
        environ: the environment; None for this process's own.
        overrides: the strongest, from the command line, by dotted names: `{"server.port": 7861}`. One that
            is None was not given.

    Raises:
        SettingsError: anything is unknown, wrong or not to be had; every problem on a line of its own, with
            the place that it comes from.
    """
    raw = RawSettings(Settings)
    if path is not None or DEFAULT_FILE.exists():
        raw.read_file(path or DEFAULT_FILE)
    raw.tree.setdefault("models", {name: dict(model) for name, model in DEFAULT_MODELS.items()})
    raw.read_environment(os.environ if environ is None else environ)
    raw.read_overrides(overrides or {})

    settings = None
    try:
        settings = Settings.model_validate(raw.tree)
    except ValidationError as error:
        raw.report_invalid(error)
    if settings is None or raw.problems:
        # Outside the `except`: a chained ValidationError could show the values of secrets.
        raise SettingsError("\n".join(raw.problem_lines()))
    settings._sources = {keys: origin.label for keys, origin in raw.origins.items()}
    return settings
