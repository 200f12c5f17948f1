"""Checks of answers whose perplexity is known."""

import numpy as np
import pytest
import torch

from ansatz.core.findings import Case
from ansatz.core.recipe import Manifest
from ansatz.protein.answer import Embedded
from ansatz.protein.cases import Company, HeldOut, Measured, cases, hide, separate
from ansatz.protein.checks import check_invariance, check_perplexity, check_variants, rows_of
from ansatz.protein.corpus.alphabet import FIRST_RESIDUE, MASK, NUM_AMINO_ACIDS
from ansatz.protein.corpus.corpus import Corpus
from ansatz.protein.dataset import Sequences
from ansatz.protein.evaluation.perplexity import COUNT
from ansatz.protein.model import network as module
from ansatz.protein.model.config import Esm
from ansatz.protein.predictor import Proteins


@pytest.fixture
def store(tmp_path, corpus_fasta):
    data = Sequences(Manifest("embedded:x", ()), str(corpus_fasta), test=300_000)
    data.fill(tmp_path, tmp_path / "store")
    return tmp_path / "store"


@pytest.fixture
def corpus_fasta(tmp_path):
    rng = np.random.default_rng(0)
    amino = list("ACDEFGHIKLMNPQRSTVWY")
    lines = [
        f">P{number} made by hand\n{''.join(rng.choice(amino, rng.integers(30, 120)))}\n"
        for number in range(80)
    ]
    path = tmp_path / "made.fasta"
    path.write_text("".join(lines))
    return path


def said(truth, log_probabilities):
    """An answer about held-out records."""
    lengths = np.diff(truth.starts) - 2
    offsets = np.concatenate(([0], np.cumsum(lengths)))
    found = np.asarray(log_probabilities, np.float32)
    return Embedded((), offsets, None, found, np.empty(0, np.int64), 0)


def held_out(store):
    truth = hide(Corpus(store), "test")
    residues = np.concatenate(separate(truth.seen, truth.starts)).astype(np.int64)
    return truth, residues


def test_masks_hide_what_the_labels_say(store):
    truth, residues = held_out(store)
    assert (truth.seen[truth.places] == MASK).all()
    assert (residues == MASK).sum() == len(truth.places)
    plain = np.concatenate([Corpus(store)[int(record)] for record in truth.records])
    assert (plain[residues == MASK] == truth.labels).all()


def test_a_model_that_knows_the_residues_has_perplexity_one(store):
    truth, residues = held_out(store)
    plain = np.concatenate([Corpus(store)[int(record)] for record in truth.records])
    knows = np.full((len(residues), NUM_AMINO_ACIDS), -50.0)
    knows[np.arange(len(residues)), plain.astype(np.int64) - FIRST_RESIDUE] = 0.0
    section = check_perplexity([Case("test", None, said(truth, knows), truth, {})])
    found = {finding.name: finding.value for finding in section.findings}
    assert found["perplexity"] == pytest.approx(1.0)
    assert found["accuracy"] == 1.0


def test_a_model_that_knows_nothing_has_perplexity_twenty(store):
    truth, residues = held_out(store)
    even = np.full((len(residues), NUM_AMINO_ACIDS), -np.log(20))
    case = Case("test", None, said(truth, even), truth, {})
    found = {finding.name: finding.value for finding in check_perplexity([case]).findings}
    assert found["perplexity"] == pytest.approx(20.0, rel=1e-6)
    # The sequences are random: counting knows no more than that either.
    for rows in rows_of(case).values():
        assert rows[:, COUNT].sum() == len(truth.places)
        assert np.exp(rows[:, 0].sum() / rows[:, COUNT].sum()) == pytest.approx(20, rel=0.05)


def answered(model, store):
    """All cases without further measurements."""
    found = []
    for name, question, truth in cases(store, "test", Measured()):
        encoded = model.encode(question)
        answer = model.decode(model.forward(encoded.tensors), encoded)
        found.append(Case(name, question, answer, truth, {}))
    return found


def test_a_network_answers_all_cases(store):
    torch.manual_seed(0)
    found = answered(Proteins(Esm(layers=1, width=16, heads=2).build().eval()), store)
    assert sum(isinstance(case.truth, HeldOut) for case in found) == 1
    companies = [case.truth.members for case in found if isinstance(case.truth, Company)]
    assert {members[0] for members in companies if len(members) == 1} == set(range(12))
    assert sorted(map(len, companies))[12:] == [4, 4, 6, 6, 12, 12]
    perplexity = check_perplexity(found).findings[0].value
    assert 15 < perplexity < 30
    assert "No deep mutational scans" in check_variants(found).text


def test_company_changes_embeddings_by_rounding_only(proteins, store):
    (found,) = check_invariance(answered(proteins, store)).findings
    assert found.value < 5e-5
    assert found.passed


def test_attention_to_neighbors_is_found_out(proteins, store, monkeypatch):
    def to_all(queries, keys, values, spans):
        scores = torch.einsum("ihd,jhd->hij", queries, keys).softmax(-1)
        return torch.einsum("hij,jhd->ihd", scores, values)

    monkeypatch.setattr(module, "attend", to_all)
    (found,) = check_invariance(answered(proteins, store)).findings
    assert found.value > 1e-2
    assert not found.passed


def test_embeddings_that_are_no_numbers_do_not_pass(proteins, store, monkeypatch):
    plain = module.attend

    def broken(queries, keys, values, spans):
        found = plain(queries, keys, values, spans)
        return found * torch.nan if len(spans.pieces) > 3 else found

    monkeypatch.setattr(module, "attend", broken)
    assert not check_invariance(answered(proteins, store)).findings[0].passed
