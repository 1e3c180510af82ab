"""Reads numbers, dates, money, units, addresses and abbreviations of English as a person would.

One pattern, made of all the rules, finds the tokens that are not plain words. What lies between tokens is
passed on as it is, so that no plain word can get lost, and so is a token that no rule has a reading for.
"""

import re
from collections.abc import Iterator

from service.speech.text.english import calendar, quantities, words

_RULES = (*words.RULES, *calendar.RULES, *quantities.RULES, *words.SYMBOL_RULES)
# Group names belong to their rule; in the whole pattern a group's name is its rule's index. No rule starts in
# the middle of a word, so a word that starts none is passed over at once.
_TOKEN = re.compile(
    "|".join(
        f"(?P<_{index}>{re.sub(r'[(][?]P<[a-z]+>', '(?:', rule.pattern.pattern)})"
        for index, rule in enumerate(_RULES)
    )
    + r"|[^\W\d_]++"
)
#: Characters of plain text that are passed on without waiting for a token.
_STRETCH = 200
_DAY_FIRST = frozenset(("gb", "uk", "ie", "au", "nz", "in", "za"))


def _read(found: re.Match[str], kind: str, day_first: bool) -> tuple[re.Match[str], str | None]:
    """The first reading that a rule has for the token found, and what it stands for."""
    for rule in _RULES[int(kind[1:]) :]:
        match = rule.pattern.match(found.string, found.start())
        reading = rule.reading(match, day_first) if match else None
        if match and reading:
            return match, reading
    return found, None


def is_english(language: str) -> bool:
    """Whether a language tag ("en", "en_US", "en-GB") is English, the one language that is normalised."""
    return re.split(r"[-_]", language.casefold())[0] in ("en", "english")


def spoken(text: str, *, language: str = "en") -> Iterator[tuple[str, int]]:
    """Yields the text as it is said, part by part: the part and how many characters of `text` it stands for.

    Lazy: a token is read when it is asked for. The counts add up to the length of `text`.
    """
    if not is_english(language):
        yield text, len(text)
        return
    day_first = language.casefold()[-2:] in _DAY_FIRST and len(language) > 2
    position = at = 0
    last = ""  # the character said last, so that words don't run into each other ("B2B")
    while found := _TOKEN.search(text, at):
        token, reading = _read(found, found.lastgroup, day_first) if found.lastgroup else (found, None)
        if reading is None:
            at = found.end() if found.lastgroup is None else found.start() + 1
            if at - position > _STRETCH:
                yield text[position:at], at - position
                position, last = at, text[at - 1]
            continue
        if token.start() > position:
            yield text[position : token.start()], token.start() - position
            last = text[token.start() - 1]
        position = at = token.end()
        if last.isalnum() and reading[0].isalnum():
            reading = f" {reading}"
        if position < len(text) and text[position].isalnum() and reading[-1].isalnum():
            reading = f"{reading} "
        last = reading[-1]
        yield reading, token.end() - token.start()
    if position < len(text):
        yield text[position:], len(text) - position
