"""From captions to numbers and back: words in four languages, and bytes for all others.

    0 nothing (padding)     1 the beginning     2 no space here     3 a space here
    4 to 259 bytes          260 and on: words

A text is lower case with single spaces. A word is a run of letters and digits of one kind, Chinese
and Japanese ones or all others; any other sign stands for itself. An unknown word becomes the
longest known words that it is made of, from the left, and bytes of UTF-8 between them: `apples` is
`apple` and the byte of s, `红苹果` is 红, 苹 and 果.

Words that stand side by side have a space between them, unless one of them is Chinese or
Japanese; so has what follows a comma or a colon. Tokens 2 and 3 say where it is otherwise, so that
every text comes back as it was. Between bytes a space is a byte itself.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby

PAD, BEGIN, JOIN, SPACE = range(4)
BYTES = 4
WORDS = BYTES + 256
SHORTEST_PART = 3  # letters of a known word inside an unknown one, where signs are letters
COMMON = 3  # names that a word must be in, unless a label has it

# Han, kana and what belongs to them: written without spaces, and a sign says something by itself.
_UNSPACED = "\u3005-\u3007\u3041-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
UNSPACED = re.compile(f"[{_UNSPACED}]")
PIECES = re.compile(rf"[{_UNSPACED}]+|[^\W_{_UNSPACED}]+|\S")
HANGUL = re.compile("[\uac00-\ud7a3]")


@dataclass(frozen=True)
class Tokenizer:
    """What reads captions.

    Attributes:
        words: Known ones; the first is token `WORDS`.
    """

    words: tuple[str, ...]

    @cached_property
    def numbers(self) -> dict[str, int]:
        """The token of each word."""
        return {word: WORDS + place for place, word in enumerate(self.words)}

    @cached_property
    def longest(self) -> int:
        """Signs of the longest word."""
        return max(map(len, self.words), default=0)

    def __len__(self) -> int:
        return WORDS + len(self.words)

    def encode(self, text: str, forget: Callable[[], bool] = lambda: False) -> list[int]:
        """The tokens of a text, the beginning first.

        Args:
            text: In any language.
            forget: Asked at each word whether to take it for unknown, so that a network also
                learns from parts and bytes.
        """
        tokens, before, spelled = [BEGIN], "", False
        for spaced, piece, number in self.parts(normalized(text), forget):
            if number is None and spelled:
                tokens += [BYTES + ord(" ")] * spaced
            elif before and spaced != are_apart(before, piece[0]):
                tokens.append(SPACE if spaced else JOIN)
            tokens += spell(piece) if number is None else [number]
            before, spelled = piece[-1], number is None
        return tokens

    def parts(
        self, text: str, forget: Callable[[], bool]
    ) -> Iterator[tuple[bool, str, int | None]]:
        """Known words with their tokens and unknown signs, each with whether a space is before."""
        end = 0
        for found in PIECES.finditer(text):
            spaced, rest = found.start() > end, found.group()
            end = found.end()
            if rest in self.numbers and not forget():
                yield spaced, rest, self.numbers[rest]
                continue
            most = len(rest) - 1 if len(rest) > 1 else 1
            while rest:
                part = self.beginning(rest[:most])
                yield spaced, part or rest[0], self.numbers.get(part)
                spaced, rest = False, rest[len(part or rest[0]) :]

    def beginning(self, rest: str) -> str:
        """The longest known word that a part of a word begins with; empty if there is none."""
        for length in range(min(len(rest), self.longest), 0, -1):
            # Few letters of a word, as `up` in `cupid`, say nothing; a Chinese sign does.
            if length < SHORTEST_PART and not is_syllable(rest[0]):
                break
            if rest[:length] in self.numbers:
                return rest[:length]
        return ""

    def decode(self, tokens: Iterable[int]) -> str:
        """The text of some tokens; bytes that are no UTF-8 become `\ufffd`."""
        text, marker = "", PAD
        for is_spelled, group in groupby(tokens, lambda token: BYTES <= token < WORDS):
            run = list(group)
            if is_spelled:
                spelled = bytes(token - BYTES for token in run).decode("utf-8", "replace")
                text, marker = joined(text, spelled, marker), PAD
                continue
            for token in run:
                if token >= WORDS:
                    text, marker = joined(text, self.words[token - WORDS], marker), PAD
                elif token in (JOIN, SPACE):
                    marker = token
        return text


def padded(tokens: Sequence[int], length: int) -> list[int]:
    """Tokens, filled up to a length.

    Raises:
        ValueError: If there are more.
    """
    if len(tokens) > length:
        raise ValueError(
            f"the caption has {len(tokens)} tokens and the network reads {length}: shorten it, or "
            "use words that are in emoji's names (a word that is not takes a token for each byte)"
        )
    return [*tokens, *[PAD] * (length - len(tokens))]


def normalized(text: str) -> str:
    """Lower case, composed (NFC), with single spaces; what UTF-8 cannot say becomes `?`."""
    plain = text.encode("utf-8", "replace").decode()
    return " ".join(unicodedata.normalize("NFC", plain.lower()).split())


def spell(piece: str) -> list[int]:
    """The bytes of a piece."""
    return [BYTES + byte for byte in piece.encode()]


def joined(text: str, piece: str, marker: int) -> str:
    """A text with one more piece."""
    apart = marker == SPACE or (marker != JOIN and bool(text) and are_apart(text[-1], piece[0]))
    return f"{text} {piece}" if apart else text + piece


def are_apart(before: str, after: str) -> bool:
    """Whether a space stands between two signs unless something else is said."""
    return before in ",:" or (is_spaced(before) and is_spaced(after))


def is_spaced(sign: str) -> bool:
    """Whether words of such a sign have spaces between them."""
    return sign.isalnum() and not UNSPACED.match(sign)


# ------------------------------------------------------------------------------------ learning
def vocabulary(labels: Sequence[Sequence[str]], texts: Sequence[Sequence[str]]) -> tuple[str, ...]:
    """The words that are worth a token, the most frequent first.

    They are the words of labels, of Chinese and Japanese ones the single signs instead, since
    those say something by themselves; and every word and Korean syllable of several names.

    Args:
        labels: Of each name.
        texts: Labels and tags of each name.
    """
    counts = Counter[str]()
    for several in texts:
        words = {word for text in several for word in pieces(text)}
        counts.update(words | {sign for word in words for sign in word if is_syllable(sign)})
    kept = {word for word, count in counts.items() if count >= COMMON}
    for word in (word for several in labels for text in several for word in pieces(text)):
        kept |= set(word) if UNSPACED.match(word) else {word}
    return tuple(sorted(kept, key=lambda word: (-counts[word], word)))


def pieces(text: str) -> list[str]:
    """The words and signs of a text."""
    return PIECES.findall(normalized(text))


def is_syllable(sign: str) -> bool:
    """Whether a sign is a syllable or a word, more than a letter."""
    return bool(UNSPACED.match(sign) or HANGUL.match(sign))
