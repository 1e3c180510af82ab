import re
from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telemetry.redact import PREVIEW_CHARACTERS, Redactor, client_address, clipped

texts = st.text(st.characters(exclude_categories=()), max_size=300)  # lone surrogates too

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.just("CANARY text"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
)


@given(texts)
def test_a_text_becomes_its_length_and_the_start_of_a_hash(text: str) -> None:
    assert re.fullmatch(rf"\[{len(text)} chars, [0-9a-f]{{4}}\.\.\]", Redactor().text(text))


def test_equal_texts_look_equal_in_one_run_and_not_in_the_next() -> None:
    one, other = Redactor(), Redactor()
    words = [f"text {number}" for number in range(20)]
    assert [one.text(word) for word in words] == [one.text(word) for word in words]
    assert [one.text(word) for word in words] != [other.text(word) for word in words]
    assert len({one.text(word) for word in words}) > 15


@given(st.dictionaries(st.sampled_from(["text", "voice", "data"]), json_values))
def test_a_body_keeps_numbers_and_switches_and_no_text(body: dict[str, object]) -> None:
    shown = Redactor().body(body)
    assert "CANARY" not in repr(shown)
    assert shown.keys() == body.keys()
    for name, value in body.items():
        if value is None or isinstance(value, bool | int | float):
            assert shown[name] == value


@given(texts)
def test_captured_content_is_a_preview(text: str) -> None:
    shown = Redactor(capture_content=True).text(text)
    assert shown == (text if len(text) <= PREVIEW_CHARACTERS else text[:50] + "...")


def broken(text: str) -> None:
    raise ValueError(text)


@pytest.mark.parametrize("capture", [False, True])
def test_an_exception_is_its_type_and_stack(capture: bool) -> None:
    with pytest.raises(ValueError) as caught:
        broken("CANARY" * 20)
    shown = Redactor(capture).exception(caught.type, caught.value, caught.tb)

    assert shown["type"] == "ValueError"
    stack = shown["stack"]
    assert isinstance(stack, list)
    assert re.fullmatch(r"test_redact\.py:\d+ broken", stack[-1])
    assert shown.get("message") == (("CANARY" * 20)[:50] + "..." if capture else None)


@pytest.mark.parametrize(
    ("address", "truncated"),
    [
        ("203.0.113.77", "203.0.113.0"),
        ("2001:db8:aaaa:bbbb::1", "2001:db8:aaaa::"),
        ("2001:db8::1", "2001:db8::"),
        ("::1", "::"),
        ("::ffff:203.0.113.77", "203.0.113.0"),
        ("fe80::1234%eth0", "fe80::"),
        ("/run/socket", None),
        (None, None),
    ],
)
def test_a_truncated_address(address: str | None, truncated: str | None) -> None:
    assert client_address(address, "truncated") == truncated


@given(st.ip_addresses())
def test_a_truncated_address_is_one_and_holds_the_whole_one(address: object) -> None:
    truncated = client_address(str(address), "truncated")
    assert truncated is not None
    network = ip_address(truncated)
    bits = 24 if network.version == 4 else 48
    mapped = getattr(address, "ipv4_mapped", None)
    assert (mapped or address) in ip_network(f"{network}/{bits}")


@pytest.mark.parametrize(("policy", "shown"), [("full", "203.0.113.77"), ("off", None)])
def test_the_other_policies(policy: str, shown: str | None) -> None:
    assert client_address("203.0.113.77", policy) == shown


@given(texts, st.integers(0, 40))
def test_what_is_clipped_is_short_and_printable(text: str, limit: int) -> None:
    shown = clipped(text, limit)
    assert len(shown) == min(len(text), limit)
    assert shown.isprintable()
