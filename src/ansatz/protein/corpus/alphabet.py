"""The 33 tokens of ESM-2 in their order, and look-up tables between letters and tokens.

    <cls> <pad> <eos> <unk> L A G V S E R T I D P K Q N F Y M H W C X B U Z O . - <null_1> <mask>

(the vocabulary file of Hugging Face's `facebook/esm2_*`). The twenty amino acids are the tokens 4
to 23. A lower-case letter is its upper-case one. J is the only letter without a token: it becomes
<unk>, and so does a stop `*` inside a sequence; both are counted. White space is dropped; any
other byte is a fault.
"""

from string import ascii_uppercase

import numpy as np
from numpy.typing import NDArray

RESIDUES = "LAGVSERTIDPKQNFYMHWCXBUZO.-"
TOKENS = ("<cls>", "<pad>", "<eos>", "<unk>", *RESIDUES, "<null_1>", "<mask>")
CLS, PAD, EOS, UNK, FIRST_RESIDUE, MASK = 0, 1, 2, 3, 4, 32
NUM_AMINO_ACIDS = 20
LAST_RESIDUE = FIRST_RESIDUE + len(RESIDUES) - 1
STOP = ord("*")
FAULT = 255
SPACE = b" \t\r\n\v\f"


def _codes() -> bytes:
    """Byte to token. A letter without a token keeps its own byte, above all tokens."""
    table = bytearray([FAULT] * 256)
    for letter in ascii_uppercase + "*":
        table[ord(letter)] = ord(letter)
    for token, letter in enumerate(RESIDUES, FIRST_RESIDUE):
        table[ord(letter)] = token
    for letter in ascii_uppercase:
        table[ord(letter.lower())] = table[ord(letter)]
    return bytes(table)


CODES = _codes()
TO_UNKNOWN = bytes(code if code < len(TOKENS) else UNK for code in range(256))
_LETTERS = bytes(ord(token) if len(token) == 1 else FAULT for token in TOKENS).ljust(256, b"\xff")


def encode(sequence: str) -> NDArray[np.uint8]:
    """The tokens of a sequence, one per residue, without <cls> and <eos>.

    Stops at its end are dropped.

    Raises:
        ValueError: If it holds something else than letters, `.`, `-`, `*` and white space.
    """
    codes = sequence.encode("utf-8", "surrogatepass").translate(CODES, SPACE)
    if FAULT in codes:
        found = next(c for c in sequence if FAULT in c.encode().translate(CODES, SPACE))
        raise ValueError(f"{found!r} is no residue: expected letters, '.' or '-', as in MKTAYIAK")
    return np.frombuffer(codes.rstrip(b"*").translate(TO_UNKNOWN), np.uint8)


def decode(tokens: NDArray[np.uint8]) -> str:
    """The text of tokens: a letter per residue, special ones in angle brackets."""
    letters = tokens.tobytes().translate(_LETTERS)
    if FAULT in letters:
        return "".join(TOKENS[token] for token in tokens.tolist())
    return letters.decode("ascii")
