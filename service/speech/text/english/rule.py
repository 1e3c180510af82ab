"""A rule of reading: what a kind of token looks like, and how it is said."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

#: Says a token in words, or None to leave it. The flag tells whether dates put the day first (31/12).
Reading = Callable[[re.Match[str], bool], str | None]

# The pieces that patterns are made of. Every quantifier is bounded, or its run can begin only at a
# boundary, so that the time stays linear in the length of the text.
START: Final = r"(?<![^\W_])"
END: Final = r"(?![^\W_])"
WHOLE: Final = r"(?:[0-9]{1,3}(?:,[0-9]{3})+(?![0-9])|[0-9]{1,30})"
NUMBER: Final = rf"(?:{WHOLE}(?:\.[0-9]{{1,30}})?|\.[0-9]{{1,30}})"
MINUS: Final = r"(?:(?<![^\s(\[\"“=<>≤≥*×+/])(?P<minus>[-−]))?"
TO: Final = r"\s?[-–—]\s?"


@dataclass(frozen=True, slots=True)
class Rule:
    """A pattern and the reading of what it matches."""

    pattern: re.Pattern[str]
    reading: Reading


def rule(pattern: str, reading: Reading | str) -> Rule:
    """Makes a rule; a plain string is the reading of every match."""
    if isinstance(reading, str):
        words = reading
        return Rule(re.compile(pattern), lambda match, day_first: words)
    return Rule(re.compile(pattern), reading)


def any_of(words: Iterable[str]) -> str:
    """A pattern of alternatives, the longest first."""
    return "|".join(re.escape(word) for word in sorted(words, key=len, reverse=True))


def final_stop(match: re.Match[str]) -> str:
    """The dot of an abbreviation that is also the sentence's: "." if nothing but closing marks follow."""
    rest = match.string[match.end() : match.end() + 20]
    return "." if match.group().endswith(".") and not rest.strip(" \t\n\"'”’»)]}") else ""


def preceding_word(match: re.Match[str]) -> str:
    """The word before a match, in lowercase; empty if there is none within 20 characters."""
    before = re.search(r"([^\W\d_]+)\W*$", match.string[max(0, match.start() - 20) : match.start()])
    return before.group(1).casefold() if before else ""
