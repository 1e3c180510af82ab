"""Cuts a text into the pieces that an engine is handed one by one."""

import re
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from service.errors import EmptyText
from service.speech.text.clauses import cut_position
from service.speech.text.cleanup import Cleanup, clean_sentence, remove_references
from service.speech.text.english.normalization import spoken
from service.speech.text.sentences import Ending, sentences
from service.speech.text.validation import SPEAKABLE_CLASS, is_speakable

#: Seconds of silence after a sentence and after a paragraph.
_PAUSES: Final = {Ending.SENTENCE: 0.2, Ending.PARAGRAPH: 0.5, Ending.TEXT: 0.0}
#: A piece is at most this many times as long as the one before it, so that a player never runs dry.
_GROWTH: Final = 4
#: A sentence shorter than this is spoken together with its neighbour.
_SHORT: Final = 25
_SMALLEST_LIMIT: Final = 20
_LONGEST_MUTE_RUN: Final = 32
_BLANKS = re.compile(r"\s+")


@dataclass(frozen=True, slots=True)
class Piece:
    """What an engine is handed at a time.

    Attributes:
        text: never blank, holds something speakable, at most `limit` characters.
        pause_seconds: silence to add after it; 0 within a sentence and at the end of the text.
        characters: how many characters of the caller's text it stands for; they add up to the text's length.
    """

    text: str
    pause_seconds: float
    characters: int


def pieces(
    text: str,
    *,
    cleanup: Cleanup = Cleanup(),  # noqa: B008 (frozen, no state to share)
    normalize: bool = True,
    language: str = "en",
    first_limit: int = 80,
    limit: int = 240,
) -> Iterator[Piece]:
    """Cuts a text into pieces, in order, each made only when it is asked for.

    The first piece is short, so that its audio can leave at once: the first sentence, or its first clause.
    The others are whole sentences where they fit, else clauses, else as many words as fit; a long sentence
    soon after a short piece is cut at a clause too, so that a player doesn't run dry. Only runs of more than
    32 marks that make no sound are shortened (fewer if `first_limit` is below 72).

    Args:
        text: a text that passed `validate`.
        cleanup: which clean-ups to do.
        normalize: whether to write numbers, dates, units and abbreviations out (in English).
        language: the text's language tag, such as "en" or "en_US"; others than English are not normalised.
        first_limit: the most characters of the first piece, at least 20.
        limit: the most characters of any piece, at least 20.

    Raises:
        EmptyText: nothing speakable remains; raised by the call, not by the iterator.
        ValueError: a limit below 20.
    """
    first_limit = min(first_limit, limit)
    if first_limit < _SMALLEST_LIMIT:
        raise ValueError(f"a piece needs room for {_SMALLEST_LIMIT} characters, not {first_limit}")
    source = remove_references(text) if cleanup.remove_reference_numbers else text
    source = _without_long_mute_runs(source, min(_LONGEST_MUTE_RUN, first_limit // 2 - 4))
    if not is_speakable(source):
        raise EmptyText
    cuts = _joined(_cuts(source, cleanup, language if normalize else "", first_limit, limit), limit)
    return _counted(cuts, len(text), len(source))


@dataclass(slots=True)
class _Cut:
    text: str
    characters: int
    ending: Ending | None  # None within a sentence


def _without_long_mute_runs(text: str, longest: int) -> str:
    """Shortens runs of blanks and of marks that make no sound, or a piece could be nothing but marks."""

    def blanks(match: re.Match[str]) -> str:
        return "\n" * min(2, match.group().count("\n")) or " "

    def marks(match: re.Match[str]) -> str:
        kept, dropped = match.group()[:longest], match.group()[longest:]
        return kept + ("\n" * min(2, dropped.count("\n")) or (" " if _BLANKS.search(dropped) else ""))

    text = re.sub(rf"(?<!\s)\s{{{longest // 4 + 1},}}|^\s+", blanks, text)
    return re.sub(rf"(?!{SPEAKABLE_CLASS})\S(?:(?!{SPEAKABLE_CLASS})[\s\S]){{{longest},}}", marks, text)


class _Spool:
    """A sentence on its way out: what is read is read on demand, what is cut knows what it stands for."""

    def __init__(self, fragments: Iterator[tuple[str, int]]) -> None:
        self.text = ""
        self.finished = False
        self._fragments = fragments
        self._origins: deque[tuple[int, int]] = deque()  # (characters here, characters of the source)

    def fill(self, length: int) -> None:
        """Reads on until `length` characters are there or the sentence has ended."""
        parts = [self.text]
        have = len(self.text)
        while have < length and not self.finished:
            fragment = next(self._fragments, None)
            if fragment is None:
                self.finished = True
            else:
                parts.append(fragment[0])
                have += len(fragment[0])
                self._origins.append((len(fragment[0]), fragment[1]))
        self.text = "".join(parts)

    def take(self, length: int) -> tuple[str, int]:
        """Cuts the first `length` characters off; also tells how many of the source they stand for."""
        taken, self.text = self.text[:length], self.text[length:]
        characters = 0
        while self._origins and (length or not self._origins[0][0]):
            here, there = self._origins.popleft()
            if here > length:
                part = there * length // here
                self._origins.appendleft((here - length, there - part))
                there, here = part, length
            length -= here
            characters += there
        return taken, characters


def _cuts(source: str, cleanup: Cleanup, language: str, first_limit: int, limit: int) -> Iterator[_Cut]:
    previous = 0
    for sentence in sentences(source):
        spool = _Spool(_fragments(sentence.text, cleanup, language))
        while True:
            ceiling = min(limit, max(first_limit, _GROWTH * previous))
            spool.fill(2 * (limit if previous else first_limit) + 1)
            blanks = len(spool.text) - len(spool.text.lstrip())
            rest = spool.text.strip()
            if spool.finished and len(rest) <= ceiling:
                break
            at = cut_position(rest, ceiling, first=not previous, complete=spool.finished)
            if spool.finished and previous and len(rest) <= limit and not at.is_clause:
                break  # a whole sentence reads better than a smooth start
            taken, characters = spool.take(blanks + at.index)
            taken = taken.strip()
            previous = len(taken)
            yield _Cut(taken, characters, None)
        taken, characters = spool.take(len(spool.text))
        previous = len(rest)
        yield _Cut(rest, characters, sentence.ending)


def _fragments(sentence: str, cleanup: Cleanup, language: str) -> Iterator[tuple[str, int]]:
    """A sentence as it is said, with the number of characters of the sentence behind each part."""
    line = re.sub(r"[^\S ]*[\n\r\u2028\u2029]\s*", " ", sentence)
    line = clean_sentence(line, cleanup)
    behind = given = 0
    for part, characters in spoken(line, language=language):
        behind += characters
        share = len(sentence) * behind // len(line) - given
        given += share
        yield part.lower() if cleanup.to_lowercase else part, share


def _joined(cuts: Iterator[_Cut], limit: int) -> Iterator[_Cut]:
    """Joins very short sentences with a neighbour in the same paragraph; the first piece leaves at once."""
    first = next(cuts)
    yield first
    held: _Cut | None = None
    for cut in cuts:
        if (
            held is not None
            and held.ending is Ending.SENTENCE
            and not held.text[-1].isalnum()
            and min(len(held.text), len(cut.text)) < _SHORT
            and len(held.text) + 1 + len(cut.text) <= limit
        ):
            held = _Cut(f"{held.text} {cut.text}", held.characters + cut.characters, cut.ending)
            continue
        if held is not None:
            yield held
        held = cut
    if held is not None:
        yield held


def _counted(cuts: Iterator[_Cut], length: int, source_length: int) -> Iterator[Piece]:
    """Pieces with pauses; characters are of the caller's text, of which clean-ups may have left a part."""
    behind = given = 0
    for cut in cuts:
        behind += cut.characters
        share = length * behind // source_length - given
        given += share
        yield Piece(cut.text, _PAUSES[cut.ending] if cut.ending else 0.0, share)
