"""What is spoken: Harvard sentences, list 1.

From IEEE Recommended Practice for Speech Quality Measurements, 1969.
"""

import re
from itertools import cycle
from typing import Final

SENTENCES: Final = (
    "The birch canoe slid on the smooth planks.",
    "Glue the sheet to the dark blue background.",
    "It's easy to tell the depth of a well.",
    "These days a chicken leg is a rare dish.",
    "Rice is often served in round bowls.",
    "The juice of lemons makes fine punch.",
    "The box was thrown beside the parked truck.",
    "The hogs were fed chopped corn and garbage.",
    "Four hours of steady work faced us.",
    "Large size in stockings is hard to sell.",
)
"""Ten sentences of a line each; none holds a number, so nobody's text normalisation changes them."""

PARAGRAPH: Final = " ".join(SENTENCES)


def unpunctuated(characters: int) -> str:
    """Whole words with nothing but blanks between them, at most so many characters."""
    return _filled(re.sub(r"[^a-z ]", "", PARAGRAPH.lower()).split(), characters)


def long_text(characters: int) -> str:
    """Whole sentences, at most so many characters."""
    return _filled(SENTENCES, characters)


def _filled(parts: tuple[str, ...] | list[str], characters: int) -> str:
    taken: list[str] = []
    length = -1
    for part in cycle(parts):
        length += 1 + len(part)
        if length > characters:
            return " ".join(taken)
        taken.append(part)
    raise AssertionError("a cycle has no end")
