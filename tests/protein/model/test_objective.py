"""The masked-language loss, beside Hugging Face's and by hand."""

import math

import pytest
import torch
from packed_sequences import packed, padded, sequences, stirred
from torch.utils.flop_counter import FlopCounterMode
from transformers import EsmConfig, EsmForMaskedLM

from ansatz.core.recipe import TrainConfig
from ansatz.protein.corpus.alphabet import MASK, PAD
from ansatz.protein.model import attention
from ansatz.protein.model.config import Esm
from ansatz.protein.model.interchange.names import HF, apart
from ansatz.protein.model.interchange.reading import read
from ansatz.protein.model.interchange.writing import configuration
from ansatz.protein.model.objective import NOT_ASKED, MaskedLanguage
from ansatz.trainer.step import TrainStep

CPU = torch.device("cpu")
SMALL = Esm(layers=2, width=64, heads=4, longest=256)
RNG = torch.Generator()


def batch(parts) -> dict[str, torch.Tensor]:
    tokens, starts = packed(parts)
    places = (tokens == MASK).nonzero()[:, 0]
    labels = torch.randint(4, 24, (len(places),), generator=torch.Generator().manual_seed(5))
    return {"tokens": tokens, "starts": starts, "places": places, "labels": labels}


def test_loss_and_gradients_are_those_of_hugging_face_on_padded_sequences(tmp_path):
    theirs = stirred(EsmForMaskedLM(EsmConfig(**configuration(SMALL))), size=0.03)
    theirs.save_pretrained(tmp_path)
    ours, parts = read(tmp_path), sequences()
    asked = batch(parts)
    tokens, mask = padded(parts)
    labels = torch.full_like(tokens, NOT_ASKED)
    labels[tokens == MASK] = asked["labels"]

    found = MaskedLanguage()(ours, asked, RNG)
    expected = theirs(input_ids=tokens, attention_mask=mask, labels=labels).loss
    torch.testing.assert_close(found.total, expected, rtol=1e-6, atol=0)

    found.total.backward()
    expected.backward()
    vectors = theirs.esm.embeddings.word_embeddings.weight.grad
    torch.testing.assert_close(ours.embedding.tokens.weight.grad, vectors, rtol=0, atol=1e-6)
    held = {k: p.grad for k, p in ours.named_parameters() if p.grad is not None}
    split, names = apart(held, SMALL.heads, in_planes=True), dict(theirs.named_parameters())
    for part in ("query", "key", "value"):
        name = f"layers.0.{part}.weight"
        torch.testing.assert_close(split[name], names[HF.theirs(name)].grad, rtol=0, atol=1e-6)


def test_a_network_that_knows_nothing_has_the_perplexity_of_the_alphabet():
    network = SMALL.build()
    torch.nn.init.zeros_(network.embedding.tokens.weight)
    found = MaskedLanguage()(network, batch(sequences()), RNG)
    assert found.total.item() == pytest.approx(math.log(33))
    assert found.terms["perplexity"].item() == pytest.approx(33, rel=1e-5)


def test_labels_that_fill_up_a_batch_and_pads_behind_it_count_for_nothing():
    network, parts = stirred(SMALL.build()), sequences()
    asked = batch(parts)
    expected = MaskedLanguage()(network, asked, RNG)
    filled = batch([*parts, torch.full((9,), PAD)])
    filled["places"] = torch.cat([filled["places"], torch.tensor([0, 0])])
    filled["labels"] = torch.cat([filled["labels"], torch.full((2,), NOT_ASKED)])
    found = MaskedLanguage()(network, filled, RNG)
    torch.testing.assert_close(found.total, expected.total)
    assert found.terms["accuracy"] == expected.terms["accuracy"]


def test_accuracy_counts_the_places_that_are_right():
    network = SMALL.build()
    torch.nn.init.zeros_(network.embedding.tokens.weight)
    with torch.no_grad():
        network.head.bias[7] = 1.0
    asked = batch(sequences())
    asked["labels"] = torch.full_like(asked["labels"], 8)
    asked["labels"][:2] = 7
    found = MaskedLanguage()(network, asked, RNG)
    assert found.terms["accuracy"].item() == pytest.approx(2 / len(asked["labels"]))


def test_a_step_costs_as_many_operations_as_torch_counts(monkeypatch):
    # torch does not count the fused kernel of a processor.
    monkeypatch.setattr(attention, "float32_products", lambda: "medium")
    parts = sequences()
    asked = batch(parts)
    network = SMALL.build()
    with FlopCounterMode(display=False) as counter:
        MaskedLanguage()(network, asked, RNG).total.backward()
    found = MaskedLanguage().work(network, asked)
    assert found.operations == pytest.approx(counter.get_total_flops(), rel=1e-12)
    assert found.idle == 0


@pytest.mark.parametrize("pads", [0, 9])
def test_padding_is_no_work(pads):
    asked, network = batch(sequences()), SMALL.build()
    filled = {
        "tokens": torch.cat([asked["tokens"], torch.full((pads,), PAD)]),
        "starts": torch.cat([asked["starts"], asked["starts"][-1:] + pads]),
        "places": torch.cat([asked["places"], torch.zeros(3, dtype=torch.int64)]),
        "labels": torch.cat([asked["labels"], torch.full((3,), NOT_ASKED)]),
    }
    work = MaskedLanguage().work(network, filled)
    assert work.operations == MaskedLanguage().work(network, asked).operations
    assert work.idle == pads


def test_training_learns_that_a_masked_residue_is_the_one_of_its_own_sequence():
    config = TrainConfig(steps=100, warmup_steps=10, learning_rate=3e-3)
    step = TrainStep(Esm(layers=1, width=32, heads=2).build(), MaskedLanguage(), config, CPU)
    part = torch.tensor([0, 4, 4, MASK, 4, MASK, 4, 2])
    parts = [torch.where(part == 4, residue, part) for residue in (4, 9, 14, 19)]
    asked = batch(parts) | {"labels": torch.tensor([4, 9, 14, 19]).repeat_interleave(2)}
    for index in range(100):
        loss = step([asked], index)
    assert loss.terms["accuracy"] == 1.0
    assert loss.terms["perplexity"] < 1.5
