"""What stands in a signal for what is private: a length and a keyed hash."""

import hmac
import ipaddress
import secrets
from collections.abc import Mapping
from hashlib import sha256
from types import TracebackType
from typing import Final

PREVIEW_CHARACTERS: Final = 50
USER_AGENT_CHARACTERS: Final = 200
PATH_CHARACTERS: Final = 200


class Redactor:
    """Turns private values into something that can be compared but not read.

    The key is drawn at start, so equal texts look equal within one run of the process and nothing can be
    looked up in a table made elsewhere.

    Args:
        capture_content: show the first 50 characters instead, as the operator asked for.
    """

    def __init__(self, capture_content: bool = False) -> None:
        self.capture_content = capture_content
        self._key = secrets.token_bytes(32)

    def text(self, value: str) -> str:
        """`[50 chars, 3f9a..]`, or a preview where content is captured."""
        if self.capture_content:
            preview = value[:PREVIEW_CHARACTERS]
            return preview + "..." if len(value) > PREVIEW_CHARACTERS else preview
        digest = hmac.new(self._key, value.encode("utf-8", "surrogatepass"), sha256).hexdigest()
        return f"[{len(value)} chars, {digest[:4]}..]"

    def body(self, body: Mapping[str, object]) -> dict[str, object]:
        """A request body for the log: numbers and switches as they are, every text redacted."""
        return {name: self._value(value) for name, value in body.items()}

    def _value(self, value: object) -> object:
        if isinstance(value, Mapping):
            return self.body(value)
        if isinstance(value, str):
            return self.text(value)
        if value is None or isinstance(value, bool | int | float):
            return value
        return f"[{type(value).__name__}]"

    def exception(
        self, kind: type[BaseException], error: BaseException | None, traceback: TracebackType | None
    ) -> dict[str, object]:
        """Type and stack of an exception; a preview of its message, which can hold text, if captured."""
        frames = []
        while traceback is not None:
            code = traceback.tb_frame.f_code
            frames.append(f"{code.co_filename.rpartition('/')[2]}:{traceback.tb_lineno} {code.co_name}")
            traceback = traceback.tb_next
        described: dict[str, object] = {"type": kind.__qualname__, "stack": frames[-30:]}
        if self.capture_content and error is not None:
            described["message"] = self.text(str(error))
        return described


def client_address(address: str | None, policy: str) -> str | None:
    """A caller's address as the operator wants it: "full", "truncated" (/24, /48) or "off"."""
    if address is None or policy == "off":
        return None
    if policy == "full":
        return address
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:  # a Unix socket's, say
        return None
    if isinstance(parsed, ipaddress.IPv6Address):
        parsed = parsed.ipv4_mapped or ipaddress.IPv6Address(int(parsed))  # without its zone
    bits = 24 if parsed.version == 4 else 48
    return str(ipaddress.ip_network((parsed, bits), strict=False).network_address)


def clipped(value: str, limit: int) -> str:
    """What a caller sent, at most `limit` characters of it and none that could steer a terminal."""
    return "".join(character if character.isprintable() else "?" for character in value[:limit])
