"""How addresses, abbreviations, initials, Roman numbers and symbols are said."""

import re
from typing import Final

from service.speech.text.english.lexicon import (
    ADDRESS_SIGNS,
    ENDINGS,
    NUMBERED,
    PHRASES,
    REGNAL_NAMES,
    SYMBOLS,
    TITLES,
    word_list,
)
from service.speech.text.english.numerals import cardinal, digits, ordinal
from service.speech.text.english.rule import END, START, Rule, any_of, final_stop, rule

_DOMAINS = "com|org|net|edu|gov|io|dev|ai|app|co|uk|de|fr|eu|info|ca|au|nl|ch|jp|tv"
_FILES = (
    "js|ts|py|rs|md|txt|pdf|html|css|json|yaml|yml|toml|csv|xml|zip|exe|wav|mp3|mp4|png|jpg|jpeg|gif|"
    "docx|xlsx"
)
_SPELLED = frozenset(word_list("www uk io ai fr eu js ts py rs md tv html css xml pdf csv"))
_COUNTED = (
    "War|Chapter|Part|Act|Scene|Volume|Book|Section|Article|Title|Phase|Type|Class|Stage|Level|Grade|Figure|Table|"
    "Appendix|Episode|Season|Bowl|Rocky|Apollo|Mark|Schedule|Category|Division|Group|Unit"
)
_ROMAN = r"(?:XL|L?X{0,3})(?:IX|IV|V?I{1,3}|V)|XL|LX{0,3}|X{1,3}"
_ROMAN_VALUES = {"I": 1, "V": 5, "X": 10, "L": 50}


def _address(match: re.Match[str], day_first: bool) -> str | None:
    """A web or mail address or a file's name, sign by sign; the scheme ("https://") is not said."""
    address = match.group()
    kept = address.rstrip(".,;:!?)]}'\"*_…”’")
    words: list[str] = []
    for part in re.findall(r"[0-9]+|[^\W\d_]+|\s+|.", re.sub(r"^[a-z]+://", "", kept).rstrip("/")):
        if part.isdigit():
            words.append(cardinal(part) if len(part) < 4 and part[0] != "0" else digits(part))
        elif part.casefold() in _SPELLED:
            words.append(" ".join(part.upper()))
        else:
            words.append(ADDRESS_SIGNS.get(part, part))
    return " ".join(words) + address[len(kept) :] if words else None


def _roman(number: str) -> str:
    values = [_ROMAN_VALUES[letter] for letter in number]
    return str(sum(-value if value < max(values[at:]) else value for at, value in enumerate(values)))


def _numbered(match: re.Match[str], day_first: bool) -> str | None:
    sign = match.group().rstrip(". ")
    if sign == "#":
        return "number "
    word = NUMBERED[sign.casefold()]
    return (word.capitalize() if sign[0].isupper() else word) + " "


def _phrase(match: re.Match[str], day_first: bool) -> str | None:
    phrase = match.group()
    words = PHRASES[phrase.casefold()]
    return words.capitalize() if phrase[0].isupper() else words


def _ending(match: re.Match[str], day_first: bool) -> str | None:
    return ENDINGS[match.group()[:-1]] + final_stop(match)


def _street(match: re.Match[str], day_first: bool) -> str | None:
    return {"St.": "Street", "Dr.": "Drive", "Ct.": "Court", "Pl.": "Place"}[match.group()] + final_stop(
        match
    )


def _initials(match: re.Match[str], day_first: bool) -> str | None:
    return " ".join(letter for letter in match.group() if letter != ".") + final_stop(match)


RULES: Final[tuple[Rule, ...]] = (
    rule(r"(?<![\w@])(?:(?:https?|ftp)://|www\.)[^\s<>\"]{1,2000}", _address),
    rule(r"(?<![\w.+-])[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,8}", _address),
    rule(
        rf"(?<![\w@.-])(?:[A-Za-z0-9-]{{1,63}}\.){{1,5}}(?:{_DOMAINS}|{_FILES}){END}(?!\.\w)(?:/[^\s<>\"]{{0,2000}})?",
        _address,
    ),
    rule(
        rf"\b(?P<name>{any_of(REGNAL_NAMES)}) (?P<rank>{_ROMAN}){END}(?!['’]|\.\s?[A-Z]\.)",
        lambda match, day_first: (
            None
            if match["rank"] == "I" and match.end() < len(match.string) and match.string[match.end()] == " "
            else f"{match['name']} the {ordinal(_roman(match['rank']))}"
        ),
    ),
    rule(
        rf"\b(?P<what>{_COUNTED}) (?P<roman>{_ROMAN}){END}(?!['’])",
        lambda match, day_first: (
            None
            if match["roman"] == "I" and re.match(r" [a-z]", match.string[match.end() :])
            else f"{match['what']} {cardinal(_roman(match['roman']))}"
        ),
    ),
    rule(rf"{START}(?:(?i:{any_of(NUMBERED)})\.\s?(?=[0-9])|#(?=[0-9]))", _numbered),
    rule(r"(?<!\S)#(?=[^\W\d_])", "hashtag "),
    rule(r"(?<=[A-Za-z0-9] )(?:St|Dr|Ct|Pl)\.(?!\s+[A-Z][a-z])", _street),
    rule(
        rf"{START}(?:{any_of(TITLES)})\.(?=\s+[^\W\d_a-z])",
        lambda match, day_first: TITLES[match.group()[:-1]],
    ),
    rule(rf"{START}(?i:{any_of(PHRASES)})(?=[\s,;:)]|$)", _phrase),
    rule(rf"{START}(?:{any_of(ENDINGS)})\.", _ending),
    rule(r"\bPh\.D\.", lambda match, day_first: "P H D" + final_stop(match)),
    rule(rf"{START}(?:[^\W\d_]\.){{2,9}}{END}", _initials),
    rule(rf"{START}[A-Z]\.(?=\s[A-Z])", lambda match, day_first: match.group()[0]),
    rule(r"\bC\+\+(?!\w)", "C plus plus"),
    rule(r"\b[CF]#(?!\w)", lambda match, day_first: f"{match.group()[0]} sharp"),
    rule(r"\b[A-D]\+(?=[\s.,!?]|$)", lambda match, day_first: f"{match.group()[0]} plus"),
)

SYMBOL_RULES: Final[tuple[Rule, ...]] = (
    rule(rf"[{re.escape(''.join(SYMBOLS))}]", lambda match, day_first: SYMBOLS[match.group()]),
)
