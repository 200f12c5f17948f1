"""Captions as tokens: round trips, unknown words, and what is learned from names."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansatz.image.emoji.captions import (
    BEGIN,
    BYTES,
    COMMON,
    JOIN,
    PAD,
    SPACE,
    WORDS,
    Tokenizer,
    normalized,
    padded,
    vocabulary,
)

KNOWN = ("apple", "noto", "style", ",", "사과", "를", "苹", "果", "ハート", "、", "up", "a", "id")
READER = Tokenizer(KNOWN)


def tokens(*pieces):
    """The beginning, and the token of each word; numbers stand for themselves."""
    words = [WORDS + KNOWN.index(one) if isinstance(one, str) else one for one in pieces]
    return [BEGIN, *words]


def spelled(text):
    return [BYTES + byte for byte in text.encode()]


@given(st.text())
def test_any_text_comes_back(text):
    assert READER.decode(READER.encode(text)) == normalized(text)


@given(st.lists(st.sampled_from([*KNOWN, "apples", "ß", "🌸", "花", "ㅋㅋ", " ", " ", ":"])))
def test_mixtures_of_known_and_unknown_words_come_back(parts):
    text = "".join(parts)
    assert READER.decode(READER.encode(text)) == normalized(text)


@given(st.text(), st.randoms())
def test_a_text_comes_back_whichever_words_are_forgotten(text, random):
    tokens = READER.encode(text, lambda: random.random() < 0.5)
    assert READER.decode(tokens) == normalized(text)


@given(st.lists(st.integers(0, len(READER) - 1)))
def test_any_tokens_are_some_text(numbers):
    assert isinstance(READER.decode(numbers), str)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Apple,  NOTO style", tokens("apple", ",", "noto", "style")),
        ("apple,noto", tokens("apple", ",", JOIN, "noto")),
        ("apple , noto", tokens("apple", SPACE, ",", "noto")),
        ("苹果", tokens("苹", "果")),
        ("苹 果", tokens("苹", SPACE, "果")),
        ("ハート、notoハート", tokens("ハート", "、", "noto", "ハート")),
        ("사과를 noto", tokens("사과", JOIN, "를", "noto")),
        ("", [BEGIN]),
    ],
)
def test_spaces_are_only_marked_where_they_surprise(text, expected):
    assert READER.encode(text) == expected


def test_what_is_unknown_is_spelled_in_utf_8():
    assert READER.encode("zz") == [BEGIN, *spelled("zz")]
    assert READER.encode("zz qq") == [BEGIN, *spelled("zz qq")]
    assert READER.encode("桜") == [BEGIN, BYTES + 0xE6, BYTES + 0xA1, BYTES + 0x9C]
    assert READER.encode("pineapples") == [
        BEGIN, *spelled("pine"), JOIN, *tokens("apple")[1:], JOIN, *spelled("s"),
    ]  # fmt: skip


def test_short_words_are_no_parts_of_longer_ones():
    assert READER.encode("cupid") == [BEGIN, *spelled("cupid")]


def test_forgotten_words_are_spelled():
    assert READER.encode("noto", lambda: True) == [BEGIN, *spelled("noto")]
    assert READER.encode("苹果", lambda: True) == tokens("苹", "果")


def test_broken_bytes_are_shown_as_such():
    assert READER.decode([BEGIN, BYTES + 0xE6]) == "\ufffd"


def test_composed_and_decomposed_letters_are_the_same():
    assert READER.encode(unicodedata.normalize("NFD", "사과")) == tokens("사과")


def test_captions_are_filled_up_and_never_cut():
    assert padded([BEGIN, 300], 4) == [BEGIN, 300, PAD, PAD]
    with pytest.raises(ValueError, match="has 3 tokens and the network reads 2"):
        padded([BEGIN, 300, 301], 2)


def test_words_of_labels_and_frequent_ones_are_learned():
    labels = [["red rose"], ["장미꽃"], ["红玫瑰"]]
    frequent = [["flower thorn"]] * COMMON
    rare = [["stem"]] * (COMMON - 1)
    words = vocabulary(labels, [*labels, *frequent, *rare])
    assert set(words) == {"flower", "thorn", "red", "rose", "장미꽃", "红", "玫", "瑰"}
    assert set(words[:2]) == {"flower", "thorn"}


def test_learning_does_not_depend_on_the_order():
    texts = [["a b c"], ["b c"], ["c"]]
    assert vocabulary(texts, texts) == vocabulary(texts[::-1], texts[::-1]) == ("c", "b", "a")
