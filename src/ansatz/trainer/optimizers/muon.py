"""Muon: momentum whose singular values are all made one.

For a matrix W of m x n with gradient G (Jordan et al. 2024, https://kellerjordan.github.io/posts/muon):

    B <- μ B + (1 - μ) G,    D = (1 - μ) G + μ B                     (Nesterov)
    W <- W - η (λ W + 0.2 √max(m, n) orthogonal(D))

where orthogonal(U S Vᵀ) is U Vᵀ nearly: five iterations X <- a X + (b A + c A²) X, A = X Xᵀ, from
X = D / |D| bring every singular value that is not tiny to between 0.7 and 1.2. The factor gives
steps the size of AdamW's (Liu et al., arXiv:2502.16982, §2.2), so that rate and decay of AdamW fit.

A matrix of many that are multiplied one after the other is what this is for. Vectors, and tables
whose rows are looked up, are moved by AdamW.
"""

from collections import defaultdict
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer
from torch.optim.adamw import adamw
from torch.optim.optimizer import ParamsT

from ansatz.trainer.sharding import is_part, part, whole

A, B, C = 3.4445, -4.7750, 2.0315  # steep at zero, flat around one
ITERATIONS = 5
SIZE_OF_ADAMW = 0.2  # root mean square of an entry of AdamW's steps
SMALLEST_NORM = 1e-7


class Muon(Optimizer):
    """Steps that wait for no device.

    The state of a parameter is `momentum` (B) in a group that is `orthogonal`, and AdamW's `step`,
    `exp_avg` and `exp_avg_sq` in the others.
    """

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1e-3,
        *,
        momentum: float = 0.95,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        orthogonal: bool = False,
        capturable: bool = False,
    ) -> None:
        """Prepare for the first step.

        Args:
            params: Groups of parameters, of which those of hidden matrices say `orthogonal`.
            lr: The learning rate η; a tensor where a CUDA graph reads it.
            momentum: μ.
            betas, eps: AdamW's.
            weight_decay: λ.
            orthogonal: For groups that do not say it themselves.
            capturable: Count AdamW's steps on the device.
        """
        defaults = {
            "lr": lr,
            "momentum": momentum,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "orthogonal": orthogonal,
            "capturable": capturable,
        }
        super().__init__(params, defaults)

    @torch.no_grad()
    def step(  # type: ignore[override]
        self, closure: Callable[[], Tensor] | None = None
    ) -> Tensor | None:
        """Take one step along the gradients.

        Args:
            closure: Computes loss and gradients, if they are not there yet.

        Returns:
            What the closure returns.
        """
        loss = None if closure is None else torch.enable_grad()(closure)()
        for group in self.param_groups:
            moved = [p for p in group["params"] if p.grad is not None]
            if group["orthogonal"]:
                self._move(moved, group)
            elif moved:
                self._adamw(moved, group)
        return loss

    def _move(self, parameters: list[Tensor], group: dict[str, Any]) -> None:
        """Move matrices; those of one shape are made orthogonal together.

        Each that is in parts is put together on every process, alone, since memory is short.
        """
        alike: dict[tuple[torch.Size, int], list[Tensor]] = defaultdict(list)
        for parameter in parameters:
            alike[parameter.shape, len(alike) if is_part(parameter) else 0].append(parameter)
        for (shape, _), matrices in alike.items():
            found = [whole(self._direction(p, group)) for p in matrices]
            directions = orthogonal(torch.stack(found))
            factor = SIZE_OF_ADAMW * max(shape) ** 0.5
            for parameter, direction in zip(matrices, directions.unbind(), strict=True):
                parameter.mul_(1 - group["lr"] * group["weight_decay"])
                parameter.sub_(part(direction, parameter) * (group["lr"] * factor))

    def _direction(self, parameter: Tensor, group: dict[str, Any]) -> Tensor:
        state, gradient, momentum = self.state[parameter], parameter.grad, group["momentum"]
        assert gradient is not None
        if not state:
            state["momentum"] = torch.zeros_like(parameter)
        state["momentum"].lerp_(gradient, 1 - momentum)
        return gradient.lerp(state["momentum"], momentum)

    def _adamw(self, parameters: list[Tensor], group: dict[str, Any]) -> None:
        for parameter in parameters:
            if not self.state[parameter]:
                device = parameter.device if group["capturable"] else torch.device("cpu")
                self.state[parameter] = {
                    "step": torch.zeros((), device=device),
                    "exp_avg": torch.zeros_like(parameter),
                    "exp_avg_sq": torch.zeros_like(parameter),
                }
        kinds = ("exp_avg", "exp_avg_sq", "step")
        means, squares, steps = ([self.state[p][kind] for p in parameters] for kind in kinds)
        beta1, beta2 = group["betas"]
        adamw(
            parameters,
            [p.grad for p in parameters if p.grad is not None],
            means,
            squares,
            [],
            steps,
            capturable=group["capturable"],
            amsgrad=False,
            beta1=beta1,
            beta2=beta2,
            lr=group["lr"],
            weight_decay=group["weight_decay"],
            eps=group["eps"],
            maximize=False,
        )


def orthogonal(matrices: Tensor) -> Tensor:
    """The orthogonal factor of every matrix, nearly.

    Args:
        matrices: Shape (..., m, n); a GPU iterates in bfloat16, which costs nothing in accuracy
            that the iteration has.

    Returns:
        Same shape and type; singular values between 0.7 and 1.2, but for directions in which a
        matrix is a thousand times smaller than in others.
    """
    x = matrices.bfloat16() if matrices.is_cuda else matrices
    is_tall = x.shape[-2] > x.shape[-1]
    x = x.mT if is_tall else x
    x = x / x.norm(dim=(-2, -1), keepdim=True).clamp(min=SMALLEST_NORM)
    for _ in range(ITERATIONS):
        squared = x @ x.mT
        x = A * x + (B * squared + C * squared @ squared) @ x
    found: Tensor = x.mT if is_tall else x
    return found.to(matrices.dtype)
