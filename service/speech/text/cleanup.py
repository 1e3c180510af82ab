"""Clean-ups a caller may ask for, under the names of Chatterbox-TTS-Extended's options."""

import re
from dataclasses import dataclass

from service.speech.text.english.lexicon import NUMBERED


@dataclass(frozen=True, slots=True)
class Cleanup:
    """Which clean-ups to do before the text is spoken; none by default.

    Attributes:
        normalize_spacing: runs of blanks become one blank.
        fix_dot_letters: "J.R.R. Tolkien" is read as "J R R Tolkien".
        remove_reference_numbers: "word.[12]" and "word.12 Next" lose the number, as in a text copied from
            an encyclopedia.
        to_lowercase: everything in lowercase, for engines that spell capitals out.
    """

    normalize_spacing: bool = False
    fix_dot_letters: bool = False
    remove_reference_numbers: bool = False
    to_lowercase: bool = False


_BLANKS = re.compile(r"[^\S\n]{2,}|[^\S\n ]")
_DOT_LETTERS = re.compile(r"(?<![^\W_])(?:[^\W\d_]\.[^\S\n]?(?=[^\W\d_]\.)){1,9}[^\W\d_]\.")
_BRACKETED = re.compile(r"(?<=\S)\[(?:note )?\d{1,3}(?:[,–-] ?\d{1,3}){0,9}\]")
_TRAILING = re.compile(r"(?<=[^\W\d_])([.!?,][\"'”’)]?)\d{1,3}(?=\s|$)")
_LAST_WORD = re.compile(r"[^\W\d_]+$")


def remove_references(text: str) -> str:
    """Drops reference numbers; done before sentences are split, since they hide a sentence's end."""

    def without_number(match: re.Match[str]) -> str:
        word = _LAST_WORD.search(text, max(0, match.start() - 20), match.start())
        numbered = word is None or len(word.group()) < 2 or word.group().casefold() in NUMBERED
        return match.group() if numbered else match.group(1)

    return _TRAILING.sub(without_number, _BRACKETED.sub("", text))


def clean_sentence(sentence: str, cleanup: Cleanup) -> str:
    """Does the clean-ups that leave a sentence's bounds alone; lowercase comes later, after normalisation."""
    if cleanup.fix_dot_letters:
        end = len(sentence.rstrip())
        sentence = _DOT_LETTERS.sub(
            lambda match: (
                " ".join(letter for letter in match.group() if letter.isalpha())
                + ("." if match.end() == end else "")
            ),
            sentence,
        )
    if cleanup.normalize_spacing:
        sentence = _BLANKS.sub(" ", sentence)
    return sentence
