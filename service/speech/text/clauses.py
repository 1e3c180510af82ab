"""Where to cut a sentence that is too long for one piece."""

import re
import unicodedata
from dataclasses import dataclass
from typing import Final

from service.speech.text.validation import SPEAKABLE_CLASS

#: A piece shorter than this is not worth a cut.
_SMALLEST_CLAUSE: Final = 15
_CLOSERS = r"[\"'”’»)\]]"
_MARK = re.compile(
    rf"[,;:.!?…]++{_CLOSERS}*+(?=\s)"  # after a mark
    rf"|[、，；：。！？،؛]++{_CLOSERS}*+"
    r"|(?<=\s)[-–—]++(?=\s)|[—]++"  # after a dash
    r"|[)\]}]++(?=\s)|(?<=\S)(?=\s[(\[{])"  # around brackets
)
_CONJUNCTION = re.compile(
    r"(?<=\S)(?=\s(?:and|but|or|nor|so|because|which|while|when|where|although|though|until|unless|since|if|that|who|"
    r"then|after|before)\s)"
)
_BLANK = re.compile(r"(?<=\S)(?=\s)")
_SPEAKABLE = re.compile(SPEAKABLE_CLASS)
_JOINERS: Final = "\u200d\u200c"


@dataclass(frozen=True, slots=True)
class CutPosition:
    """Cut before `index`; `is_clause` tells whether a clause ends there."""

    index: int
    is_clause: bool


def cut_position(text: str, ceiling: int, *, first: bool, complete: bool) -> CutPosition:
    """Finds the best place to cut `text`, so that both parts hold something speakable.

    Args:
        text: longer than `ceiling`, without blanks around it.
        ceiling: the most characters of the first part.
        first: whether this is the start of the whole text, which is cut at its first clause; the rest evenly.
        complete: whether `text` goes on to the end of the sentence.
    """
    sounds = _SPEAKABLE.finditer(text)
    begin = next(sounds).start() + 1
    end = min(ceiling, _last_speakable(text))
    parts = -(-len(text) // ceiling)
    target = len(text) // parts if complete else ceiling
    floor = max(begin, _SMALLEST_CLAUSE if first else min(target // 2, end))
    roof = min(end, len(text) - _SMALLEST_CLAUSE) if complete else end
    for pattern in (_MARK, _CONJUNCTION):
        places = [place.end() for place in pattern.finditer(text, 0, end + 2) if floor <= place.end() <= roof]
        if places:
            return CutPosition(places[0] if first else _nearest(places, target), is_clause=True)
    for low in (floor, begin):
        places = [place.end() for place in _BLANK.finditer(text, 0, end + 2) if low <= place.end() <= end]
        if places:
            return CutPosition(_nearest(places, target), is_clause=False)
    return CutPosition(_between_graphemes(text, begin, min(max(target, begin), end)), is_clause=False)


def _nearest(places: list[int], target: int) -> int:
    return min(places, key=lambda place: abs(place - target))


def _last_speakable(text: str) -> int:
    for index in range(len(text) - 1, -1, -1):
        if _SPEAKABLE.match(text[index]):
            return index
    return 0


def _between_graphemes(text: str, lowest: int, highest: int) -> int:
    """The last place up to `highest` that parts no letter from its accents; `highest` if there is none."""
    for index in range(highest, max(lowest, highest - 16) - 1, -1):
        after, before = text[index], text[index - 1]
        joined = (
            unicodedata.category(after) in ("Mn", "Mc", "Me", "Sk")
            or after in _JOINERS
            or before in _JOINERS
            or "\udc00" <= after <= "\udfff"
            or ("\U0001f1e6" <= after <= "\U0001f1ff" and "\U0001f1e6" <= before <= "\U0001f1ff")
        )
        if not joined:
            return index
    return highest
