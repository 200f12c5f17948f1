"""What one asks, and what the answer should look like."""

from dataclasses import dataclass
from typing import Annotated

from annotated_types import Ge

from ansatz.image.emoji.sheets import Pixels


@dataclass(frozen=True)
class Prompt:
    """A question for a picture.

    Attributes:
        text: Caption of it, as `cherry blossom, noto style`.
        seed: Of the noise.
    """

    text: str
    seed: Annotated[int, Ge(0)] = 0


@dataclass(frozen=True)
class Glyph:
    """The true picture of a name in a style.

    Attributes:
        name: Position in the table of names.
        style: Position in `ansatz.image.emoji.phrases.STYLES`.
        picture: RGB, shape (3, 32, 32).
        unseen: Whether training sees the name in no style at all.
    """

    name: int
    style: int
    picture: Pixels
    unseen: bool
