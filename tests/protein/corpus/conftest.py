"""A few dozen real records, and corpora made of them or of random ones."""

from pathlib import Path

import numpy as np
import pytest

from ansatz.protein.corpus.corpus import Corpus
from ansatz.protein.corpus.journal import Preparing
from ansatz.protein.corpus.preparing import prepare

UNIPROT = Path(__file__).parent / "data/uniprotkb.fasta"
AMINO_ACIDS = "ACDEFGHIKLMNPQRSTVWY"


def plain_reader(text):
    """FASTA by the book, line by line: (id, sequence)."""
    records = []
    for line in text.decode().splitlines():
        if line.startswith(">"):
            records.append([line[1:].split()[0], ""])
        else:
            records[-1][1] += line.strip()
    return [(name, sequence) for name, sequence in records]


@pytest.fixture
def uniprot():
    return UNIPROT


@pytest.fixture
def records():
    return plain_reader(UNIPROT.read_bytes())


@pytest.fixture
def read():
    return plain_reader


@pytest.fixture
def corpus(tmp_path, uniprot):
    prepare(uniprot, tmp_path / "corpus", Preparing(shard_tokens=3000))
    return Corpus(tmp_path / "corpus")


@pytest.fixture
def random_fasta():
    """Records of gamma-distributed lengths, as proteins have them."""

    def make(count, seed=0, mean=60):
        rng = np.random.default_rng(seed)
        lines = []
        for number in range(count):
            length = 5 + int(rng.gamma(1.5, mean / 1.5))
            sequence = "".join(rng.choice(list(AMINO_ACIDS), length))
            rep = f" RepID=R{number}_X" if number % 3 else ""
            lines.append(f">UniRef50_A{number} protein n=1{rep}\n")
            lines += [sequence[i : i + 60] + "\n" for i in range(0, length, 60)]
        return "".join(lines).encode()

    return make
