import itertools
import re

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from service.errors import EmptyText
from service.speech.text import Cleanup, pieces, validate
from service.speech.text.validation import is_speakable

PARAGRAPH = (
    "The old lighthouse stood on the cliff, and every night its lamp swept the bay, the harbour and "
    "the hills. "
    "Mr. Hale had kept it for 42 years. Nobody knew why! Was it the view or the $1,200.50 a month? "
    '"You should leave," the mayor said. He only smiled... and lit the lamp again.'
)
# Long runs of marks are shortened, so that no limit is broken; what is said is there to the letter.
TEXTS = st.text(max_size=400) | st.text(
    alphabet=st.sampled_from(list("abcdeXY 1234,,..;:!?()-—\"'\n\t é\u0301你。😀\u200d🇩🇪$%&#@/")),
    max_size=800,
)
LONG_MUTE_RUN = re.compile(r"(?:[^\w&@%‰$€£¥₹₩₽₿¢§°©×÷±√∞≈≠≤≥]|_){6,}")


def joined(text: str) -> str:
    return "".join(text.split())


def sounds(text: str) -> str:
    return "".join(character for character in text if is_speakable(character))


@settings(max_examples=300, deadline=None)
@given(text=TEXTS, limits=st.sampled_from([(20, 20), (20, 45), (80, 240)]), normalize=st.booleans())
@example(text="." * 999 + "a", limits=(20, 20), normalize=True)
@example(text="a" + "\n" * 99 + "." * 99 + "b", limits=(20, 20), normalize=False)
def test_nothing_is_lost_reordered_or_too_long(text: str, limits: tuple[int, int], normalize: bool) -> None:
    first_limit, limit = limits
    if not is_speakable(text):
        with pytest.raises(EmptyText):
            pieces(text)
        return
    found = list(pieces(text, normalize=normalize, first_limit=first_limit, limit=limit))
    assert len(found[0].text) <= first_limit
    assert all(len(piece.text) <= limit and is_speakable(piece.text) for piece in found)
    assert sum(piece.characters for piece in found) == len(text)
    assert min(piece.characters for piece in found) >= 0
    assert found[-1].pause_seconds == 0
    if not normalize:
        spoken = "".join(piece.text for piece in found)
        assert sounds(spoken) == sounds(text)
        if not LONG_MUTE_RUN.search(text):
            assert joined(spoken) == joined(text)


WORDS = ["lighthouse", "keeper", "winter", "letter", "quiet", "because", "harbour", "answered"]
TOKENS = (
    "$5.99", "12", "3.14", "Jan 5, 2024", "5 km", "10:30", "No. 7", "Dr. Who", "e.g.", "50%", "#5", "@x",
    "J. R. R.", "1/2",
    "6'2\"", "2.0.1", "a@b.com", "https://x.org/a?b=1", "—", '"', "(", ")", ";", ".", "...", "&",
    "-", "*", "1,200", "²", "½", "1e5", "24/7", "Henry VIII", "+1 555 123 4567", "U.S.", "€", "~", "^2",
    "4x4", "1990s", "=",
)  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(
    st.lists(st.sampled_from(WORDS) | st.sampled_from(TOKENS), min_size=1, max_size=40),
    st.sampled_from(["", " "]),
)
def test_normalisation_keeps_every_plain_word_in_order(parts: list[str], glue: str) -> None:
    text = " ".join(part + glue for part in parts)
    if not is_speakable(text):
        return
    spoken = " ".join(piece.text for piece in pieces(text))
    plain = [part for part in parts if part in WORDS]
    assert [word for word in re.findall("[a-z]+", spoken) if word in WORDS] == plain
    assert not re.search("[0-9]", spoken)


def test_the_first_piece_is_the_first_clause_and_the_rest_are_sentences() -> None:
    texts = [piece.text for piece in pieces(PARAGRAPH)]
    assert texts == [
        "The old lighthouse stood on the cliff,",
        "and every night its lamp swept the bay, the harbour and the hills.",
        "Mister Hale had kept it for forty two years. Nobody knew why!",
        "Was it the view or the one thousand two hundred dollars and fifty cents a month?",
        '"You should leave," the mayor said.',
        "He only smiled... and lit the lamp again.",
    ]


def test_pauses_stand_after_sentences_and_paragraphs_only() -> None:
    text = (
        "The first sentence is here. The second sentence, too.\n\nA new paragraph begins here and is longer."
    )
    found = list(pieces(text, first_limit=40))
    inside, sentence, paragraph = 0.0, found[0].pause_seconds, found[1].pause_seconds
    assert 0 < sentence < paragraph
    assert [piece.pause_seconds for piece in found] == [sentence, paragraph, inside]


def test_a_very_short_sentence_shares_a_piece_and_keeps_its_place() -> None:
    text = "We asked everybody in the town. Yes. No. Most of them could not remember. Why?"
    assert [piece.text for piece in pieces(text)] == [
        "We asked everybody in the town.",
        "Yes. No. Most of them could not remember. Why?",
    ]


def test_a_heading_does_not_run_into_the_text() -> None:
    text = "Some words to begin with.\n\nChapter\nIt was dark."
    assert [piece.text for piece in pieces(text)] == ["Some words to begin with.", "Chapter", "It was dark."]


def test_a_cut_leaves_no_tiny_tail() -> None:
    text = "First things come first here. " + " ".join(["word"] * 50)
    tail = [len(piece.text) for piece in pieces(text, limit=100)][1:]
    assert min(tail) > 60


def test_letters_keep_their_accents_when_cut_hard() -> None:
    found = [piece.text for piece in pieces("e\u0301" * 200, limit=41, first_limit=21)]
    assert all(piece[-1] == "\u0301" and piece[0] == "e" for piece in found)


@pytest.mark.parametrize(
    "text",
    ["lighthouse keeper " * 555, "a" * 10_000, "1234567890" * 1000, "(" * 9_999 + "a", "." * 9_999 + "a",
     "1," * 5_000, "a" + " " * 9_998 + "b", "a." * 5_000, "1-" * 5_000, "x.com/" * 1_666, "A. " * 3_333,
     "a\n" * 5_000, "é\u0301" * 5_000, "a@" * 5_000, "$1." * 3_333, "12 " * 3_333, '"a' * 5_000,
     "Jan 1 " * 1_666, "[1]a" * 2_500, "𝟘" * 10_000],
    ids=lambda text: text[:6].strip() + "…",
)  # fmt: skip
@pytest.mark.parametrize("cleanup", [Cleanup(), Cleanup(True, True, True, True)], ids=["plain", "cleaned"])
def test_hostile_texts_stay_within_bounds(text: str, cleanup: Cleanup) -> None:
    validate(text, max_length=10_000)
    found = list(pieces(text, cleanup=cleanup))
    assert sum(piece.characters for piece in found) == len(text)
    assert all(len(piece.text) <= 240 for piece in found)
    assert len(found[0].text) <= 80


def test_the_first_piece_needs_only_the_start_of_the_text() -> None:
    """A first piece that read the rest as well would take the numbers' grammar through a million tokens."""
    text = "This is a start without an end " + "1234567 and 12:30 " * 55_000
    first = list(itertools.islice(pieces(text), 1))
    assert 15 <= len(first[0].text) <= 80


@pytest.mark.parametrize(
    ("cleanup", "text", "expected"),
    [
        (Cleanup(normalize_spacing=True), "Too   many \t blanks.", "Too many blanks."),
        (Cleanup(), "Too   many blanks.", "Too   many blanks."),
        (Cleanup(fix_dot_letters=True), "J.R.R. Tolkien wrote.", "J R R Tolkien wrote."),
        (Cleanup(fix_dot_letters=True), "He is in the U.S.", "He is in the U S."),
        (Cleanup(remove_reference_numbers=True), "A word.[12] Next one.", "A word. Next one."),
        (Cleanup(remove_reference_numbers=True), "A word.12 Next one.", "A word. Next one."),
        (Cleanup(remove_reference_numbers=True), "A word[3] and[4][5] more.", "A word and more."),
        (Cleanup(remove_reference_numbers=True), "It is 3.14 or No.5 here.", "It is 3.14 or No.5 here."),
        (Cleanup(to_lowercase=True), "Ask Dr. NO now.", "ask dr. no now."),
    ],
)
def test_cleanups_are_options(cleanup: Cleanup, text: str, expected: str) -> None:
    found = list(pieces(text, cleanup=cleanup, normalize=False))
    assert " ".join(piece.text for piece in found) == expected
    assert sum(piece.characters for piece in found) == len(text)


def test_lowercase_comes_after_normalisation() -> None:
    assert next(pieces("Dr. Who met Henry VIII.", cleanup=Cleanup(to_lowercase=True))).text == (
        "doctor who met henry the eighth."
    )


def test_nothing_left_after_cleanup_is_empty() -> None:
    with pytest.raises(EmptyText):
        pieces("...[12]", cleanup=Cleanup(remove_reference_numbers=True))


def test_a_limit_too_small_to_hold_a_word_is_refused() -> None:
    with pytest.raises(ValueError, match="20"):
        pieces("Hello", limit=5)


def test_a_number_of_ten_thousand_digits_is_read_digit_by_digit() -> None:
    words = " ".join(piece.text for piece in pieces("1234567890" * 1000)).split()
    assert words == re.findall(r"\w+", "one two three four five six seven eight nine zero") * 1000
