"""What is read aloud, as a person would say it."""

import re
import socket
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.speech.text import pieces, warm
from service.speech.text.english.normalization import spoken
from service.speech.text.english.numerals import cardinal

TABLE = """
I have 5 apples. | I have five apples.
There are 123 oranges. | There are one hundred and twenty three oranges.
There are 1,200 people. | There are one thousand two hundred people.
There are 1200 people. | There are twelve hundred people.
1066 people came. | one thousand and sixty six people came.
1,234,567 | one million two hundred thirty four thousand five hundred and sixty seven
1,000,000,000 | one billion
0 | zero
007 | zero zero seven
Pi is 3.14159. | Pi is three point one four one five nine.
.5 inches | point five inches
It is -5 degrees. | It is minus five degrees.
It is −5 degrees. | It is minus five degrees.
1234567890123456 | one two three four five six seven eight nine zero one two three four five six
It costs $5. | It costs five dollars.
It costs $1. | It costs one dollar.
It costs $5.99. | It costs five dollars and ninety nine cents.
It costs $0.99. | It costs ninety nine cents.
It costs $1.01. | It costs one dollar and one cent.
It costs $1,200. | It costs one thousand two hundred dollars.
It costs €1,200.99. | It costs one thousand two hundred euros and ninety nine cents.
It costs £45.50. | It costs forty five pounds and fifty pence.
It costs ¥500 or ₹1,500. | It costs five hundred yen or one thousand five hundred rupees.
It costs $5k or €2.5bn. | It costs five thousand dollars or two point five billion euros.
It costs £3m. | It costs three million pounds.
It costs $1.5 billion. | It costs one point five billion dollars.
It costs 5€ or 100 USD. | It costs five euros or one hundred US dollars.
It costs -$5. | It costs minus five dollars.
It costs US$ 100. | It costs one hundred US dollars.
$5-10 | five to ten dollars
$10-20 million | ten to twenty million dollars
$5/month | five dollars per month
I owe 50¢. | I owe fifty cents.
50% of people | fifty percent of people
12.5% off | twelve point five percent off
5-10% | five to ten percent
50%-60% | fifty percent to sixty percent
It is 20°C or 72 °F. | It is twenty degrees Celsius or seventy two degrees Fahrenheit.
It is -3°C. | It is minus three degrees Celsius.
Turn 90°. | Turn ninety degrees.
5 km and 1 km | five kilometers and one kilometer
a 5-km run | a five-kilometer run
60 mph, 100 km/h, 30 m/s | sixty miles per hour, one hundred kilometers per hour, thirty meters per second
5 m² and 20 m2 | five square meters and twenty square meters
5 m, 3 ft, 10 lbs, 3 l | five meters, three feet, ten pounds, three liters
5 ft. tall | five feet tall
6'2" and 5'11" | six foot two and five foot eleven
6 ft 2 in | six foot two
5MB, 10 GB, 1.5 TB | five megabytes, ten gigabytes, one point five terabytes
5 GHz, 100 W, 5 kWh | five gigahertz, one hundred watts, five kilowatt hours
1h 30min | one hour thirty minutes
9.8 m/s² | nine point eight meters per second squared
Call 555-1234. | Call five five five, one two three four.
Call (555) 123-4567. | Call five five five, one two three, four five six seven.
Call +1 555 123 4567. | Call plus one, five five five, one two three, four five six seven.
Call 1-800-555-1234. | Call one, eight hundred, five five five, one two three four.
Call +44 20 7946 0958. | Call plus four four, two zero, seven nine four six, zero nine five eight.
ISBN 978-3-16-148410-0 | ISBN nine seven eight, three, one six, one four eight four one zero, zero
In 1984. | In nineteen eighty four.
In 1905 and 2005 | In nineteen oh five and two thousand five
In 1900 and 2000 | In nineteen hundred and two thousand
In 1066 William came. | In ten sixty six William came.
In 2024, things changed. | In twenty twenty four, things changed.
2010–2015 | twenty ten to twenty fifteen
In 2010-15 it rose. | In twenty ten to fifteen it rose.
the 1990s, the '90s, the 90s | the nineteen nineties, the nineties, the nineties
the 1800s and 2000s | the eighteen hundreds and two thousands
2024-01-15 | January fifteenth, twenty twenty four
01/15/2024 | January fifteenth, twenty twenty four
15/01/2024 | January fifteenth, twenty twenty four
15.01.2024 | January fifteenth, twenty twenty four
12/31/99 | December thirty first, nineteen ninety nine
January 15, 2024 | January fifteenth, twenty twenty four
Jan. 15 | January fifteenth
15 January 2024 | the fifteenth of January twenty twenty four
on the 15th of January | on the fifteenth of January
Monday, March 3rd, 2025 | Monday, March third, twenty twenty five
May 2024 was hot. | May twenty twenty four was hot.
2024-01-15T10:05:00Z | January fifteenth, twenty twenty four at ten oh five Z
3:30 | three thirty
3:05 pm | three oh five P M
At 7am or 7:30 p.m., we left. | At seven A M or seven thirty P M, we left.
It is 5 p.m. | It is five P M.
10:00 | ten o'clock
15:45 | fifteen forty five
15:00 | fifteen hundred
00:00 | midnight
1:02:03 | one hour two minutes and three seconds
10:30-11:30 | ten thirty to eleven thirty
10am-5pm | ten A M to five P M
john.doe@example.co.uk | john dot doe at example dot co dot U K
Visit example.com. | Visit example dot com.
www.example.com | W W W dot example dot com
See https://example.com/a?x=1, then. | See example dot com slash a question mark x equals one, then.
Open README.md. | Open README dot M D.
192.168.1.1 | one nine two dot one six eight dot one dot one
Version 2.0.1 | Version two point zero point one
v1.2 | version one point two
Python 3.11 | Python three point one one
5–10 people | five to ten people
pages 10–15 | pages ten to fifteen
won 3-2 | won three to two
The ratio is 3:1. | The ratio is three to one.
2 + 2 = 4 | two plus two equals four
5 - 3 = 2 | five minus three equals two
3 × 4 = 12 | three times four equals twelve
x < 5 and 10 > 5 | x is less than five and ten is greater than five
a * b | a times b
a² + b² = c² | a squared plus b squared equals c squared
10^6 and 10^-3 | ten to the power of six and ten to the power of minus three
1.5e-3 | one point five times ten to the minus three
√4 ±5 | square root of four plus or minus five
~5 and +5 | about five and plus five
1/2 cup, 3/4 of it | one half cup, three quarters of it
2 1/2 cups, 1½ cups, ½ cup | two and a half cups, one and a half cups, one half cup
24/7, 9/11, 50/50 | twenty four seven, nine eleven, fifty fifty
1st, 2nd, 3rd, 21st, 100th | first, second, third, twenty first, one hundredth
21-year-old | twenty one-year-old
World War II ended. | World War two ended.
Henry VIII and Louis XIV | Henry the eighth and Louis the fourteenth
Chapter IV, Super Bowl LVIII | Chapter four, Super Bowl fifty eight
Type I error, an IV drip, I am | Type I error, an IV drip, I am
R&D, Tom & Jerry | R and D, Tom and Jerry
@user #1 #MeToo | at user number one hashtag MeToo
#5 @user | number five at user
No. 7 and nos. 5 | Number seven and numbers five
No. That is no. 5. | No. That is number five.
Dr. Smith, Mr. Jones, Mrs. Lee | Doctor Smith, Mister Jones, Missus Lee
12 Oak Dr. in Ohio, St. Louis | twelve Oak Drive in Ohio, Saint Louis
He is on Main St. | He is on Main Street.
e.g. this, i.e. that, etc. | for example this, that is that, et cetera.
apples vs. pears, w/o salt | apples versus pears, without salt
Fig. 3, vol. 2, pp. 5-7 | Figure three, volume two, pages five to seven
J. R. R. Tolkien, J.R.R. Tolkien | J R R Tolkien, J R R Tolkien
the U.S. Army | the U S Army
a Ph.D. student | a P H D student
Smith & Sons, Inc. | Smith and Sons, Incorporated.
NASA and the FBI | NASA and the FBI
H2O, B2B, MP3, COVID-19 | H two O, B two B, MP three, COVID-nineteen
4x4, 1080p, 4K | four by four, ten eighty p, four K
C++ and C# | C plus plus and C sharp
§ 5, © 2024 | section five, copyright twenty twenty four
She said "hello". | She said "hello".
Hello   world — (well-known) and/or it's | Hello   world — (well-known) and/or it's
Hello 😀 你好 привет | Hello 😀 你好 привет
"$5" (5 km) 5! | "five dollars" (five kilometers) five!
13/13/2024 | thirteen/thirteen/twenty twenty four
"""
ROWS = [tuple(part.strip() for part in row.split("|")) for row in TABLE.strip().splitlines()]


def say(text: str, language: str = "en") -> str:
    return "".join(part for part, _ in spoken(text, language=language))


@pytest.mark.parametrize(("written", "expected"), ROWS, ids=[row[0] for row in ROWS])
def test_text_is_read_as_a_person_would(written: str, expected: str) -> None:
    assert say(written) == expected


@pytest.mark.parametrize(
    ("language", "expected"),
    [
        ("en", "March fourth, twenty twenty four"),
        ("en_US", "March fourth, twenty twenty four"),
        ("en-GB", "the third of April twenty twenty four"),
        ("de_DE", "3/4/2024"),
        ("zh", "3/4/2024"),
    ],
)
def test_the_language_decides(language: str, expected: str) -> None:
    assert say("3/4/2024", language) == expected
    assert next(pieces("3/4/2024", language=language)).text == expected


UNITS = re.findall(
    r"\w+",
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen "
    "sixteen seventeen eighteen nineteen",
)
TENS = re.findall(r"\S+", "- - twenty thirty forty fifty sixty seventy eighty ninety")


def value(words: str) -> int:
    total = group = 0
    for word in words.replace(" and ", " ").split():
        if word == "hundred":
            group *= 100
        elif word in (scales := {"thousand": 10**3, "million": 10**6, "billion": 10**9, "trillion": 10**12}):
            total, group = total + group * scales[word], 0
        else:
            group += UNITS.index(word) if word in UNITS else 10 * TENS.index(word)
    return total + group


@settings(max_examples=300, deadline=None)
@given(st.integers(0, 10**14) | st.integers(0, 10_000))
def test_cardinals_mean_their_number(number: int) -> None:
    assert value(cardinal(str(number))) == number
    assert value(cardinal(f"{number:,}")) == number


CHARACTERS = [
    *"0123456789.,:/-–$€%°'\"()+*=<>^²½#@&~ ab mkpsIVX",
    *("Jan ", " km", " pm", "No. ", "e.g. ", "St. ", "\n"),
]


@settings(max_examples=500, deadline=None)
@given(st.lists(st.sampled_from(CHARACTERS), max_size=25).map("".join) | st.text(max_size=40))
def test_every_text_has_a_reading_that_accounts_for_every_character(text: str) -> None:
    parts = list(spoken(text))
    assert sum(count for _, count in parts) == len(text)
    assert not re.search("[0-9]", "".join(part for part, _ in parts))


def test_threads_read_the_same_as_one() -> None:
    texts = [
        f"Pay ${number}.{number % 90 + 10} by {number % 12 + 1}:15 on Jan {number % 28 + 1}."
        for number in range(200)
    ]
    expected = [say(text) for text in texts]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(say, texts * 4)) == expected * 4


def test_the_grammar_comes_from_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: object) -> None:
        raise AssertionError("a connection was tried")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    warm()
    assert say("7") == "seven"
