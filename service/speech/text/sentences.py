"""Splits a text into sentences: every character belongs to exactly one, in order."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

from service.speech.text.english.lexicon import (
    ENDINGS,
    NUMBERED,
    PHRASES,
    SENTENCE_OPENERS,
    TITLES,
    WEEKDAYS,
    word_list,
)
from service.speech.text.validation import is_speakable


class Ending(Enum):
    """What a sentence is followed by."""

    SENTENCE = "sentence"
    PARAGRAPH = "paragraph"
    TEXT = "text"


@dataclass(frozen=True, slots=True)
class Sentence:
    """A stretch `text` of the whole, blanks around it included, and what follows it."""

    text: str
    ending: Ending


_CLOSERS = r"[\"'”’»›)\]}*_]"
# Runs are possessive (++): a text of ten thousand dots must not be walked ten thousand times.
_CANDIDATE = re.compile(
    rf"(?P<wide>[。！？．｡।॥؟۔]++(?:[」』】）〉》]|{_CLOSERS})*+)"
    rf"|(?P<mark>[.!?…‽]++)(?P<closers>{_CLOSERS}*+)(?:\[\d{{1,3}}\])*+(?=\s|$)"
    r"|(?<!\s)\s++(?=\S)"
)
_WORD_BEFORE = re.compile(r"[^\s(\[{\"“‘«]*$")
_NEXT_WORD = re.compile(r"[\s\"“‘'(\[]*(\w*)")
_LIST_ITEM = re.compile(r"[ \t]*(?:[-*•‣◦–]|\(?(?:\d{1,3}|[a-zA-Z])[.)])[ \t]")
_INITIALS = re.compile(r"(?:[^\W\d_]\.)+[^\W\d_]$|[^\W\d_a-z]$")
_PARAGRAPH_BREAK = re.compile(r"\n[^\S\n]*\n|\u2029|\r[^\S\r\n]*\r")
#: A line this long is taken for running text that was wrapped, a shorter one for a heading or a verse.
_WRAPPED_LINE = 45
_LONGEST_TOKEN = 40

_BEFORE_NAME = frozenset(word.casefold() for word in TITLES)
_UNITS = frozenset(word_list("ft in lb lbs oz yd mi km cm mm kg mg g ml l hr hrs min sec max avg tbsp tsp"))
_WITHIN = frozenset(phrase.rstrip(".").casefold() for phrase in PHRASES)
_AT_END = frozenset(word.casefold() for word in (*ENDINGS, "a.m", "p.m", "ph.d", "m.d", "b.a", "st", "ave"))
_MONTHS_AND_DAYS = frozenset(word_list("jan feb mar apr jun jul aug sep sept oct nov dec")) | {
    day.casefold() for day in WEEKDAYS
}


def sentences(text: str) -> Iterator[Sentence]:
    """Yields the sentences of a text one by one; nothing is read ahead but the next sentence.

    A sentence ends at . ! ? or … (with the closing quotes and brackets after it), at the marks of Chinese,
    Japanese, Hindi and Arabic, at an empty line, and at the end of a line that is a heading or a list item.
    It doesn't end after an abbreviation, an initial, "No." before a number, nor within a number or address.
    What makes no sound by itself ("* * *") goes with its neighbour. The texts joined are the whole text.
    """
    held: tuple[str, Ending] | None = None
    for stretch, ending in _stretches(text):
        if held is None:
            held = stretch, ending
        elif is_speakable(stretch) and is_speakable(held[0]):
            yield Sentence(*held)
            held = stretch, ending
        else:
            held = held[0] + stretch, _stronger(held[1], ending)
    if held is not None:
        yield Sentence(held[0], Ending.TEXT)


def _stronger(one: Ending, other: Ending) -> Ending:
    return Ending.PARAGRAPH if Ending.PARAGRAPH in (one, other) else other


def _stretches(text: str) -> Iterator[tuple[str, Ending]]:
    start = line_start = 0
    for match in _CANDIDATE.finditer(text):
        if match["mark"] or match["wide"]:
            if match["wide"] or _ends_sentence(text, start, match):
                yield text[start : match.end()], Ending.SENTENCE
                start = match.end()
            continue
        blanks = match.group()
        if "\n" not in blanks and "\r" not in blanks and "\u2028" not in blanks and "\u2029" not in blanks:
            continue
        paragraph = _PARAGRAPH_BREAK.search(blanks) is not None
        if paragraph or _line_ends(text, line_start, match):
            yield text[start : match.end()], Ending.PARAGRAPH if paragraph else Ending.SENTENCE
            start = match.end()
        line_start = match.end()
    if start < len(text):
        yield text[start:], Ending.TEXT


def _ends_sentence(text: str, start: int, match: re.Match[str]) -> bool:
    """Whether the full stop, or its like, that `match` found ends the sentence begun at `start`."""
    following = _NEXT_WORD.match(text, match.end(), match.end() + _LONGEST_TOKEN)
    word = following.group(1) if following else ""
    if not word:
        return True
    mark = match["mark"]
    if "…" in mark or mark.endswith(".."):
        return not word[0].islower()
    if mark[-1] != ".":
        return not (match["closers"] and word[0].islower())
    if match["closers"]:
        return not word[0].islower()
    before = _WORD_BEFORE.search(text, max(start, match.start() - _LONGEST_TOKEN), match.start())
    token = before.group() if before else ""
    plain = token.casefold()
    if token.isdigit() and len(token) <= 3 and not text[start : match.start() - len(token)].strip():
        return False  # "1. First item"
    if plain in NUMBERED:
        return not word[0].isdigit()
    if plain in _MONTHS_AND_DAYS and token[:1].isupper():
        return not word[0].isdigit() and word in SENTENCE_OPENERS
    if plain in _WITHIN:
        return False
    if plain in _AT_END:
        return word[0].isupper() and (plain not in ("st", "a.m", "p.m") or word in SENTENCE_OPENERS)
    if plain in _BEFORE_NAME and (token[0].isupper() or plain in ("mr", "mrs", "ms", "dr")):
        return False
    if plain in _UNITS:
        return not word[0].islower()
    if _INITIALS.match(token):
        return word in SENTENCE_OPENERS
    return True


def _line_ends(text: str, line_start: int, match: re.Match[str]) -> bool:
    """Whether a single line break ends a sentence: between list items, after a heading or a verse."""
    if _LIST_ITEM.match(text, match.end()):
        return True
    following = text[match.end()]
    item = _LIST_ITEM.match(text, line_start) is not None
    short = match.start() - line_start < _WRAPPED_LINE
    return (item or short) and not following.islower() and text[match.start() - 1] not in ",;-–—"
