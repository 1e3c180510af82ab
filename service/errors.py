"""What can go wrong, as one tree of exceptions.

Every class has a `code`: the stable name callers match on. The message says what is wrong and the way
out. It is logged, so it never repeats what the caller sent; `detail` goes to the caller alone and may.
`service/api/errors.py` maps the tree to HTTP.
"""

from collections.abc import Mapping, Sequence
from typing import ClassVar


class ServiceError(Exception):
    """Anything the service refuses or fails to do.

    Args:
        message: what is wrong and what to do, in a sentence or two, safe to log.
        detail: facts a program can use (limits, what is available); plain JSON values, never logged.
        retry_after: seconds after which trying again makes sense, if it does.
    """

    code: ClassVar[str] = "internal_error"

    def __init__(
        self, message: str, *, detail: Mapping[str, object] | None = None, retry_after: float | None = None
    ) -> None:
        super().__init__(message)
        self.message = message
        self.detail: Mapping[str, object] = detail or {}
        self.retry_after = retry_after


class InvalidRequest(ServiceError):
    """The request is malformed or a value is out of range."""

    code = "invalid_request"


class InvalidJson(InvalidRequest):
    code = "invalid_json"


class UnknownParameter(InvalidRequest):
    code = "unknown_parameter"


class EmptyText(InvalidRequest):
    """There is nothing to speak: no text, blanks, or only punctuation."""

    code = "empty_text"

    def __init__(self) -> None:
        super().__init__("Text cannot be empty")


class InvalidText(InvalidRequest):
    """Text holds characters nobody can speak: control characters or lone surrogates."""

    code = "invalid_text"


class TextTooLong(ServiceError):
    code = "text_too_long"

    def __init__(self, length: int, limit: int) -> None:
        super().__init__(
            f"Text has {length} characters; the limit is {limit}. Send it in parts, "
            "or ask the operator to raise api.max_text_length.",
            detail={"length": length, "limit": limit},
        )


class UnsupportedFormat(ServiceError):
    code = "unsupported_format"

    def __init__(self, name: str, available: Sequence[str]) -> None:
        super().__init__(
            f"Audio format not supported; available: {', '.join(available)}",
            detail={"format": name[:40], "available": list(available)},
        )


class UnsupportedSampleRate(InvalidRequest):
    code = "unsupported_sample_rate"


class NotAcceptable(InvalidRequest):
    """The answer can't have the form that the caller accepts."""

    code = "not_acceptable"


class BodyTooLarge(ServiceError):
    code = "body_too_large"


class InvalidAudio(ServiceError):
    """What was sent as audio is not audio."""

    code = "invalid_audio"


class UnknownModel(ServiceError):
    code = "unknown_model"

    def __init__(self, name: str, available: Sequence[str]) -> None:
        super().__init__(
            f"No such model; available: {', '.join(available) or 'none'}",
            detail={"model": name[:80], "available": list(available)},
        )


class UnknownVoice(ServiceError):
    code = "unknown_voice"

    def __init__(self, name: str, model: str, available: Sequence[str]) -> None:
        super().__init__(
            f"No such voice in model {model}; available: {', '.join(available) or 'none'}",
            detail={"voice": name[:80], "model": model, "available": list(available)},
        )


class Overloaded(ServiceError):
    """More work is waiting than the service takes."""

    code = "overloaded"


class EngineLoading(ServiceError):
    code = "engine_loading"


class EngineUnavailable(ServiceError):
    """The engine could not be loaded, or what it needs is missing."""

    code = "engine_unavailable"


class EngineFailed(ServiceError):
    """The engine broke while it worked."""

    code = "engine_failed"


class EmptyAudio(ServiceError):
    """The engine reported success and gave no audio."""

    code = "empty_audio"


class Draining(ServiceError):
    """The service is shutting down and takes no new work."""

    code = "draining"


class Cancelled(ServiceError):
    """The caller went away; nobody is left to be told."""

    code = "client_closed_request"


class SettingsError(ServiceError):
    """A setting is unknown, wrong, or asks for something this version does not have."""

    code = "invalid_settings"
