import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.speech.text.sentences import Ending, sentences
from service.speech.text.validation import is_speakable


def split(text: str) -> list[str]:
    return [sentence.text.strip() for sentence in sentences(text)]


@pytest.mark.parametrize(
    "marked",
    [
        "One. | Two! | Three? | Four… | Five.",
        "Really?! | Yes!!! | Good.",
        'She said "Go." | He went.',
        "(It rained.) | We left.",
        "“Stop!” | he said nothing.".replace(" | ", " "),
        '"Really?" he asked. | "Yes," she said.',
        "Dr. Smith met Mr. and Mrs. Jones. | They left.",
        "J. R. R. Tolkien wrote it. | It sold.",
        "J.R.R. Tolkien wrote it.",
        "He lives in the U.S. | He likes it.",
        "The U.S. Army is big.",
        "See e.g. Fig. 3 and No. 5 for it. | Done.",
        "No. | I won't.",
        "No. 5 is alive.",
        "Pi is 3.14 and Python 2.0.1 is old. | Yes.",
        "Visit example.com or mail a.b@c.org. | Thanks.",
        "Meet at 5 p.m. | The door is open.",
        "Meet at 5 p.m. on Monday.",
        "Wait... what? | No way.",
        "Wait... | What?",
        "Apples, pears, etc. | Then nuts.",
        "Apples, pears, etc. are fruit.",
        "hello there. | how are you. | fine.",
        "1. First thing. | 2. Second thing.",
        "On Jan. 5 it snowed. | Cold.",
        "It is 6 ft. tall. | Wow.",
        "Smith Inc. bought it. | The end.",
        "Main St. is long.",
        "He is a rep. | The job is hard.",
        "ask mr. smith. | he knows.",
        "It was I. | The dog ran.",
        "Take vitamin C. | It helps.",
        "今日は。 | 元気ですか？ | はい！",
        "नमस्ते। | आप कैसे हैं?",
        "مرحبا؟ | نعم.",
        "It grew.[12] | Then it fell.",
        "Title\n\n | Text of it.",
        "Shopping:\n | - milk\n | - eggs and ham\n | - bread",
        "Introduction\n | The cat sat.",
        "This is a long line of text that was wrapped here\nand goes on in the next one.",
        "This is a long line of text that was wrapped by\nMary and goes on in the next one.",
        "One\r\n\r\n | Two",
        "Hello.\n\n* * *\n\n | Next.",
        "It weighs 5 lbs. or so. | Heavy.",
    ],
)
def test_sentences_end_where_a_reader_stops(marked: str) -> None:
    expected = [part.strip() for part in marked.split("|")]
    assert split(marked.replace(" | ", " ").replace("\n ", "\n")) == expected


def test_sentences_in_chinese_need_no_blank() -> None:
    assert split("你好。你好吗？「很好。」谢谢！") == ["你好。", "你好吗？", "「很好。」", "谢谢！"]


def test_endings_tell_paragraphs_and_the_end() -> None:
    endings = [sentence.ending for sentence in sentences("A bee. C dee.\n\nE f.\n\n***\n\n")]
    assert endings == [Ending.SENTENCE, Ending.PARAGRAPH, Ending.TEXT]


@given(
    st.text(alphabet=st.sampled_from(list("aB1 .!?…\n\r\"'()[]-*。।\u2029 ")), max_size=60)
    | st.text(max_size=60)
)
def test_every_character_is_in_one_sentence_in_order(text: str) -> None:
    found = list(sentences(text))
    assert "".join(sentence.text for sentence in found) == text
    assert all(is_speakable(sentence.text) for sentence in found) or not is_speakable(text)
