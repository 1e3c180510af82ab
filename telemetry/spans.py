"""The span vocabulary: every span, attribute and closed value the service may emit.

Names of operations and stages are ours; `gen_ai.*` attributes follow the OpenTelemetry GenAI semantic
conventions, `http.*` and `url.*` the stable HTTP ones.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final


class Operation(StrEnum):
    """What a caller asked for; the label `operation` everywhere."""

    TEXT_TO_SPEECH = "text_to_speech"
    SPEECH_TO_TEXT = "speech_to_text"
    VOICE_CONVERSION = "voice_conversion"
    VOICE_CLONING = "voice_cloning"
    ARCHIVE = "archive"


class Outcome(StrEnum):
    """How it ended; the label `outcome` everywhere."""

    OK = "ok"
    INVALID = "invalid"
    REJECTED = "rejected"
    CANCELLED = "cancelled"
    ABORTED = "aborted"
    ERROR = "error"
    EMPTY = "empty"


class Stage(StrEnum):
    """A step inside an operation, each a span of its own; the label `stage` without its prefix."""

    QUEUE = "speech.queue"
    NORMALIZE = "speech.normalize"
    CONDITION = "speech.condition"
    GENERATE = "speech.generate"
    EFFECTS = "speech.effects"
    ENCODE = "speech.encode"
    DELIVER = "speech.deliver"

    @property
    def label(self) -> str:
        return self.value.removeprefix("speech.")


OUTCOME_MEANINGS: Final[Mapping[Outcome, str]] = {
    Outcome.OK: "the caller got what was asked for, whole",
    Outcome.INVALID: "the caller's fault: a 4xx",
    Outcome.REJECTED: "overload or quota: 429 or 503 before any work",
    Outcome.CANCELLED: "the client went away",
    Outcome.ABORTED: "failed after the first byte had left",
    Outcome.ERROR: "failed before the first byte",
    Outcome.EMPTY: "the engine reported no error and gave no audio",
}

STAGE_MEANINGS: Final[Mapping[Stage, str]] = {
    Stage.QUEUE: "waiting for a turn on the engine",
    Stage.NORMALIZE: "splitting the text and writing out numbers, dates and abbreviations",
    Stage.CONDITION: "preparing what a voice needs before it speaks",
    Stage.GENERATE: "the engine makes audio from text",
    Stage.EFFECTS: "trimming, loudness, limiting and resampling",
    Stage.ENCODE: "compressing into the asked format",
    Stage.DELIVER: "waiting for the peer to take what is ready",
}

LOG_OPERATIONS: Final[Mapping[Operation, str]] = {
    Operation.TEXT_TO_SPEECH: "tts_generation",
    Operation.SPEECH_TO_TEXT: "asr_recognition",
    Operation.VOICE_CONVERSION: "vc_generation",
    Operation.VOICE_CLONING: "voice_cloning",
    Operation.ARCHIVE: "audio_archive",
}
"""The names that logs use for operations (the monitoring guide's)."""

SUCCESS_MESSAGES: Final[Mapping[Operation, str]] = {
    Operation.TEXT_TO_SPEECH: "TTS generation completed successfully",
    Operation.SPEECH_TO_TEXT: "Speech recognition completed successfully",
    Operation.VOICE_CONVERSION: "Voice conversion completed successfully",
    Operation.VOICE_CLONING: "Voice cloning completed successfully",
    Operation.ARCHIVE: "Archive operation completed successfully",
}

FAILURE_MESSAGES: Final[Mapping[Operation, str]] = {
    Operation.TEXT_TO_SPEECH: "TTS generation failed",
    Operation.SPEECH_TO_TEXT: "Speech recognition failed",
    Operation.VOICE_CONVERSION: "VC generation failed",
    Operation.VOICE_CLONING: "Voice cloning failed",
    Operation.ARCHIVE: "Archive operation failed",
}

OPERATION: Final = "speech.operation"
ENGINE: Final = "speech.engine"
OUTCOME: Final = "speech.outcome"
STREAMED: Final = "speech.streamed"
BUSY_SECONDS: Final = "speech.busy_seconds"
TIME_TO_FIRST_AUDIO: Final = "speech.time_to_first_audio_seconds"
PLAYBACK_UNDERRUN: Final = "speech.playback_underrun_seconds"
REAL_TIME_FACTOR: Final = "speech.real_time_factor"
AUDIO_SECONDS: Final = "speech.audio_seconds"
AUDIO_BYTES: Final = "speech.audio_bytes"
AUDIO_FORMAT: Final = "speech.audio_format"
CHARACTERS: Final = "speech.characters"
CHUNKS: Final = "speech.chunks"
ERROR_TYPE: Final = "error.type"
GEN_AI_OPERATION: Final = "gen_ai.operation.name"
GEN_AI_PROVIDER: Final = "gen_ai.provider.name"
GEN_AI_MODEL: Final = "gen_ai.request.model"
GEN_AI_VOICE: Final = "gen_ai.speech.voice"
HTTP_METHOD: Final = "http.request.method"
HTTP_ROUTE: Final = "http.route"
HTTP_STATUS: Final = "http.response.status_code"
HTTP_RESPONSE_SIZE: Final = "http.response.body.size"
URL_PATH: Final = "url.path"
URL_QUERY: Final = "url.query"
REQUEST_ID: Final = "request.id"
ERROR_MESSAGE: Final = "error.message"
EVENT_STREAM: Final = "speech.event_stream"
USER_AGENT: Final = "user_agent.original"
CLIENT_ADDRESS: Final = "client.address"
CLIENT_PORT: Final = "client.port"
EXCEPTION_TYPE: Final = "exception.type"

ATTRIBUTE_MEANINGS: Final[Mapping[str, str]] = {
    OPERATION: "what was asked for (closed set)",
    ENGINE: "the engine that did it",
    OUTCOME: "how it ended (closed set)",
    STREAMED: "whether audio left while more was being made",
    BUSY_SECONDS: "time spent working, without the waits in between; what histogram, log and JSON show",
    TIME_TO_FIRST_AUDIO: "from the request's arrival to the first audio byte handed to the peer",
    PLAYBACK_UNDERRUN: "the longest a player that starts at the first byte would have had to wait",
    REAL_TIME_FACTOR: "busy seconds over audio seconds",
    AUDIO_SECONDS: "length of the audio made",
    AUDIO_BYTES: "encoded size of the audio made",
    AUDIO_FORMAT: "format of the audio made",
    CHARACTERS: "length of the caller's text",
    CHUNKS: "how many pieces of audio were handed on",
    ERROR_TYPE: "code of the error, from the error table",
    GEN_AI_OPERATION: "the operation, as the GenAI conventions name it",
    GEN_AI_PROVIDER: "the engine, as the GenAI conventions name it",
    GEN_AI_MODEL: "the configured model that was asked for",
    GEN_AI_VOICE: "the configured voice that spoke",
    HTTP_METHOD: "request method",
    HTTP_ROUTE: "route template",
    HTTP_STATUS: "status code sent; 499 where the client left before one was",
    HTTP_RESPONSE_SIZE: "bytes of response body handed to the server",
    URL_PATH: "path of the request",
    URL_QUERY: "always removed: a query can hold keys and text",
    REQUEST_ID: "X-Request-ID, taken or made",
    ERROR_MESSAGE: "what was wrong, in words that never repeat what the caller sent",
    EVENT_STREAM: "the answer is a stream of events, whose length says nothing about speed",
    USER_AGENT: "the caller's program, 200 characters of what it says",
    CLIENT_ADDRESS: "the caller's address, as logging.client_address wants it",
    CLIENT_PORT: "the caller's port; 0 where its address is not kept whole",
    EXCEPTION_TYPE: "class of an exception, in the event `exception`; its message is never kept",
    "url.scheme": "http, https, ws or wss",
    "server.address": "address that the service listens on",
    "server.port": "port that the service listens on",
    "network.protocol.version": "version of HTTP",
    "http.request.method_original": "the method as sent, where it is none of HTTP's own",
    "user_agent.synthetic.type": "bot or test, where the user agent says so",
}
