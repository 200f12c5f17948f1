"""The certificate is small for a network that keeps sequences apart, and large for any other."""

import numpy as np
import pytest
import torch

from ansatz.protein.invariance import TOLERANCE, certify
from ansatz.protein.model import network as module

LENGTHS = (1, 3, 40, 17, 17, 90, 5, 250)


@pytest.fixture
def sequences():
    rng = np.random.default_rng(0)
    return [rng.integers(4, 24, n, np.uint8) for n in LENGTHS]


def test_company_changes_embeddings_by_rounding_only(proteins, sequences):
    found = certify(proteins.network, sequences)
    assert found.difference < TOLERANCE
    assert (found.sequences, found.batches) == (8, 9)
    exact = certify(proteins.network.double(), sequences)
    assert exact.difference < 1e-12


def test_attention_to_neighbors_is_found_out(proteins, sequences, monkeypatch):
    def to_all(queries, keys, values, spans):
        scores = torch.einsum("ihd,jhd->hij", queries, keys).softmax(-1)
        return torch.einsum("hij,jhd->ihd", scores, values)

    monkeypatch.setattr(module, "attend", to_all)
    assert certify(proteins.network, sequences).difference > 1e-2


def test_embeddings_that_are_no_numbers_do_not_pass(proteins, sequences, monkeypatch):
    plain = module.attend

    def broken(queries, keys, values, spans):
        found = plain(queries, keys, values, spans)
        return found * torch.nan if len(spans.pieces) > 3 else found

    monkeypatch.setattr(module, "attend", broken)
    assert certify(proteins.network, sequences).difference == float("inf")


def test_in_bfloat16_it_is_that_of_its_rounding(proteins, sequences):
    with torch.autocast("cpu", torch.bfloat16):
        found = certify(proteins.network, sequences, rounds=1)
    assert found.difference < 3e-2
