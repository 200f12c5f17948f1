"""Batches of whole sequences within a budget, and several questions as one."""

import threading

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ansatz.protein.batches import batches, cost, evaluate, joined, packed, residues, together
from ansatz.protein.request import Question
from ansatz.server.batcher import Batcher


@given(st.lists(st.integers(2, 50), min_size=1, max_size=30), st.integers(1, 120))
def test_batches_hold_every_sequence_once_within_the_budget(lengths, budget):
    starts = np.cumsum([0, *lengths]).tolist()
    found = list(batches(starts, budget))
    assert [n for a, b in found for n in range(a, b)] == list(range(len(lengths)))
    sizes = [starts[b] - starts[a] for a, b in found]
    assert all(size <= budget or b - a == 1 for size, (a, b) in zip(sizes, found, strict=True))
    for size, (_, b) in zip(sizes[:-1], found[:-1], strict=True):
        assert size + lengths[b] > budget


def test_residues_lie_between_cls_and_eos():
    tensors = packed([np.array([5, 6], np.uint8), np.array([7], np.uint8)], 10)
    assert tensors["tokens"].tolist() == [0, 5, 6, 2, 0, 7, 2]
    assert tensors["starts"].tolist() == [0, 4, 7]
    assert residues(tensors).tolist() == [False, True, True, False, False, True, False]
    assert cost(tensors) == 7


QUESTIONS = [
    Question("MKTAYIAK,GG"),
    Question("WPY", embeddings="residue"),
    Question("MK<mask>A,LLLLLLLLLL", embeddings="none", probabilities=True),
    Question("MKTAYIAK,GG", embeddings="cls", probabilities=True, batch_tokens=4),
]


def test_questions_that_wait_together_get_their_own_answers_of_one_forward_pass(proteins):
    asked = []

    def forward(tensors):
        asked.append(tensors)
        return proteins.forward(tensors)

    encoded = [proteins.encode(q) for q in QUESTIONS]
    found = together(forward)([e.tensors for e in encoded])
    assert len(asked) == 1
    assert int(asked[0]["budget"]) == 16384
    for outputs, each in zip(found, encoded, strict=True):
        alone = proteins.forward(each.tensors)
        assert outputs.keys() == alone.keys()
        for name, expected in alone.items():
            torch.testing.assert_close(outputs[name], expected, rtol=0, atol=1e-5)


class Gate:
    """A device that counts what it is asked, and works only while it is open."""

    def __init__(self, forward):
        self.plain, self.open, self.entered = forward, threading.Event(), threading.Event()
        self.tokens = []

    def forward(self, tensors):
        self.tokens.append(len(tensors["tokens"]))
        self.entered.set()
        self.open.wait()
        return self.plain(tensors)


@pytest.mark.parametrize(("limit", "expected"), [(1e9, [12, 60]), (24, [12, 24, 24, 12])])
def test_a_server_packs_what_waits_by_tokens(proteins, limit, expected):
    gate = Gate(proteins.forward)
    batcher = Batcher(together(gate.forward), max_batch=8, max_cost=limit, cost=cost)
    encoded = [proteins.encode(Question(letter * 10)) for letter in "MGKLWY"]
    futures = [batcher.submit(encoded[0].tensors)]
    gate.entered.wait()
    futures += [batcher.submit(each.tensors) for each in encoded[1:]]
    gate.open.set()
    answers = [
        proteins.decode(future.result().result, each)
        for future, each in zip(futures, encoded, strict=True)
    ]
    batcher.stop()
    assert gate.tokens == expected
    for answer, each in zip(answers, encoded, strict=True):
        alone = proteins.decode(proteins.forward(each.tensors), each)
        np.testing.assert_allclose(answer.embeddings, alone.embeddings, rtol=0, atol=1e-5)


def test_one_question_joined_is_itself(proteins):
    tensors = proteins.encode(QUESTIONS[3]).tensors
    again = joined([tensors])
    assert all(torch.equal(t, again[name]) for name, t in tensors.items())


@pytest.mark.gpu
def test_on_a_gpu_answers_are_those_of_the_processor(proteins):
    encoded = [proteins.encode(q) for q in QUESTIONS]
    expected = [proteins.forward(e.tensors) for e in encoded]
    network = proteins.network.cuda()
    for each, alone in zip(encoded, expected, strict=True):
        found = evaluate(network, {name: t.cuda() for name, t in each.tensors.items()})
        for name, values in alone.items():
            torch.testing.assert_close(found[name].cpu(), values, rtol=0, atol=1e-4)
