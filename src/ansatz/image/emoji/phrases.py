"""The sentences that caption a picture.

    cherry blossom, noto style      벚꽃, noto 스타일      桜、notoスタイル      樱花，noto风格

Training varies them: with some tags after the label, with tags alone, without a style, with words
that the tokenizer pretends not to know, and now and then with nothing at all, for guidance.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import numpy as np
from annotated_types import Ge, Le

from ansatz.image.emoji.captions import BEGIN, Tokenizer, padded
from ansatz.image.emoji.names import LANGUAGES, Language, Name

STYLES = ("flat", "fluent", "noto", "twemoji")
SEPARATORS: dict[Language, str] = {"en": ", ", "ko": ", ", "ja": "、", "zh": "，"}
ENDINGS: dict[Language, str] = {
    "en": "{} style",
    "ko": "{} 스타일",
    "ja": "{}スタイル",
    "zh": "{}风格",
}
Share = Annotated[float, Ge(0), Le(1)]


@dataclass(frozen=True)
class Draws:
    """How captions are drawn.

    Attributes:
        length: Tokens of a caption, filled up.
        english: Share of captions in English; the other languages share the rest equally.
        tags: After a label, at most.
        unlabeled: Share of captions of two or three tags without the label.
        unstyled: Share without a style.
        spelled: Share of words that are taken for unknown.
        empty: Share of captions that say nothing.
    """

    length: Annotated[int, Ge(24)] = 32
    english: Share = 0.4
    tags: Annotated[int, Ge(0)] = 2
    unlabeled: Share = 0.1
    unstyled: Share = 0.1
    spelled: Share = 0.05
    empty: Share = 0.1

    def caption(
        self, name: Name, style: str, tokenizer: Tokenizer, rng: np.random.Generator
    ) -> list[int]:
        """The tokens of a training caption, `length` of them."""
        language = self.language(rng)
        terms = self.terms(name.labels[language], name.tags[language], rng)
        shown = "" if rng.random() < self.unstyled else style
        if rng.random() < self.empty:
            return padded([BEGIN], self.length)
        for kept in range(len(terms), 0, -1):
            text = phrase(terms[:kept], shown, language)
            tokens = tokenizer.encode(text, lambda: bool(rng.random() < self.spelled))
            if len(tokens) <= self.length:
                return padded(tokens, self.length)
        return padded(tokenizer.encode(text), self.length)

    def plain(
        self, name: Name, style: str, tokenizer: Tokenizer, rng: np.random.Generator
    ) -> list[int]:
        """The tokens of label and style, `length` of them."""
        language = self.language(rng)
        text = phrase([name.labels[language]], style, language)
        return padded(tokenizer.encode(text), self.length)

    def language(self, rng: np.random.Generator) -> Language:
        """One of the languages."""
        if rng.random() < self.english:
            return "en"
        return LANGUAGES[1 + int(rng.integers(len(LANGUAGES) - 1))]

    def terms(self, label: str, tags: Sequence[str], rng: np.random.Generator) -> list[str]:
        """What is said of a picture: its label and some tags in any order, or tags alone."""
        order = [tags[place] for place in rng.permutation(len(tags)).tolist()]
        if rng.random() < self.unlabeled and len(tags) > 1:
            return order[: int(rng.integers(2, 4))]
        return [label, *order[: int(rng.integers(self.tags + 1))]]


def phrase(terms: Sequence[str], style: str, language: Language) -> str:
    """A caption.

    Args:
        terms: Label or tags, the label first.
        style: One of `STYLES`, or empty for none.
        language: Of the terms.
    """
    ending = [ENDINGS[language].format(style)] if style else []
    return SEPARATORS[language].join([*terms, *ending])
