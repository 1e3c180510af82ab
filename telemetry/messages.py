"""The log vocabulary: every field of a line and every message, for the documentation and its tests.

Names and messages are the monitoring guide's; where it shows content, `[50 chars, 3f9a..]` stands for it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

LEVEL_MEANINGS: Final[Mapping[str, str]] = {
    "DEBUG": "stages of an operation; probes, metrics, health and docs",
    "INFO": "what is going on: requests, operations, models, start and end; a caller who left, too",
    "WARNING": "something is not as the operator wanted it, and the service goes on without",
    "ERROR": "something was not done: a request was not answered as asked, a model could not be loaded",
    "CRITICAL": "the process cannot go on",
}

FIELD_MEANINGS: Final[Mapping[str, str]] = {
    "timestamp": "when, in UTC, to the microsecond (ISO 8601)",
    "level": "DEBUG, INFO, WARNING, ERROR, CRITICAL",
    "logger": "the module's full name",
    "message": "what happened",
    "module": "file it comes from",
    "function": "function it comes from",
    "line": "line it comes from",
    "request_id": "the request it belongs to: `X-Request-ID`, taken or made",
    "operation": "the operation it belongs to: tts_generation, vc_generation, ...",
    "trace_id": "the trace it belongs to (W3C, 32 hex digits)",
    "span_id": "the span it belongs to (16 hex digits)",
    "trace_flags": "the trace's flags; it was exported if bit 0 is set",
    "method": "HTTP method, `WEBSOCKET`, or `other`",
    "url": "the request's URL without its query, 200 characters of host and path each",
    "client_ip": "the caller's address, as `logging.client_address` wants it",
    "user_agent": "the caller's program, 200 characters of what it says",
    "body": "the request's parameters: numbers and switches as they are, texts as length and hash",
    "body_size_bytes": "size of the request's body as its header told; 0 where that was not told",
    "status_code": "HTTP status that was sent; 499 where the caller left before one was",
    "outcome": "how the request ended: see [spans.md](spans.md)",
    "duration_ms": "length of the span, of an operation or stage its busy time; the same stands in `data`",
    "response_size_bytes": "bytes of the response's body handed to the server",
    "error": "what was wrong, in words that never repeat what the caller sent",
    "error_code": "its code in the error table",
    "log_file_path": "the log file that cannot be written",
    "data": "facts of the operation: lengths, durations, parameters that are numbers or switches",
    "exception": "`type` and `stack` of one nobody expected; `message` only with `logging.capture_content`",
}


@dataclass(frozen=True, slots=True)
class LogMessage:
    """One message: how it begins, its level, and when it is written."""

    prefix: str
    level: str
    meaning: str


LOG_MESSAGES: Final[tuple[LogMessage, ...]] = (
    LogMessage("Starting Chatterbox TTS Extended Plus API", "INFO", "the process has read its settings"),
    LogMessage("Models preloaded successfully", "INFO", "every model with `preload` can work"),
    LogMessage("Shutting down application", "INFO", "the last request has been answered"),
    LogMessage("Request started: ", "INFO", "a request has come; method and path follow"),
    LogMessage("Request body received", "INFO", "its parameters are well formed"),
    LogMessage(
        "Starting TTS generation for text: ", "INFO", "it will be spoken; the text's stand-in follows"
    ),
    LogMessage("Using reference audio: ", "INFO", "it brings a voice to imitate; its stand-in follows"),
    LogMessage("Completed operation: ", "INFO", "an operation has ended, well or not; its name follows"),
    LogMessage("Completed stage: ", "DEBUG", "a stage of it has; its span's name follows"),
    LogMessage("TTS generation completed successfully", "INFO", "the operation's outcome is `ok`"),
    LogMessage("TTS generation failed", "INFO, ERROR", "it is not; the error's code follows"),
    LogMessage("Speech recognition completed successfully", "INFO", "likewise"),
    LogMessage("Speech recognition failed", "INFO, ERROR", "likewise"),
    LogMessage("Voice conversion completed successfully", "INFO", "likewise"),
    LogMessage("VC generation failed", "INFO, ERROR", "likewise"),
    LogMessage("Voice cloning completed successfully", "INFO", "likewise"),
    LogMessage("Voice cloning failed", "INFO, ERROR", "likewise"),
    LogMessage("Archive operation completed successfully", "INFO", "likewise"),
    LogMessage("Archive operation failed", "INFO, ERROR", "likewise"),
    LogMessage(
        "Request completed: ", "INFO, DEBUG", "a request was answered as asked; DEBUG for probes and the like"
    ),
    LogMessage("Request failed: ", "ERROR, INFO", "it was not; INFO where the caller left"),
    LogMessage("Unexpected error", "ERROR", "a defect; `exception` says where"),
    LogMessage("Model ", "INFO, ERROR", "a model was loaded, unloaded, or could not be loaded"),
    LogMessage("Log file cannot be written", "WARNING", "logs go to the console only"),
    LogMessage("Log file cannot be rotated", "WARNING", "the file grows on; told once"),
)
