import pytest

from service.errors import EmptyText, InvalidText, TextTooLong
from service.speech.text import validate


@pytest.mark.parametrize(
    "text", ["", " ", "\n\t \r\n", "...", "—", "?!…", "* * *", "\u200b", "😀", "_", "\u00a0"]
)
def test_text_without_anything_to_speak_is_empty(text: str) -> None:
    with pytest.raises(EmptyText):
        validate(text, max_length=100)


@pytest.mark.parametrize(
    "text", ["a", "5", "é", "你好", "नमस्ते", "½", "...a", "Tab\tnew\nline\r\n", "50 %", "👍 ok", "e\u0301"]
)
def test_speakable_text_is_accepted(text: str) -> None:
    validate(text, max_length=100)


def test_the_limit_itself_is_allowed() -> None:
    validate("a" * 100, max_length=100)
    with pytest.raises(TextTooLong) as caught:
        validate("a" * 101, max_length=100)
    assert caught.value.detail == {"length": 101, "limit": 100}


@pytest.mark.parametrize(
    ("text", "character", "index"),
    [("ab\x00secret", "U+0000", 2), ("\x1b[31m red", "U+001B", 0), ("a\x7f", "U+007F", 1),
     ("a\x85b", "U+0085", 1), ("hi \ud83d there", "U+D83D", 3), ("hi \udc00", "U+DC00", 3),
     ("a\x0bb", "U+000B", 1)],
)  # fmt: skip
def test_unspeakable_characters_are_named_but_the_text_is_not(text: str, character: str, index: int) -> None:
    with pytest.raises(InvalidText) as caught:
        validate(text, max_length=100)
    assert character in caught.value.message
    assert f"index {index}" in caught.value.message
    assert caught.value.detail == {"character": character, "index": index}
    assert not any(word in caught.value.message for word in ("secret", "there", "[31m"))
