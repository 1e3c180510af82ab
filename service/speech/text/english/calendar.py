"""How dates and times of day are said."""

import re
from typing import Final

from service.speech.text.english.lexicon import MONTH_NUMBERS, MONTHS, WEEKDAYS
from service.speech.text.english.numerals import cardinal, digits, ordinal, time, year
from service.speech.text.english.rule import START, Rule, any_of, final_stop, rule

_MONTH = rf"(?P<month>{any_of(MONTH_NUMBERS)})\b\.?"
_DAY = r"(?P<day>3[01]|[12][0-9]|0?[1-9])"
_YEAR = r"(?P<year>[12][0-9]{3})"
_NO_MORE = r"(?![\w:%/]|[.,][0-9])"


def _spoken(day: str, month: int, number: str, day_first: bool) -> str:
    rank = ordinal(str(int(day)))
    words = f"the {rank} of {MONTHS[month - 1]}" if day_first else f"{MONTHS[month - 1]} {rank}"
    if not number:
        return words
    return f"{words}, {year(number)}" if not day_first else f"{words} {year(number)}"


def _numeric(match: re.Match[str], day_first: bool) -> str | None:
    """2024-01-15, 01/15/2024, 15/01/2024, 15.01.2024; where two orders are possible, the language decides."""
    first, second = int(match["first"]), int(match["second"])
    number = match["number"]
    if "-" in match.group():
        month, day = first, second
    elif first > 12 or "." in match.group() or (day_first and second <= 12):
        day, month = first, second
    else:
        month, day = first, second
    if not (1 <= month <= 12 and 1 <= day <= 31):
        return None
    if len(number) == 2:
        number = ("20" if int(number) < 50 else "19") + number
    words = _spoken(str(day), month, number, day_first)
    return f"{words} at " if match.group().endswith("T") else words


def _named(match: re.Match[str], day_first: bool) -> str | None:
    """January 15, 2024; Jan. 15th; 15 January 2024; March 2025."""
    groups = match.groupdict()
    month = MONTH_NUMBERS[match["month"]]
    if not groups.get("day"):
        return f"{MONTHS[month - 1]} {year(match['year'])}"
    leading_day = match.group()[0].isdigit()
    words = _spoken(match["day"], month, groups.get("year") or "", leading_day)
    if leading_day and match.string[max(0, match.start() - 4) : match.start()].casefold() == "the ":
        return words.removeprefix("the ")
    return words


def _clock(match: re.Match[str], day_first: bool) -> str | None:
    hour, minute, second = match["hour"] or match["bare"], match["minute"], match["second"]
    meridiem = match["meridiem"]
    if second and second != "00":
        words = time(f"{hour}:{minute}:{second}")
    elif minute and meridiem and minute == "00":
        words = cardinal(str(int(hour)))
    elif minute:
        words = time(f"{hour}:{minute}")
    else:
        words = cardinal(str(int(hour)))
    if not meridiem:
        return words
    return f"{words} {meridiem[0].upper()} M{final_stop(match)}"


def _decade(match: re.Match[str], day_first: bool) -> str | None:
    """1990s is "nineteen nineties", '90s "nineties", 1800s "eighteen hundreds"."""
    number = match["decade"]
    century, tens = number[:-2], number[-2:]
    if tens == "00":
        return "two thousands" if century == "20" else f"{cardinal(century)} hundreds"
    words = "tens" if tens == "10" else f"{cardinal(tens)[:-1]}ies"
    return f"{cardinal(century)} {words}" if century else words


def _year_range(match: re.Match[str], day_first: bool) -> str | None:
    end = match["end"]
    last = year(end) if len(end) == 4 else digits(end, "oh") if end[0] == "0" else cardinal(end)
    return f"{year(match['begin'])} to {last}"


RULES: Final[tuple[Rule, ...]] = (
    rule(
        rf"{START}(?P<number>[12][0-9]{{3}})-(?P<first>0[1-9]|1[0-2])-(?P<second>0[1-9]|[12][0-9]|3[01])"
        r"(?:T(?=[0-9]{2}:)|(?![\w-]))",
        _numeric,
    ),
    rule(
        r"(?<![\w/.])(?P<first>[0-3]?[0-9])/(?P<second>[0-3]?[0-9])/(?P<number>[12][0-9]{3}|[0-9]{2})(?![/\w])",
        _numeric,
    ),
    rule(
        r"(?<![\w/.])(?P<first>[0-3]?[0-9])\.(?P<second>[01]?[0-9])\.(?P<number>[12][0-9]{3})(?!\w|\.\w)",
        _numeric,
    ),
    rule(rf"{START}{_MONTH} {_DAY}(?:st|nd|rd|th)?{_NO_MORE}(?:,? {_YEAR}{_NO_MORE})?", _named),
    rule(rf"{START}{_DAY}(?:st|nd|rd|th)? (?:of )?{_MONTH}(?:,? {_YEAR}{_NO_MORE})?(?!\w)", _named),
    rule(rf"{START}{_MONTH},? {_YEAR}{_NO_MORE}", _named),
    rule(
        r"(?<![^\W_T])(?:(?P<hour>2[0-3]|[01]?[0-9]):(?P<minute>[0-5][0-9])(?::(?P<second>[0-5][0-9]))?(?![:\d])"
        r"|(?P<bare>1[0-2]|0?[1-9])(?=\s?[aApP]\.?[mM]))"
        r"(?:\s?(?P<meridiem>[ap]\.m\.|[ap]m\b|[AP]\.M\.|[AP]M\b))?",
        _clock,
    ),
    rule(r"(?<![\w'’])['’]?(?P<decade>(?:[12][0-9])?[0-9]0)(?:s|'s|’s)\b", _decade),
    rule(
        rf"{START}(?P<begin>1[5-9][0-9]{{2}}|20[0-9]{{2}})\s?[-–—]\s?(?P<end>1[5-9][0-9]{{2}}|20[0-9]{{2}}|[0-9]{{2}}){_NO_MORE}(?!-)",
        _year_range,
    ),
    rule(rf"{START}(?:{any_of(WEEKDAYS)})\.(?=,|\s)", lambda match, day_first: WEEKDAYS[match.group()[:-1]]),
)
