"""From FASTA and clusters to splits and batches."""

import gzip

import numpy as np
import pytest
import torch

from ansatz.core.recipe import Manifest, Position
from ansatz.protein.corpus.alphabet import CLS, EOS, MASK, PAD, decode
from ansatz.protein.corpus.clusters import read_clusters
from ansatz.protein.corpus.corpus import Corpus
from ansatz.protein.corpus.masking import Masking
from ansatz.protein.corpus.splits import read_split
from ansatz.protein.dataset import Draws, Sequences
from ansatz.protein.model.objective import NOT_ASKED

ORIGIN = Manifest("embedded:ansatz.protein/embedded/uniprot", ())
FAMILIES, MEMBERS = 60, 4


@pytest.fixture
def raw(tmp_path):
    """Sixty clusters of four sequences, whose first residues say which."""
    rng = np.random.default_rng(0)
    amino = np.array(list("ACDEFGHIKLMNPQRSTVWY"))
    fasta, table = [], ["rep50\trep90\tmember"]
    for family in range(FAMILIES):
        for member in range(MEMBERS):
            mark = amino[family // 20] + amino[family % 20]
            body = "".join(rng.choice(amino, rng.integers(20, 90)))
            fasta.append(f">F{family}M{member} made by hand\n{mark}{body}\n")
            table.append(f"F{family}M0\tF{family}M{member}\tF{family}M{member}")
    folder = tmp_path / "raw"
    folder.mkdir()
    (folder / "sequences.fasta.gz").write_bytes(gzip.compress("".join(fasta).encode()))
    (folder / "clusters.tsv").write_text("\n".join(table) + "\n")
    return folder


@pytest.fixture
def data():
    return Sequences(ORIGIN, validation=200_000, test=200_000)


def family_of(tokens):
    """The mark at the beginning of an uncropped sequence."""
    return decode(np.asarray(tokens[1:3], np.uint8))


def test_no_cluster_is_in_two_splits(raw, data, tmp_path):
    filled = data.fill(raw, tmp_path / "store")
    assert filled.samples == FAMILIES * MEMBERS
    clusters = read_clusters(tmp_path / "store")
    assert len(clusters) == FAMILIES
    parts = {
        split: set(clusters.of_record[read_split(tmp_path / "store", split)].tolist())
        for split in ("train", "validation", "test")
    }
    assert sum(map(len, parts.values())) == FAMILIES
    assert all(parts.values())
    names = Corpus(tmp_path / "store").ids()
    for split in parts:
        records = read_split(tmp_path / "store", split)
        families = [names[r].partition("M")[0] for r in records]
        assert all(families.count(each) == MEMBERS for each in set(families))


def test_the_same_files_make_the_same_store(raw, data, tmp_path):
    one, two = data.fill(raw, tmp_path / "one"), data.fill(raw, tmp_path / "two")
    again = data.fill(raw, tmp_path / "one")
    assert one == two == again


def test_without_clusters_each_record_is_one(raw, data, tmp_path):
    (raw / "clusters.tsv").unlink()
    data.fill(raw, tmp_path / "store")
    sizes = [len(read_split(tmp_path / "store", s)) for s in ("train", "validation", "test")]
    assert sum(sizes) == FAMILIES * MEMBERS
    assert min(sizes) > 20


def test_an_epoch_draws_each_training_cluster_once(raw, data, tmp_path):
    data.fill(raw, tmp_path / "store")
    number = len(read_split(tmp_path / "store", "train", "cluster"))
    batches = data.batches(tmp_path / "store", "train", 1)
    model = torch.nn.Identity()
    clean = Sequences(ORIGIN, draws=Draws(masking=Masking(share=0.0)))
    plain = clean.batches(tmp_path / "store", "train", 1)
    for epoch in range(2):
        steps = range(epoch * number, (epoch + 1) * number)
        seen = [family_of(plain(Position(7, step), model)["tokens"]) for step in steps]
        assert len(set(seen)) == number
    assert batches(Position(7, 0), model)["places"].numel()


def test_any_number_of_processes_sees_the_same_order_and_masks(raw, data, tmp_path):
    data.fill(raw, tmp_path / "store")
    batches, model = data.batches(tmp_path / "store", "train", 3), torch.nn.Identity()
    for step in range(3):
        one = [batches(Position(1, step, micro, 4, 0, 1), model) for micro in range(4)]
        two = [batches(Position(1, step, m, 2, r, 2), model) for m in range(2) for r in range(2)]
        for a, b in zip(one, two, strict=True):
            assert all(torch.equal(a[name], b[name]) for name in a)


def test_labels_are_what_the_masks_hide(raw, data, tmp_path):
    data.fill(raw, tmp_path / "store")
    model = torch.nn.Identity()
    hidden = data.batches(tmp_path / "store", "train", 8)(Position(0, 5), model)
    clean = Sequences(ORIGIN, draws=Draws(masking=Masking(share=0.0)))
    shown = clean.batches(tmp_path / "store", "train", 8)(Position(0, 5), model)
    assert torch.equal(hidden["labels"], shown["tokens"][hidden["places"]])
    starts = hidden["starts"].long()
    assert (hidden["tokens"][starts[:-1]] == CLS).all()
    assert (hidden["tokens"][starts[1:] - 1] == EOS).all()
    assert (hidden["tokens"] == MASK).sum() > 0


def test_batches_of_a_fixed_size_have_one_shape(raw, data, tmp_path):
    data.fill(raw, tmp_path / "store")
    fixed = Sequences(ORIGIN, draws=Draws(tokens=256))
    batches = fixed.batches(tmp_path / "store", "train", 4)
    found = [batches(Position(0, step), torch.nn.Identity()) for step in range(5)]
    shapes = {tuple((name, tuple(t.shape)) for name, t in batch.items()) for batch in found}
    assert len(shapes) == 1
    for batch in found:
        asked = batch["labels"] != NOT_ASKED
        assert asked.any()
        assert (batch["tokens"][batch["places"][asked]] != PAD).all()


def test_a_folder_without_sequences_says_what_it_holds(data, tmp_path):
    (tmp_path / "raw").mkdir()
    with pytest.raises(FileNotFoundError, match="must hold one FASTA file, and holds none"):
        data.fill(tmp_path / "raw", tmp_path / "store")
