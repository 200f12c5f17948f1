r"""The inner loops of preparing, compiled by numba where it is installed.

They do ordinary text only: at the first byte that is a fault, a stop or a letter without a token,
`parse` gives a block up, and the reader for everything (`fasta`) tells what it is. So there is one
account of what is unusual, and results never depend on whether numba is there. Without it the
loops are not run at all.

Loading takes half a CPU second and 130 MB, the first time on a machine 1 s more; of each gigabyte
of FASTA it saves 3 s.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ansatz.core.errors import require
from ansatz.protein.corpus.alphabet import CODES, SPACE, TOKENS

Bytes = NDArray[np.uint8]
END = b"\n>"  # what comes after the last record of a block: no loop need ask where the text ends
_BLANK, _ODD = 254, 255
_TAB, _LINE_END, _HEADER = b"\t\n>"
_SIGN = np.frombuffer(b" RepID=", np.uint8)
_LEAST = 5  # bytes of a record: `\n>a\nM`


def _table() -> Bytes:
    codes = np.frombuffer(CODES, np.uint8).copy()
    codes[codes >= len(TOKENS)] = _ODD
    codes[list(SPACE)] = _BLANK
    return codes


_CODES = _table()


def parse_loop(text: Bytes, codes: Bytes, tokens: Bytes, offsets: Any, names: Bytes) -> Any:
    r"""Parse `\n>...\n>`.

    Args:
        text: Records, and `END`.
        codes: Byte to token, `_BLANK` or `_ODD`.
        tokens: Filled with the tokens.
        offsets: Filled with where records end; the first one is 0 already.
        names: Filled with a line per record: first word of the header, a tab, UniRef's RepID.

    Returns:
        How many records, bytes of names and line ends there are, without `END`; no records where
        something is unusual.
    """
    # Unsigned: numba would ask of every signed index whether it is negative, for half of the time.
    zero, one, two = np.uint64(0), np.uint64(1), np.uint64(2)
    i = j = k = record = zero
    end, length, lines = np.uint64(len(text)) - two, np.uint64(len(_SIGN)), 0
    while i < end:
        i, begun, filled = i + two, k, j
        while codes[text[i]] != _BLANK:
            names[k] = text[i]
            i, k = i + one, k + one
        if k == begun:
            return 0, 0, 0
        names[k] = _TAB
        k += one
        word = end
        while text[i] != _LINE_END:
            same = zero
            while same < length and text[i + same] == _SIGN[same]:
                same += one
            if same == length:
                word = i + length
            i += one
        while word < i and codes[text[word]] == _BLANK:
            word += one
        while word < i and codes[text[word]] != _BLANK:
            names[k] = text[word]
            word, k = word + one, k + one
        names[k] = _LINE_END
        k += one
        lines += 1
        while text[i] != _LINE_END or text[i + one] != _HEADER:
            lines += text[i] == _LINE_END
            i += one
            code = codes[text[i]]
            while code < _BLANK:
                tokens[j] = code
                i, j = i + one, j + one
                code = codes[text[i]]
            if code == _ODD:
                return 0, 0, 0
        if j == filled:
            return 0, 0, 0
        record += one
        offsets[record] = j
    return np.int64(record), np.int64(k), lines


def count_loop(tokens: Bytes, counts: NDArray[np.int64]) -> None:
    """Add up how often each token occurs.

    Args:
        tokens: Any number.
        counts: Of each byte, in four parts, shape (4, 256): equal neighbors need not wait.
    """
    whole = len(tokens) // 4 * 4
    for i in range(0, whole, 4):
        counts[0, tokens[i]] += 1
        counts[1, tokens[i + 1]] += 1
        counts[2, tokens[i + 2]] += 1
        counts[3, tokens[i + 3]] += 1
    for i in range(whole, len(tokens)):
        counts[0, tokens[i]] += 1


@dataclass(frozen=True)
class Kernels:
    """The loops, compiled or not."""

    parse_loop: Callable[..., Any]
    count_loop: Callable[..., Any]

    def parse(self, text: bytes) -> tuple[bytes, NDArray[np.int64], bytes, int] | None:
        """Tokens, offsets, names and line ends of records; None where something is unusual.

        Args:
            text: Whole records from a line end before the first `>`, and `END`.
        """
        size = len(text)
        tokens, names = np.empty(size, np.uint8), np.empty(size, np.uint8)
        offsets = np.empty(size // _LEAST + 1, np.int64)
        offsets[0] = 0
        source = np.frombuffer(text, np.uint8)
        records, length, lines = self.parse_loop(source, _CODES, tokens, offsets, names)
        if not records:
            return None
        offsets = offsets[: records + 1].copy()
        return tokens[: offsets[-1]].tobytes(), offsets, names[:length].tobytes(), int(lines)

    def count(self, tokens: Bytes) -> NDArray[np.int64]:
        """How often each of the 33 tokens occurs."""
        counts = np.zeros((4, 256), np.int64)
        self.count_loop(tokens, counts)
        total: NDArray[np.int64] = counts.sum(0)[: len(TOKENS)]
        return total


@cache
def kernels() -> Kernels | None:
    """The compiled loops; None without numba."""
    if not find_spec("numba"):
        return None
    numba = require("numba", "protein", "preparing sequences")
    try:
        compiled = numba.njit(cache=True)
        return Kernels(compiled(parse_loop), compiled(count_loop))
    except RuntimeError:  # neither the package's folder nor the user's can be written to
        return Kernels(numba.njit(parse_loop), numba.njit(count_loop))
