"""Numbers in words, by WeTextProcessing's English grammar (the `wetext` package, which brings its grammars).

The grammar is asked for one number, ordinal, fraction or time at a time, never for a sentence: in those it
escapes quotes, glues initials together, and fails on signs it doesn't know and on two blanks in a row. Where
its answers are known to be wrong, the functions below put them right.
"""

import re
import threading
from collections.abc import Callable
from functools import lru_cache
from typing import Final

_DIGITS: Final = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
#: Longer numbers are read digit by digit.
_LONGEST_CARDINAL: Final = 15
_loading = threading.Lock()


@lru_cache(maxsize=1)
def _grammar() -> Callable[[str], str]:
    from wetext import Normalizer  # takes 0.3 s: only when numbers are first read, or by warm()

    normalize: Callable[[str], str] = Normalizer(lang="en", operator="tn").normalize
    return normalize


@lru_cache(maxsize=4096)
def _read(token: str) -> str:
    """What the grammar makes of a token; the token itself if the grammar fails or leaves digits."""
    with _loading:
        read = _grammar()
    try:
        words = read(token)
    except Exception:  # the grammar asserts on what it can't parse
        return token
    return token if not words or re.search(r"[0-9\\]", words) else words


def warm() -> None:
    """Loads the grammar, which takes about 0.3 s, so that the first request doesn't wait for it."""
    _read("1")


def digits(number: str, zero: str = "zero") -> str:
    """Digit by digit: "042" is "zero four two"; other characters are skipped."""
    return " ".join(
        zero if digit == "0" else _DIGITS[int(digit)] for digit in number if digit in "0123456789"
    )


def cardinal(number: str) -> str:
    """A whole number without sign: "1,984" is "one thousand nine hundred and eighty four"."""
    plain = number.replace(",", "")
    if len(plain) > _LONGEST_CARDINAL or (len(plain) > 1 and plain[0] == "0"):
        return digits(plain)
    words = _read(f"{int(plain):,}")
    # "1,200" is "thousand two hundred" to the grammar
    return f"one {words}" if words.startswith(("thousand", "million", "billion", "trillion")) else words


def decimal(number: str) -> str:
    """A number with or without a fraction: "3.14" is "three point one four", ".5" is "point five"."""
    whole, point, fraction = number.partition(".")
    words = cardinal(whole) if whole else ""
    return f"{words} point {digits(fraction)}".strip() if point else words


def ordinal(number: str) -> str:
    """A whole number as a rank: "21" is "twenty first"."""
    plain = number.replace(",", "")
    suffix = {"1": "st", "2": "nd", "3": "rd"}.get(plain[-1], "th") if plain[-2:-1] != "1" else "th"
    words = _read(plain + suffix)
    return cardinal(plain) if words == plain + suffix else words


def year(number: str) -> str:
    """A year: "1905" is "nineteen oh five", "2000" is "two thousand"."""
    if len(number) != 4 or number[1:3] == "00":
        return cardinal(number).replace(" and ", " ")
    century, rest = number[:2], number[2:]
    if rest == "00":
        return f"{cardinal(century)} hundred"
    return f"{cardinal(century)} {cardinal(rest) if rest[0] != '0' else 'oh ' + digits(rest[1])}"


def fraction(numerator: str, denominator: str) -> str:
    """A fraction: "3/4" is "three quarters"."""
    token = f"{numerator}/{denominator}"
    words = _read(token)
    return words if words != token else f"{cardinal(numerator)} over {cardinal(denominator)}"


def time(clock: str) -> str:
    """A time of day such as "3:05" or "15:45", or a length of time such as "1:02:03"."""
    hour, minute = clock.split(":")[:2]
    if clock in ("0:00", "00:00"):
        return "midnight"
    if minute == "00" and int(hour) > 12:
        return f"{cardinal(hour)} hundred"
    return _read(clock).replace(" o ", " oh ")
