"""Which pictures a model never sees.

A picture is a pair of a name and a style. The SHA-256 of a name's code points decides, as numbers
u, v in [0, 1) from its first bytes and one of the four styles from the next one:

    u < unseen                              the name is held out whole: code 3
    v < 4 test                              its picture in that style is: code 2
    v < 4 test + 4 validation               so is it, for validation: code 1

and everything else is for training, code 0. So a name that is seen at all is seen in at least
three styles. Names that share a picture in some style (an astronaut and a man who is one) are kin:
the first of them decides for all, and no picture of training is held out under another name.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated

import numpy as np
from annotated_types import Ge, Le
from numpy.typing import NDArray

from ansatz.core.recipe import Split
from ansatz.image.emoji.sheets import Pixels

TRAIN, VALIDATION, TEST, UNSEEN = range(4)
CODES: Mapping[Split, tuple[int, ...]] = {
    "train": (TRAIN,),
    "validation": (VALIDATION,),
    "test": (TEST, UNSEEN),
}
Tenth = Annotated[float, Ge(0), Le(0.1)]


@dataclass(frozen=True)
class Shares:
    """What is held out.

    Attributes:
        unseen: Share of the names, whole.
        test, validation: Shares of the pairs of all other names.
    """

    unseen: float
    test: float
    validation: float


def split_codes(codes: Sequence[str], pictures: Pixels, shares: Shares) -> NDArray[np.uint8]:
    """The split of every pair.

    Args:
        codes: Code points of the names.
        pictures: Shape (names, styles, ...), to find those that are the same.
        shares: To hold out.

    Returns:
        See the module, shape (names, styles).
    """
    styles = pictures.shape[1]
    found = np.full((len(codes), styles), TRAIN, np.uint8)
    for place, first in enumerate(kin(pictures)):
        digest = hashlib.sha256(codes[first].encode()).digest()
        u, v = (int.from_bytes(digest[start : start + 6]) / 2**48 for start in (0, 6))
        style = digest[12] % styles
        if u < shares.unseen:
            found[place] = UNSEEN
        elif v < styles * shares.test:
            found[place, style] = TEST
        elif v < styles * (shares.test + shares.validation):
            found[place, style] = VALIDATION
    return found


def kin(pictures: Pixels) -> list[int]:
    """For each name the first one that it shares a picture with, over any number of steps."""
    parents = list(range(len(pictures)))

    def ancestors(place: int) -> Iterator[int]:
        yield place
        while parents[place] != place:
            place = parents[place]
            yield place

    seen: dict[bytes, int] = {}
    for place, several in enumerate(pictures):
        for picture in several:
            *_, mine = ancestors(place)
            *_, other = ancestors(seen.setdefault(picture.tobytes(), place))
            parents[max(mine, other)] = min(mine, other)
    return [[*ancestors(place)][-1] for place in range(len(pictures))]
