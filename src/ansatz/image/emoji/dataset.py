"""Emoji with captions: from sheets and a table of names to a store, batches and cases.

The store has three files: `pictures.safetensors` with `pictures` (names, styles, 3, 32, 32), RGB
from 0 to 255, and `splits` (names, styles), see `ansatz.image.emoji.splits`; the table of names;
and `vocabulary.txt`, the words that the captions of training teach, one a line.
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file
from torch import Tensor, nn

from ansatz.core.artifacts import PROVENANCE, atomic
from ansatz.core.recipe import Batches, Filled, Manifest, Position, RemoteFile, Split
from ansatz.image.emoji.captions import COMMON, Tokenizer, vocabulary
from ansatz.image.emoji.names import LANGUAGES, Language, Name, read_names
from ansatz.image.emoji.phrases import STYLES, Draws, phrase
from ansatz.image.emoji.request import Glyph, Prompt
from ansatz.image.emoji.sheets import Pixels, read_sheet
from ansatz.image.emoji.splits import CODES, TRAIN, UNSEEN, Shares, Tenth, split_codes

NAMES, PICTURES, VOCABULARY = "names.tsv.gz", "pictures.safetensors", "vocabulary.txt"
EMBEDDED = Manifest(
    "embedded:ansatz.image/embedded/emoji",
    (RemoteFile(NAMES), *(RemoteFile(f"{style}.webp") for style in STYLES)),
    "MIT (Fluent, emojibase), Apache-2.0 (Noto), CC-BY-4.0 (Twemoji), Unicode-3.0 (CLDR)",
)


@dataclass(frozen=True)
class Emoji:
    """Captioned emoji.

    Attributes:
        origin: What `fetch` brings.
        unseen: Share of the names that training sees in no style.
        test, validation: Shares of the pairs of all other names with a style.
        asked: Language of the captions that `check` asks for.
        draws: How captions are drawn.
    """

    origin: Manifest = EMBEDDED
    unseen: Tenth = 0.02
    test: Tenth = 0.05
    validation: Tenth = 0.02
    asked: Language = "en"
    draws: Draws = field(default_factory=Draws)

    def manifest(self) -> Manifest:
        """What `fetch` brings."""
        return self.origin

    def fill(self, raw: Path, folder: Path) -> Filled:
        """Write pictures, splits, names and vocabulary.

        Raises:
            FileNotFoundError: If a sheet or the table is missing.
            ValueError: If they do not fit one another, or something else lies in the folder.
        """
        require_own(folder)
        names = read_names(raw / NAMES)
        sheets = [read_sheet(raw / f"{style}.webp", len(names)) for style in STYLES]
        pictures = np.ascontiguousarray(np.stack(sheets, 1).transpose(0, 1, 4, 2, 3))
        shares = Shares(self.unseen, self.test, self.validation)
        splits = split_codes([name.code for name in names], pictures, shares)
        (folder / PROVENANCE).unlink(missing_ok=True)
        with atomic(folder / PICTURES) as part:
            save_file({"pictures": pictures, "splits": splits}, part)
        with atomic(folder / NAMES) as part:
            part.write_bytes((raw / NAMES).read_bytes())
        with atomic(folder / VOCABULARY) as part:
            part.write_text("\n".join(learned(names, splits)) + "\n", encoding="utf-8")
        content = hashlib.sha256()
        for file in (NAMES, PICTURES, VOCABULARY):
            content.update((folder / file).read_bytes())
        return Filled(splits.size, content.hexdigest())

    def batches(self, store: Path, split: Split, batch_size: int) -> Batches:
        """Pictures with captions; varied ones in training, else label and style.

        Returns:
            A function to `images` (b, 3, 32, 32) from -1 to 1, `tokens` (b, length), `names` (b,)
            and `styles` (b,).
        """
        return Captioned(Collection(store), split, batch_size, self.draws)

    def cases(self, store: Path, split: Split) -> Iterator[tuple[str, Prompt, Glyph]]:
        """Every pair of a split: what to ask, and the picture it should give."""
        collection = Collection(store)
        for place, style in collection.pairs(split).tolist():
            label = collection.names[place].labels[self.asked]
            text = phrase([label], STYLES[style], self.asked)
            unseen = bool(collection.splits[place, style] == UNSEEN)
            yield text, Prompt(text), Glyph(place, style, collection.pictures[place, style], unseen)


class Collection:
    """What a store holds; read when it is asked for."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @cached_property
    def names(self) -> list[Name]:
        """Of all emoji."""
        return read_names(self.folder / NAMES)

    @cached_property
    def tokenizer(self) -> Tokenizer:
        """Of the words that training teaches."""
        return read_tokenizer(self.folder)

    @cached_property
    def _arrays(self) -> dict[str, NDArray[np.uint8]]:
        return load_file(self.folder / PICTURES)

    @property
    def pictures(self) -> Pixels:
        """RGB, shape (names, styles, 3, 32, 32)."""
        return self._arrays["pictures"]

    @property
    def splits(self) -> NDArray[np.uint8]:
        """The split of each pair, shape (names, styles)."""
        return self._arrays["splits"]

    def pairs(self, split: Split) -> NDArray[np.int64]:
        """Name and style of each picture of a split, shape (pairs, 2)."""
        return np.argwhere(np.isin(self.splits, CODES[split]))


class Captioned:
    """The function that `Emoji.batches` returns."""

    def __init__(self, collection: Collection, split: Split, size: int, draws: Draws) -> None:
        self._collection, self._pairs = collection, collection.pairs(split)
        if not len(self._pairs):
            raise ValueError(f"{collection.folder} holds no picture of the split {split!r}")
        self._size = size
        self._caption = draws.caption if split == "train" else draws.plain

    def __call__(self, position: Position, model: nn.Module) -> dict[str, Tensor]:
        """The batch of a position."""
        rng = position.rng()
        chosen = self._pairs[position.indices(len(self._pairs), self._size)]
        names, styles = chosen.T
        known, tokenizer = self._collection.names, self._collection.tokenizer
        captions = [
            self._caption(known[name], STYLES[style], tokenizer, rng)
            for name, style in chosen.tolist()
        ]
        pictures = torch.from_numpy(self._collection.pictures[names, styles])
        return {
            "images": pictures.float() / 127.5 - 1,
            "tokens": torch.tensor(captions),
            "names": torch.from_numpy(names.copy()),
            "styles": torch.from_numpy(styles.copy()),
        }


def read_tokenizer(folder: Path) -> Tokenizer:
    """The tokenizer of a store, or of whatever else keeps its vocabulary."""
    return Tokenizer(tuple((folder / VOCABULARY).read_text(encoding="utf-8").split("\n")[:-1]))


def learned(names: Sequence[Name], splits: NDArray[np.uint8]) -> tuple[str, ...]:
    """The words of training; others would be tokens that no step ever touches."""
    seen = [name for name, codes in zip(names, splits, strict=True) if TRAIN in codes]
    always = [phrase([""], style, language) for style in STYLES for language in LANGUAGES]
    labels = [list(name.labels.values()) for name in seen]
    return vocabulary([*labels, always], [*(name.texts() for name in seen), *[always] * COMMON])


def require_own(folder: Path) -> None:
    """Refuse to make a store where something else lies.

    Raises:
        ValueError: If a file is none of a store of emoji.
    """
    own = {NAMES, PICTURES, VOCABULARY, PROVENANCE}
    found = sorted(p.name for p in folder.glob("*") if not p.name.startswith("."))
    if others := [name for name in found if name not in own]:
        raise ValueError(
            f"{folder} holds {', '.join(others[:3])}, which is no part of a store of emoji: name "
            "a folder of its own"
        )
