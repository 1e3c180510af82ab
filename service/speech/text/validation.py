"""Whether a text can be spoken at all."""

import re
from typing import Final

from service.errors import EmptyText, InvalidText, TextTooLong

#: One character that makes a sound: a letter or digit of any script, or a sign that is read as a word.
SPEAKABLE_CLASS: Final = r"[^\W_]|[&@%‰$€£¥₹₩₽₿¢§°©×÷±√∞≈≠≤≥]"
_SPEAKABLE = re.compile(SPEAKABLE_CLASS)
_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")


def is_speakable(text: str) -> bool:
    """Whether any character of the text makes a sound."""
    return _SPEAKABLE.search(text) is not None


def validate(text: str, *, max_length: int) -> None:
    """Checks a text before any work is done on it, in one pass.

    Args:
        text: what the caller wants spoken.
        max_length: the most characters (Unicode code points) allowed.

    Raises:
        EmptyText: nothing in it makes a sound (blank, punctuation or emoji only).
        TextTooLong: more than `max_length` characters.
        InvalidText: a control character other than tab, newline and carriage return, or a lone surrogate.
    """
    if not text or text.isspace():
        raise EmptyText
    if len(text) > max_length:
        raise TextTooLong(len(text), max_length)
    forbidden = _FORBIDDEN.search(text)
    if forbidden:
        kind = "a lone surrogate" if "\ud800" <= forbidden.group() <= "\udfff" else "a control character"
        raise InvalidText(
            f"Text holds {kind}, U+{ord(forbidden.group()):04X}, at index {forbidden.start()}; "
            "remove it (tab, newline and carriage return are fine).",
            detail={"character": f"U+{ord(forbidden.group()):04X}", "index": forbidden.start()},
        )
    if not is_speakable(text):
        raise EmptyText
