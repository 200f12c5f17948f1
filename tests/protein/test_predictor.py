"""Embeddings are those of Hugging Face's network, in the order of the question."""

import json

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from ansatz.core.artifacts import write_provenance
from ansatz.core.options import question_leaves
from ansatz.core.recipe import PredictConfig, Recipe
from ansatz.engine import inputs
from ansatz.engine.surrogate import surrogate
from ansatz.protein.model.config import Esm
from ansatz.protein.predictor import Proteins, load_proteins
from ansatz.protein.request import SUFFIXES, Question
from ansatz.server.fields import form_fields
from ansatz.trainer.precision import arithmetic

SEQUENCES = {"a": "MKTAYIAKQR", "b": "GG", "c": "mkvlXXBUZOwcJ*M", "d": "A" * 70, "e": "WPY"}
TOLERANCE = {"rtol": 0, "atol": 1e-5}


@pytest.fixture
def fasta(tmp_path):
    path = tmp_path / "five.fasta"
    path.write_text("".join(f">{name} of a test\n{s}\n" for name, s in SEQUENCES.items()))
    return path


def states(said, letters):
    """Of the residues."""
    return said(letters)[0][1:-1].numpy()


@pytest.mark.parametrize("batch_tokens", [1, 20, 16384])
def test_means_are_those_of_hugging_face_one_by_one(ask, said, fasta, batch_tokens):
    answer = ask(Question(fasta, batch_tokens=batch_tokens))
    assert answer.ids == tuple(SEQUENCES)
    expected = np.stack([states(said, s).mean(0) for s in SEQUENCES.values()])
    assert answer.embeddings.dtype == np.float32
    np.testing.assert_allclose(answer.embeddings, expected, **TOLERANCE)


def test_vectors_of_cls_and_of_residues_are_those_of_hugging_face(ask, said, fasta):
    cls = ask(Question(fasta, embeddings="cls")).embeddings
    expected = np.stack([said(s)[0][0].numpy() for s in SEQUENCES.values()])
    np.testing.assert_allclose(cls, expected, **TOLERANCE)

    answer = ask(Question(fasta, embeddings="residue", batch_tokens=30))
    expected = [states(said, s) for s in SEQUENCES.values()]
    assert answer.offsets.tolist() == [0, 10, 12, 27, 97, 100]
    np.testing.assert_allclose(answer.embeddings, np.concatenate(expected), **TOLERANCE)


def test_probabilities_are_of_the_twenty_amino_acids_at_each_residue(ask, said, fasta):
    answer = ask(Question(fasta, embeddings="none", probabilities=True))
    logits = torch.cat([said(s)[1][1:-1] for s in SEQUENCES.values()])
    expected = logits[:, 4:24].log_softmax(-1).numpy()
    np.testing.assert_allclose(answer.log_probabilities, expected, **TOLERANCE)
    np.testing.assert_allclose(np.exp(answer.log_probabilities).sum(1), 1, rtol=1e-5)
    assert answer.amino_acids == "LAGVSERTIDPKQNFYMHWC"
    assert answer.embeddings is None


def test_a_typed_mask_is_a_place_to_guess(ask, said):
    answer = ask(Question("GG,MKT<mask>YIAK", probabilities=True))
    words = [*"MKT", "<mask>", *"YIAK"]
    hidden, logits = said(words)
    np.testing.assert_allclose(answer.embeddings[1], hidden[1:-1].mean(0).numpy(), **TOLERANCE)
    shares = logits[4, 4:24].softmax(-1)
    best = int(shares.argmax())
    assert answer.masks.tolist() == [5]
    likeliest = f"sequence_2 4: {'LAGVSERTIDPKQNFYMHWC'[best]} {shares[best]:.2f}, "
    assert answer.summary()["masks"].startswith(likeliest)


def test_odd_letters_are_answered_as_unknown_and_counted(ask, fasta):
    summary = ask(Question(fasta)).summary()
    assert summary == {"records": 5, "residues": 100, "longest": 70, "unknown": 2}
    assert ask(Question("MKTJ*J*")).summary()["unknown"] == 3  # the stop at the end is none


def test_an_answer_is_an_archive_of_what_was_asked(ask, fasta, tmp_path):
    answer = ask(Question(fasta, embeddings="residue", probabilities=True))
    (path,) = answer.save(tmp_path / "out", "five")
    with np.load(path) as held:
        assert path.name == "five.npz"
        assert held["ids"].tolist() == list(SEQUENCES)
        assert held["offsets"].tolist() == answer.offsets.tolist()
        assert np.array_equal(held["embeddings"], answer.embeddings)
        assert np.array_equal(held["log_probabilities"], answer.log_probabilities)
        assert "".join(held["amino_acids"]) == answer.amino_acids
    (path,) = ask(Question(fasta)).save(tmp_path / "out", "mean")
    with np.load(path) as held:
        assert held.files == ["ids", "offsets", "embeddings"]


@pytest.mark.parametrize(
    ("precision", "tolerance"), [("fp32", 1e-6), ("fp64", 1e-4), ("bf16", 3e-2)]
)
def test_a_precision_changes_what_it_should(checkpoint, fasta, precision, tolerance):
    device = torch.device("cpu")
    config = PredictConfig(device="cpu", precision=precision)
    plain = Proteins(load_proteins(checkpoint).network)
    exact = surrogate(plain, PredictConfig(device="cpu"), arithmetic("fp32", device), device)
    expected = exact(Question(fasta)).embeddings
    model = surrogate(load_proteins(checkpoint), config, arithmetic(precision, device), device)
    found = model(Question(fasta)).embeddings
    gap = np.linalg.norm(found - expected, axis=1) / np.linalg.norm(expected, axis=1)
    assert found.dtype == np.float32
    assert gap.max() < tolerance


# ------------------------------------------------------------------------------------ mistakes
@pytest.mark.parametrize(
    ("text", "words"),
    [
        (">a\nMK\n>b desc\n>c\nMK\n", r"record 2 \(b\) has no residues"),
        (">a\nMK\n>b\n*\n", r"record 2 \(b\) has no residues"),
        (">chr1\n" + "ACGT" * 30_000 + "\n", r"record 1 \(chr1\) has 120,000 residues.*genome"),
        (">a\nMK1\n", "line 2, column 3"),
        ("MKT\n", "line 1: expected a header"),
    ],
)
def test_a_record_without_an_answer_is_named(ask, tmp_path, text, words):
    path = tmp_path / "odd.fasta"
    path.write_text(text)
    with pytest.raises(ValueError, match=words):
        ask(Question(path))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "sequence_1 has no residues"),
        ("MK,,GG", "sequence_2 has no residues"),
        ("MK,G3", "sequence_2: '3' is no residue.*<mask>"),
        ("M" * 100_001, "100,001 residues"),
        ("proteins.fasta", "there is no file proteins.fasta"),
        ("scan.csv.gz", "there is no file scan.csv.gz"),
    ],
)
def test_a_text_without_an_answer_is_refused(ask, text, words):
    with pytest.raises(ValueError, match=words):
        ask(Question(text))


def test_a_question_about_nothing_is_refused():
    with pytest.raises(ValueError, match="nothing to answer"):
        Question("MK", embeddings="none")


def test_a_sequence_beyond_learned_positions_is_refused_by_name():
    config = Esm(layers=1, width=32, heads=2, positions="learned", longest=10)
    model = Proteins(config.build().eval())
    assert len(model.encode(Question("M" * 8)).tensors["tokens"]) == 10
    with pytest.raises(ValueError, match=r"sequence_2 has 9 residues.*positions of 8"):
        model.encode(Question("MK," + "M" * 9))


RECIPE = Recipe("protein/tiny", "", None, None, None, Question, load_proteins, suffixes=SUFFIXES)


def test_words_of_a_command_are_questions(fasta):
    chosen = {"embeddings": "residue", "batch_tokens": 8}
    expected = Question(fasta, **chosen)
    assert inputs.request(RECIPE, str(fasta), chosen) == expected
    assert inputs.request(RECIPE, "MKT<mask>A,GG", {}) == Question("MKT<mask>A,GG")
    names = ["five.fasta", "scan.csv.gz", "x.fa.zst", "MKTAYIAK"]
    for name in names[:3]:
        (fasta.parent / name).touch()
    found = [inputs.name_of(RECIPE, str(fasta.parent / n)) for n in names[:3]]
    assert [*found, inputs.name_of(RECIPE, names[3])] == ["five", "scan", "x", "MKTAYIAK"]


def test_questions_are_options_and_forms_and_parts_are_neither():
    options = {path.partition(".")[2] for path in question_leaves(Question)}
    assert options == {"embeddings", "probabilities", "mutations", "marginals", "batch_tokens"}
    fields = {field.name: field for field in form_fields(Question)}
    assert "mutations" not in fields  # a file of the server's
    assert fields["sequences"].kind == "text"


# --------------------------------------------------------------------------------- checkpoints
def trained(folder, network, **model):
    save_file(network.state_dict(), folder / "model.safetensors")
    write_provenance(folder, {"model": model or network.config})


def test_a_training_run_and_a_file_of_hugging_face_are_loaded_as_well(
    proteins, checkpoint, tmp_path
):
    expected = proteins.network.state_dict()
    trained(tmp_path, proteins.network)
    for path in (tmp_path, checkpoint / "model.safetensors"):
        network = load_proteins(path).network
        assert not network.training
        assert network.config == proteins.network.config
        assert all(torch.equal(t, expected[k]) for k, t in network.state_dict().items())


def test_checkpoints_that_are_none_are_refused(proteins, tmp_path):
    with pytest.raises(FileNotFoundError, match="no checkpoint"):
        load_proteins(tmp_path)
    trained(tmp_path, proteins.network, points=3, width=8)
    with pytest.raises(ValueError, match=r"points, width; expected.*no checkpoint of protein"):
        load_proteins(tmp_path)
    trained(tmp_path, proteins.network, layers=3, width=32, heads=4)
    with pytest.raises(ValueError, match=r"tensors differ, the first is"):
        load_proteins(tmp_path)
    trained(tmp_path, proteins.network)
    (tmp_path / "model.safetensors").write_bytes(b"12345678rubbish")
    with pytest.raises(ValueError, match="damaged"):
        load_proteins(tmp_path)
    (tmp_path / "model.safetensors").unlink()
    with pytest.raises(FileNotFoundError, match="no finished training run"):
        load_proteins(tmp_path)
    assert json.loads((tmp_path / "provenance.json").read_text())["recipe"]["model"]["width"] == 32
