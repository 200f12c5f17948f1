import dataclasses

import pytest
import torch
from torch import Tensor, nn

from ansatz.core.recipe import TrainConfig
from ansatz.trainer.optimizer import make_optimizer
from ansatz.trainer.optimizers.muon import Muon, orthogonal


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


class Sentence(nn.Module):
    """An embedding, a hidden matrix, a norm."""

    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Embedding(7, 4)
        self.hidden = nn.Linear(4, 6)
        self.norm = nn.LayerNorm(6)


@pytest.mark.parametrize("shape", [(6, 6), (4, 9), (9, 4), (3, 5, 8)])
def test_singular_values_become_one_nearly_and_singular_vectors_stay(shape):
    found = orthogonal(random(*shape))
    values = torch.linalg.svdvals(found)
    assert values.min() > 0.6
    assert values.max() < 1.25
    U, _, Vh = torch.linalg.svd(random(*shape), full_matrices=False)
    inside = U.mT @ found @ Vh.mT  # diagonal if the vectors are the same
    off = inside - torch.diag_embed(inside.diagonal(dim1=-2, dim2=-1))
    assert off.abs().max() < 1e-9


def test_a_zero_gradient_moves_nothing():
    assert torch.equal(orthogonal(torch.zeros(3, 4)), torch.zeros(3, 4))


def test_matrices_take_the_steps_of_torchs_muon():
    gradients = [random(8, 5, seed=k).float() for k in range(12)]
    ours, theirs = (nn.Parameter(random(8, 5, seed=50).float()) for _ in range(2))
    mine = Muon([{"params": [ours], "orthogonal": True}], lr=0.02, weight_decay=0.1)
    reference = torch.optim.Muon(
        [theirs], lr=0.02, weight_decay=0.1, momentum=0.95, adjust_lr_fn="match_rms_adamw"
    )
    for gradient in gradients:
        ours.grad, theirs.grad = gradient.clone(), gradient.clone()
        mine.step()
        reference.step()
    # torch iterates in bfloat16, which has three digits.
    moved = (ours - random(8, 5, seed=50).float()).abs().max()
    assert (ours - theirs).abs().max() < 0.02 * moved


def test_tables_and_vectors_take_the_steps_of_adamw():
    config = TrainConfig(steps=10, optimizer="muon", weight_decay=0.1, beta2=0.98)
    torch.manual_seed(0)
    model, twin = Sentence(), Sentence()
    twin.load_state_dict(model.state_dict())
    mine = make_optimizer(model, config)
    adamw = make_optimizer(twin, dataclasses.replace(config, optimizer="adamw"))
    for k in range(5):
        for a, b in zip(model.parameters(), twin.parameters(), strict=True):
            a.grad = random(*a.shape, seed=k).float()
            b.grad = a.grad.clone()
        mine.step()
        adamw.step()
    for (name, a), b in zip(model.named_parameters(), twin.parameters(), strict=True):
        if name == "hidden.weight":
            assert "momentum" in mine.state[a]
            assert not torch.allclose(a, b, rtol=1e-3)
        else:
            torch.testing.assert_close(a, b)


def test_matrices_of_one_shape_are_moved_as_if_alone():
    together = [nn.Parameter(random(4, 6, seed=k)) for k in range(3)]
    alone = [nn.Parameter(p.detach().clone()) for p in together]
    for k, (a, b) in enumerate(zip(together, alone, strict=True)):
        a.grad = random(4, 6, seed=10 + k)
        b.grad = a.grad.clone()
    Muon([{"params": together, "orthogonal": True}], lr=0.1).step()
    for parameter in alone:
        Muon([{"params": [parameter], "orthogonal": True}], lr=0.1).step()
    for a, b in zip(together, alone, strict=True):
        torch.testing.assert_close(a, b)


def test_a_rate_held_in_a_tensor_takes_the_same_steps():
    moved = []
    for rate in (0.05, torch.tensor(0.05)):
        matrix = nn.Parameter(random(4, 6))
        matrix.grad = random(4, 6, seed=1)
        Muon([{"params": [matrix], "orthogonal": True}], lr=rate, weight_decay=0.1).step()
        moved.append(matrix.detach())
    torch.testing.assert_close(moved[0], moved[1], rtol=1e-6, atol=1e-8)
