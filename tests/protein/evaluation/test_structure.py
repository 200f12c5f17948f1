import gzip

import numpy as np
import pytest
import torch
from scipy.optimize import minimize
from scipy.special import log_softmax

from ansatz.protein.corpus.alphabet import CLS, EOS, encode
from ansatz.protein.evaluation import structure
from ansatz.protein.evaluation.structure import EMBEDDINGS, LETTERS, MAJORITY, Chains

HEADER = "id\tsplit\tsequence\tlabels\tresolved_mask\n"


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "structures.tsv"
    rows = ("a\ttrain\tMKTA\tCHHE\t0111\n", "b\ttest\tGG\tCC\t11\n", "c\ttrain\tWY\tEC\t10\n")
    path.write_text(HEADER + "".join(rows))
    return path


def chains(*sequences, labels=None):
    tokens = [encode(s) for s in sequences]
    starts = np.concatenate(([0], np.cumsum([len(t) for t in tokens])))
    return Chains(
        np.concatenate(tokens), starts, np.zeros(starts[-1], int) if labels is None else labels
    )


def test_the_probe_is_the_minimum_that_scipy_finds():
    rng = np.random.default_rng(0)
    z = rng.normal(size=(300, 4))
    z = (z - z.mean(0)) / z.std(0, ddof=1)
    y = (z @ rng.normal(size=(4, 3)) + rng.gumbel(size=(300, 3))).argmax(1)
    x, ridge = z * [1.0, 30.0, 0.1, 1.0] + 2, 1e-2

    def loss(flat):
        weights, bias = flat[:12].reshape(4, 3), flat[12:]
        log_p = log_softmax(z @ weights + bias, axis=1)
        return -log_p[np.arange(300), y].mean() + ridge / 2 * (weights**2).sum()

    best = minimize(loss, np.zeros(15), method="BFGS").x
    probe = structure.fit_probe(torch.from_numpy(x), y, ridge=ridge)
    ours = x @ probe.weights.numpy() + probe.bias.numpy()
    np.testing.assert_allclose(
        log_softmax(ours, 1), log_softmax(z @ best[:12].reshape(4, 3) + best[12:], 1), atol=1e-3
    )
    assert (probe.predict(torch.from_numpy(x)) == ours.argmax(1)).all()


def test_the_probe_does_not_care_about_the_scale_of_features():
    rng = np.random.default_rng(1)
    x = torch.from_numpy(rng.normal(size=(200, 3)))
    y = rng.integers(0, 3, 200)
    factors = torch.tensor([1.0, 1e3, 1e-3], dtype=torch.float64)
    plain = structure.fit_probe(x, y, ridge=1e-2)
    scaled = structure.fit_probe(x * factors + 5, y, ridge=1e-2)
    torch.testing.assert_close(
        scaled.weights * factors[:, None], plain.weights, rtol=1e-4, atol=1e-5
    )


def test_a_probe_without_a_clue_says_the_frequencies():
    y = np.array([0] * 5 + [1] * 3 + [2] * 2)
    probe = structure.fit_probe(torch.zeros(10, 4), y)
    torch.testing.assert_close(
        torch.softmax(probe.bias, 0), torch.tensor([0.5, 0.3, 0.2]), atol=1e-4, rtol=0
    )


def test_windows_are_those_of_a_loop_over_letters():
    asked = chains("MKXA", "WY")
    found = structure.windows(asked, 3).reshape(6, 3, 21)
    assert found.sum().item() == 18
    padded = ["-MKXA-", "-WY-"]
    place = 0
    for text in padded:
        for middle in range(1, len(text) - 1):
            for column, letter in enumerate(text[middle - 1 : middle + 2]):
                expected = 20 if letter in "-X" else int(encode(letter)[0]) - 4
                assert found[place, column, expected] == 1
            place += 1


def test_chains_are_read_with_what_is_not_resolved_left_out(table):
    train = structure.read_chains(table, "train")
    assert train.starts.tolist() == [0, 4, 6]
    assert train.tokens.tolist() == encode("MKTAWY").tolist()
    assert train.labels.tolist() == [-1, 0, 0, 1, 1, -1]
    assert len(structure.read_chains(table, "train", most=1).starts) == 2


def test_compressed_files_are_read_alike(table, tmp_path):
    path = tmp_path / "structures.tsv.gz"
    path.write_bytes(gzip.compress(table.read_bytes()))
    assert structure.read_chains(path, "test").labels.tolist() == [2, 2]


def test_a_split_that_is_not_there_is_refused(table):
    with pytest.raises(ValueError, match="no chains of the split 'valid'"):
        structure.read_chains(table, "valid")


def test_labels_that_are_too_few_are_refused(tmp_path):
    path = tmp_path / "x.tsv"
    path.write_text(HEADER + "1abc-A\ttrain\tMKT\tCC\t11\n")
    with pytest.raises(ValueError, match="1abc-A has 3 residues and 2 labels"):
        structure.read_chains(path, "train")


def test_q3_counts_labeled_residues_alike():
    asked = chains("MKTA", "WY", "G", labels=np.array([-1, 0, 0, 1, 1, -1, -1]))
    found = structure.q3(asked, np.array([0, 0, 2, 2, 1, 1, 1]))
    assert found.value == pytest.approx(2 / 4)


def test_chains_are_packed_between_their_marks():
    tokens, starts, places = structure.packed(chains("MKT", "W"))
    assert tokens.tolist() == [CLS, *encode("MKT"), EOS, CLS, *encode("W"), EOS]
    assert starts.tolist() == [0, 5, 8]
    assert places.tolist() == [1, 2, 3, 6]


def test_embeddings_that_hold_the_structure_are_right_and_letters_are_not():
    rng = np.random.default_rng(2)
    sequences = ["".join(rng.choice(list("ACDEFGHIKL"), 40)) for _ in range(60)]
    labels = rng.choice(3, 2400, p=[0.2, 0.3, 0.5])
    train = chains(*sequences[:40], labels=labels[:1600])
    test = chains(*sequences[40:], labels=labels[1600:])
    turn = rng.normal(size=(3, 8))
    hidden = torch.from_numpy(np.eye(3)[labels] @ turn).float()
    found = structure.compare(train, test, (hidden[:1600], hidden[1600:]), ridge=1e-3)
    assert found[EMBEDDINGS].value == 1
    assert found[MAJORITY].value == pytest.approx((labels[1600:] == 2).mean())
    assert found[LETTERS].value < 0.6


def test_a_window_of_letters_tells_what_it_did_in_the_literature(shared):
    path = shared / "flip/secondary_structure.tsv.gz"
    train = structure.read_chains(path, "train", most=100)
    test = structure.read_chains(path, "test", most=60)
    flat = (torch.zeros(len(train.labels), 1), torch.zeros(len(test.labels), 1))
    found = structure.compare(train, test, flat)
    # Linear methods on one sequence: 55 % (Garnier et al., 1978) to 65 % (GOR IV, 1996).
    assert 0.55 < found[LETTERS].value < 0.65
    assert found[EMBEDDINGS] == found[MAJORITY]
