"""How money, measures, fractions, ranges, telephone numbers and plain numbers are said."""

import re
from typing import Final

from service.speech.text.english.lexicon import (
    CURRENCIES,
    CURRENCY_CODES,
    MAGNITUDES,
    OPERATORS,
    UNITS,
    word_list,
)
from service.speech.text.english.numerals import cardinal, decimal, digits, fraction, ordinal, year
from service.speech.text.english.rule import (
    END,
    MINUS,
    NUMBER,
    START,
    TO,
    WHOLE,
    Rule,
    any_of,
    preceding_word,
    rule,
)

_SIGN = any_of(CURRENCIES)
_CODE = any_of(CURRENCY_CODES)
_MAGNITUDE = rf"(?:\s?(?P<magnitude>{any_of(MAGNITUDES)}|thousand|million|billion|trillion|bil|mil){END})?"
_YEAR_FOLLOWS = frozenset(
    word_list("in since by from until till of year circa around before after during early late mid")
)
_PHONE_FOLLOWS = frozenset(word_list("call dial phone tel telephone fax text number at is on ring"))
_VULGAR = {
    "¼": "1/4", "½": "1/2", "¾": "3/4", "⅓": "1/3", "⅔": "2/3", "⅕": "1/5", "⅖": "2/5", "⅗": "3/5",
    "⅘": "4/5", "⅙": "1/6", "⅚": "5/6", "⅛": "1/8", "⅜": "3/8", "⅝": "5/8", "⅞": "7/8",
}  # fmt: skip
_RAISED = str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789")
_FIXED_FRACTIONS = {
    "24/7": "twenty four seven",
    "9/11": "nine eleven",
    "50/50": "fifty fifty",
    "7/11": "seven eleven",
}


def _signed(match: re.Match[str], words: str) -> str:
    return f"minus {words}" if match["minus"] else words


def _money(match: re.Match[str], day_first: bool) -> str | None:
    """$5.99 is "five dollars and ninety nine cents", €2.5bn "two point five billion euros"."""
    one, many, hundredth, hundredths = {**CURRENCIES, **CURRENCY_CODES}[match["sign"]]
    low, high, magnitude = match["low"], match["high"], match["magnitude"]
    prefix = {"US": "US ", "A": "Australian ", "AU": "Australian ", "C": "Canadian ", "CA": "Canadian "}.get(
        match.groupdict().get("country") or "", ""
    )
    if magnitude or high:
        amount = f"{decimal(low)} to {decimal(high)}" if high else decimal(low)
        magnitude = {"bil": "billion", "mil": "million", **MAGNITUDES}.get(magnitude or "", magnitude or "")
        return _signed(match, f"{amount} {magnitude}".strip() + f" {prefix}{many}")
    whole, _, part = low.replace(",", "").partition(".")
    if part and (len(part) != 2 or not hundredth):
        return _signed(match, f"{decimal(low)} {prefix}{many}")
    words = f"{cardinal(whole or '0')} {prefix}{one if whole == '1' else many}"
    if int(part or 0):
        cents = f"{cardinal(str(int(part)))} {hundredth if part == '01' else hundredths}"
        words = f"{words} and {cents}" if int(whole or 0) else cents
    return _signed(match, words)


def _measure(match: re.Match[str], day_first: bool) -> str | None:
    """5 km is "five kilometers", a 5-km run "a five-kilometer run"."""
    low, high, join = match["low"], match["high"], match["join"]
    one, many = UNITS[match["unit"]]
    amount = f"{decimal(low)} to {decimal(high)}" if high else decimal(low)
    if join == "-":
        return _signed(match, f"{amount}-{one}")
    return _signed(match, f"{amount} {one if low == '1' and not high else many}")


def _height(match: re.Match[str], day_first: bool) -> str | None:
    return f"{cardinal(match['feet'])} foot {cardinal(match['inches'])}"


def _fraction(match: re.Match[str], day_first: bool) -> str | None:
    """3/4 is "three quarters", 2 1/2 "two and a half"; 9/8, which is no part of one, is "nine over eight"."""
    whole, over, under = match["whole"], match["over"], match["under"]
    fixed = _FIXED_FRACTIONS.get(f"{over}/{under}")
    if fixed and not whole:
        return fixed
    if int(under) == 0 or (not whole and (int(over) >= int(under) or int(under) > 100)):
        words = f"{cardinal(over)} over {cardinal(under)}"
        return _signed(match, f"{cardinal(whole)} {words}" if whole else words)
    part = fraction(str(int(over)), str(int(under)))
    if not whole:
        return _signed(match, part)
    return _signed(match, f"{cardinal(whole)} and {re.sub('^one ', 'a ', part)}")


def _vulgar(match: re.Match[str], day_first: bool) -> str | None:
    part = fraction(*_VULGAR[match["sign"]].split("/"))
    return f"{cardinal(match['whole'])} and {re.sub('^one ', 'a ', part)}" if match["whole"] else part


def _power(match: re.Match[str], day_first: bool) -> str | None:
    exponent = match["caret"] or match["raised"].translate(_RAISED)
    base = decimal(match["base"]) if match["base"][0] in "0123456789." else match["base"]
    named = {"2": "squared", "3": "cubed"}.get(exponent)
    if named:
        return f"{base} {named}"
    sign = "minus " if exponent[0] in "-−" else ""
    return f"{base} to the power of {sign}{cardinal(exponent.lstrip('-−'))}"


def _scientific(match: re.Match[str], day_first: bool) -> str | None:
    sign = "minus " if match["exponent"][0] == "-" else ""
    exponent = cardinal(str(int(match["exponent"].lstrip("+-"))))
    return f"{decimal(match['mantissa'])} times ten to the {sign}{exponent}"


def _phone(match: re.Match[str], day_first: bool) -> str | None:
    number = match.group()
    if re.fullmatch(r"[0-9]{3}-[0-9]{4}", number) and preceding_word(match) not in _PHONE_FOLLOWS:
        return (
            None if match["seven"] is None else f"{_number_words(number[:3])} to {_number_words(number[4:])}"
        )
    groups = re.findall(r"[0-9]+", number)
    said = ", ".join("eight hundred" if group == "800" else digits(group) for group in groups)
    return f"plus {said}" if number[0] == "+" else said


def _range(match: re.Match[str], day_first: bool) -> str | None:
    return f"{_number_words(match['low'])} to {_number_words(match['high'])}"


def _number_words(number: str) -> str:
    """A number out of context: a year if it looks like one."""
    if re.fullmatch(r"1[5-9][0-9]{2}|20[0-9]{2}", number):
        return year(number)
    if re.fullmatch(r"1[1-4]00", number):
        return f"{cardinal(number[:2])} hundred"
    return decimal(number)


def _number(match: re.Match[str], day_first: bool) -> str | None:
    number = match["number"]
    if match.start() and match.string[match.start() - 1] in "0123456789":
        return digits(number)  # the rest of a number too long to be read at once
    if re.fullmatch(r"1[0-4][0-9]{2}", number) and preceding_word(match) in _YEAR_FOLLOWS:
        return _signed(match, year(number))
    return _signed(match, _number_words(number))


def _dotted(match: re.Match[str], day_first: bool) -> str | None:
    """2.0.1 and v1.2: every part a number of its own."""
    numbers = match.group().lstrip("vV")
    words = " point ".join(cardinal(part) for part in numbers.split("."))
    return words if numbers == match.group() else f"version {words}"


def _host(match: re.Match[str], day_first: bool) -> str | None:
    return " dot ".join(digits(part) for part in match.group().split("."))


def _operator(match: re.Match[str], day_first: bool) -> str | None:
    """A sign between two operands (numbers or single letters); else a hyphen is a dash, a star a bullet."""
    start, end, text = match.start(), match.end(), match.string
    before = re.search(r"(?:(?<!\w)\w|[0-9][\w.,]{0,20}|[)²³%])$", text[max(0, start - 24) : start])
    after = re.match(r"[-−+(√]?(?:[a-zA-Z]{0,3}[²³]|\w(?!\w)|[0-9π.])", text[end : end + 24])
    if not (before and after):
        return None
    sign = match.group().strip()
    if sign in "-–":
        around = text[max(0, start - 24) : start] + text[end : end + 24]
        sign = "-" if re.search(r"[=+*/<>]|(?<!\w)[a-z](?!\w)", around) else "–"
    return f" {'to' if sign == '–' else OPERATORS[sign]} "


RULES: Final[tuple[Rule, ...]] = (
    rule(r"(?<=\S)\s[-+*/=<>−–]\s(?=\S)", _operator),
    rule(r"(?<![\w.])[0-9]{1,3}(?:\.[0-9]{1,3}){3}(?!\w|\.[0-9])", _host),
    rule(
        r"(?<![\w.,])(?:[vV][0-9]{1,6}(?:\.[0-9]{1,6}){0,8}|[0-9]{1,6}(?:\.[0-9]{1,6}){2,8})(?!\w|\.[0-9])",
        _dotted,
    ),
    rule(
        r"(?<![\w.,$€£-])(?:\+[0-9]{1,3}(?:[ .-]?\(?[0-9]{1,4}\)?){2,6}"
        r"|(?:1[ .-])?(?:\([0-9]{3}\) ?|[0-9]{3}[ .-])[0-9]{3}[.-][0-9]{4}"
        r"|0[0-9]{2,4}(?:[ -][0-9]{3,4}){1,3}|[0-9]{1,9}(?:-[0-9]{1,9}){2,6}"
        r"|(?P<seven>[0-9]{3}-[0-9]{4}))(?![\w-]|\.[0-9])",
        _phone,
    ),
    rule(
        rf"{START}{MINUS}(?P<country>US|AU|CA|A|C)?(?P<sign>{_SIGN}|(?:{_CODE})(?=\s))\s?(?P<low>{NUMBER})"
        rf"(?:{TO}(?:{_SIGN})?(?P<high>{NUMBER}))?{_MAGNITUDE}",
        _money,
    ),
    rule(
        rf"{START}{MINUS}(?P<low>{NUMBER})(?P<high>(?!))?{_MAGNITUDE}\s?(?P<sign>{_SIGN}|(?:{_CODE}){END})(?![0-9])",
        _money,
    ),
    rule(rf"{START}(?P<feet>[0-9]{{1,2}}) ?ft\.? (?P<inches>[0-9]{{1,2}}) ?in\b(?:\.(?=\s[a-z]))?", _height),
    rule(rf"{START}(?P<feet>[0-9]{{1,2}})['’′]\s?(?P<inches>[0-9]{{1,2}})(?:\"|”|″|''|(?!\w))", _height),
    rule(
        rf"(?<![\w.,]){MINUS}(?P<low>{NUMBER})(?:{TO}(?P<high>{NUMBER}))?(?P<join>[\s-]?)(?P<unit>{any_of(UNITS)})"
        r"(?![\w²³'’]|/\w|-[A-Z0-9])(?:\.(?=\s[a-z]))?",
        _measure,
    ),
    rule(
        rf"{START}(?P<base>{NUMBER}|[A-Za-z]{{1,3}})(?:\^(?P<caret>[-−]?[0-9]{{1,9}})|(?P<raised>[⁻⁰¹²³⁴-⁹]{{1,5}})){END}",
        _power,
    ),
    rule(rf"{START}(?P<mantissa>{NUMBER})[eE](?P<exponent>[+-]?[0-9]{{1,3}}){END}", _scientific),
    rule(
        rf"(?<![\w/]){MINUS}(?:(?P<whole>[0-9]{{1,9}})\s)?(?P<over>[0-9]{{1,4}})[/⁄](?P<under>[0-9]{{1,4}})(?![\w/])",
        _fraction,
    ),
    rule(rf"(?:{START}(?P<whole>[0-9]{{1,9}})\s?)?(?P<sign>[{''.join(_VULGAR)}])", _vulgar),
    rule(rf"{START}(?P<rank>{WHOLE})(?:st|nd|rd|th)\b", lambda match, day_first: ordinal(match["rank"])),
    rule(
        rf"{START}(?P<low>{NUMBER})x(?P<high>{NUMBER}){END}",
        lambda match, day_first: f"{decimal(match['low'])} by {decimal(match['high'])}",
    ),
    rule(
        rf"{START}(?P<high>[0-9]{{1,2}})(?P<low>[0-9]{{2}})(?P<scan>[pi])\b",
        lambda match, day_first: f"{cardinal(match['high'])} {cardinal(match['low'])} {match['scan']}",
    ),
    rule(rf"(?<![\w.,-])(?P<low>{NUMBER})(?:\s?[–—]\s?|-)(?P<high>{NUMBER})(?![\w]|-[0-9])", _range),
    rule(r"(?<=[0-9]):(?=[0-9])", "to"),
    rule(r"(?<!\S)<(?=\.?[0-9])", "less than "),
    rule(r"(?<!\S)>(?=\.?[0-9])", "more than "),
    rule(r"(?<!\S)~(?=\.?[0-9])", "about"),
    rule(r"(?<=[\w%])/(?=(?:second|minute|hour|day|night|week|month|year|person|head|kg|lb|km)\b)", "per"),
    rule(r"(?<!\S)\+(?=\.?[0-9])", "plus"),
    rule(r"(?<=[0-9apm%])\s?[-–—]\s?(?=[0-9$€£¥])(?<![^\W\dam][-–—])", "to"),
    rule(
        r"(?<=[0-9)])[=+*<>−](?=[0-9(.])|(?<=(?<!\w)[A-Za-z])[=<>+](?=[0-9])",
        lambda match, day_first: OPERATORS[match.group()],
    ),
    rule(rf"{MINUS}(?P<number>{NUMBER})", _number),
)
