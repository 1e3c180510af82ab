"""The words behind the signs: abbreviations, units, currencies and symbols of written English."""

from typing import Final


def word_list(line: str) -> list[str]:
    """The words of a line."""
    return line.split()


#: Read out as the words on the right wherever they stand before another word; they never end a sentence.
TITLES: Final = {
    "Dr": "Doctor",
    "Mr": "Mister",
    "Mrs": "Missus",
    "Ms": "Miz",
    "Messrs": "Messieurs",
    "Prof": "Professor",
    "Gen": "General",
    "Col": "Colonel",
    "Capt": "Captain",
    "Cmdr": "Commander",
    "Lt": "Lieutenant",
    "Sgt": "Sergeant",
    "Rev": "Reverend",
    "Hon": "Honorable",
    "Gov": "Governor",
    "Sen": "Senator",
    "Rep": "Representative",
    "Pres": "President",
    "St": "Saint",
    "Mt": "Mount",
    "Ft": "Fort",
}

#: In running text; they end a sentence only at its end.
PHRASES: Final = {
    "e.g.": "for example",
    "i.e.": "that is",
    "vs.": "versus",
    "approx.": "approximately",
    "cf.": "compare",
    "viz.": "namely",
    "ca.": "circa",
    "w/o": "without",
    "w/": "with",
    "b/c": "because",
}

#: Only before a number ("No. 5"); without one the dot ends a sentence ("No.").
NUMBERED: Final = {
    "no": "number",
    "nos": "numbers",
    "fig": "figure",
    "figs": "figures",
    "vol": "volume",
    "vols": "volumes",
    "ch": "chapter",
    "chap": "chapter",
    "sec": "section",
    "eq": "equation",
    "p": "page",
    "pp": "pages",
    "op": "opus",
    "ext": "extension",
    "apt": "apartment",
    "ver": "version",
}

#: Stand after a name; may end a sentence.
ENDINGS: Final = {
    "etc": "et cetera",
    "Jr": "Junior",
    "Sr": "Senior",
    "Inc": "Incorporated",
    "Ltd": "Limited",
    "Co": "Company",
    "Corp": "Corporation",
    "Bros": "Brothers",
    "Dept": "Department",
    "Ave": "Avenue",
    "Blvd": "Boulevard",
    "Rd": "Road",
    "Ln": "Lane",
    "Hwy": "Highway",
    "Esq": "Esquire",
    "est": "established",
}

MONTHS: Final = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)

#: Short names with their dot, as in "Jan. 15"; "Sept" is the one with four letters.
MONTH_NUMBERS: Final = {
    **{name: number for number, name in enumerate(MONTHS, 1)},
    **{name[:3]: number for number, name in enumerate(MONTHS, 1)},
    "Sept": 9,
}

WEEKDAYS: Final = {
    "Mon": "Monday",
    "Tue": "Tuesday",
    "Tues": "Tuesday",
    "Wed": "Wednesday",
    "Thu": "Thursday",
    "Thur": "Thursday",
    "Thurs": "Thursday",
    "Fri": "Friday",
    "Sat": "Saturday",
    "Sun": "Sunday",
}

#: Sign or code -> one, many, the hundredth part of one, of many ("" where there is none).
CURRENCIES: Final = {
    "$": ("dollar", "dollars", "cent", "cents"),
    "€": ("euro", "euros", "cent", "cents"),
    "£": ("pound", "pounds", "penny", "pence"),
    "¥": ("yen", "yen", "", ""),
    "₹": ("rupee", "rupees", "paisa", "paise"),
    "₩": ("won", "won", "", ""),
    "₽": ("ruble", "rubles", "kopeck", "kopecks"),
    "₿": ("bitcoin", "bitcoins", "", ""),
    "¢": ("cent", "cents", "", ""),
}
CURRENCY_CODES: Final = {
    "USD": ("US dollar", "US dollars", "cent", "cents"),
    "EUR": CURRENCIES["€"],
    "GBP": CURRENCIES["£"],
    "JPY": CURRENCIES["¥"],
    "INR": CURRENCIES["₹"],
    "CHF": ("Swiss franc", "Swiss francs", "centime", "centimes"),
    "CAD": ("Canadian dollar", "Canadian dollars", "cent", "cents"),
    "AUD": ("Australian dollar", "Australian dollars", "cent", "cents"),
}
MAGNITUDES: Final = {
    "k": "thousand",
    "K": "thousand",
    "m": "million",
    "M": "million",
    "mn": "million",
    "b": "billion",
    "B": "billion",
    "bn": "billion",
    "t": "trillion",
    "T": "trillion",
    "tn": "trillion",
}

#: Unit sign -> one, many ("" where an s is added). "in" is not here: it is a word more often.
UNITS: Final = {
    sign: (one, many or f"{one}s")
    for sign, one, many in (
        ("%", "percent", "percent"),
        ("‰", "per mille", "per mille"),
        ("°C", "degree Celsius", "degrees Celsius"),
        ("℃", "degree Celsius", "degrees Celsius"),
        ("°F", "degree Fahrenheit", "degrees Fahrenheit"),
        ("℉", "degree Fahrenheit", "degrees Fahrenheit"),
        ("°", "degree", ""),
        ("km", "kilometer", ""),
        ("m", "meter", ""),
        ("cm", "centimeter", ""),
        ("mm", "millimeter", ""),
        ("µm", "micrometer", ""),
        ("μm", "micrometer", ""),
        ("nm", "nanometer", ""),
        ("mi", "mile", ""),
        ("ft", "foot", "feet"),
        ("yd", "yard", ""),
        ("km²", "square kilometer", ""),
        ("m²", "square meter", ""),
        ("m2", "square meter", ""),
        ("cm²", "square centimeter", ""),
        ("m³", "cubic meter", ""),
        ("m3", "cubic meter", ""),
        ("cm³", "cubic centimeter", ""),
        ("ft²", "square foot", "square feet"),
        ("sq ft", "square foot", "square feet"),
        ("kg", "kilogram", ""),
        ("g", "gram", ""),
        ("mg", "milligram", ""),
        ("µg", "microgram", ""),
        ("lb", "pound", ""),
        ("lbs", "pounds", "pounds"),
        ("oz", "ounce", ""),
        ("l", "liter", ""),
        ("L", "liter", ""),
        ("ml", "milliliter", ""),
        ("mL", "milliliter", ""),
        ("cl", "centiliter", ""),
        ("mph", "mile per hour", "miles per hour"),
        ("km/h", "kilometer per hour", "kilometers per hour"),
        ("kmh", "kilometer per hour", "kilometers per hour"),
        ("kph", "kilometer per hour", "kilometers per hour"),
        ("m/s", "meter per second", "meters per second"),
        ("m/s²", "meter per second squared", "meters per second squared"),
        ("kg/m³", "kilogram per cubic meter", "kilograms per cubic meter"),
        ("ms", "millisecond", ""),
        ("µs", "microsecond", ""),
        ("ns", "nanosecond", ""),
        ("s", "second", ""),
        ("sec", "second", ""),
        ("min", "minute", ""),
        ("h", "hour", ""),
        ("hr", "hour", ""),
        ("hrs", "hours", "hours"),
        ("Hz", "hertz", "hertz"),
        ("kHz", "kilohertz", "kilohertz"),
        ("MHz", "megahertz", "megahertz"),
        ("GHz", "gigahertz", "gigahertz"),
        ("dB", "decibel", ""),
        ("W", "watt", ""),
        ("kW", "kilowatt", ""),
        ("MW", "megawatt", ""),
        ("GW", "gigawatt", ""),
        ("kWh", "kilowatt hour", ""),
        ("MWh", "megawatt hour", ""),
        ("V", "volt", ""),
        ("kV", "kilovolt", ""),
        ("mA", "milliamp", ""),
        ("mAh", "milliamp hour", ""),
        ("Ω", "ohm", ""),
        ("J", "joule", ""),
        ("kJ", "kilojoule", ""),
        ("kcal", "kilocalorie", ""),
        ("hPa", "hectopascal", ""),
        ("psi", "P S I", "P S I"),
        ("rpm", "R P M", "R P M"),
        ("kB", "kilobyte", ""),
        ("KB", "kilobyte", ""),
        ("MB", "megabyte", ""),
        ("GB", "gigabyte", ""),
        ("TB", "terabyte", ""),
        ("KiB", "kibibyte", ""),
        ("MiB", "mebibyte", ""),
        ("GiB", "gibibyte", ""),
        ("kbps", "kilobit per second", "kilobits per second"),
        ("Mbps", "megabit per second", "megabits per second"),
        ("Gbps", "gigabit per second", "gigabits per second"),
        ("px", "pixel", ""),
        ("fps", "frame per second", "frames per second"),
    )
}

#: Said wherever they stand, whatever is around them.
SYMBOLS: Final = {
    "&": "and",
    "@": "at",
    "×": "times",
    "÷": "divided by",
    "±": "plus or minus",
    "√": "square root of",
    "∞": "infinity",
    "≈": "approximately",
    "≠": "is not equal to",
    "≤": "is at most",
    "≥": "is at least",
    "§": "section",
    "©": "copyright",
    "°": "degrees",
    "π": "pi",
    "%": "percent",
}
#: Said only between two operands with blanks around them.
OPERATORS: Final = {
    "+": "plus",
    "-": "minus",
    "−": "minus",
    "*": "times",
    "/": "divided by",
    "=": "equals",
    "<": "is less than",
    ">": "is greater than",
}
#: Inside addresses.
ADDRESS_SIGNS: Final = {
    ".": "dot",
    "@": "at",
    "/": "slash",
    "-": "dash",
    "_": "underscore",
    "?": "question mark",
    "=": "equals",
    "&": "and",
    "#": "hash",
    "+": "plus",
    "%": "percent",
    ":": "colon",
    "~": "tilde",
}

#: Words that open a sentence and hardly ever follow an initial or "U.S." within one.
SENTENCE_OPENERS: Final = frozenset(
    word_list(
        "The This That These Those There Then They He She It We You I My His Her Its Our Their A "
        "An And But Or So If In On At As For From When While Where What Who Why How After Before "
        "However Although No Yes Not Now Let Some Many Most All Every Each Please Do Does Did Is "
        "Are Was Were"
    )
)

#: Names a Roman number after which is an ordinal ("Henry VIII").
REGNAL_NAMES: Final = word_list(
    "Henry Louis Charles Edward George William James Richard Elizabeth Mary John Paul Pius "
    "Benedict Gregory Leo Francis Philip Frederick Catherine Alexander Nicholas Ivan Napoleon "
    "Innocent Clement Urban Otto Leopold Ferdinand Alfonso Constantine Ramses Ptolemy Wilhelm "
    "Friedrich Gustav Christian Peter Robert Harald"
)
