"""One optimizer step: forward, backward, clipping, AdamW and the average of the weights.

The plain form is eager PyTorch and stays the reference. Two faster forms have its signature: the
network compiled by torch.compile, and the whole step captured in a CUDA graph (module `graph`).
A form that cannot be had gives way to the plain one; `mode` and `reason` say so, and the caller
passes that on. A step never waits for its device: losses are tensors there until someone asks.
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from ansatz.core.recipe import Loss, Objective, TrainConfig
from ansatz.trainer.distributed import ALONE, World, data_parallel
from ansatz.trainer.graph import Batch, capture, on_stream
from ansatz.trainer.optimizer import (
    Update,
    clip_gradients,
    learning_rate,
    set_rate,
    update_average,
)
from ansatz.trainer.precision import Arithmetic, arithmetic
from ansatz.trainer.state import (
    TrainState,
    make_state,
    random_state,
    seed_generators,
    set_random_state,
)

Mode = Literal["eager", "compile", "cuda graph"]


def make_step(
    model: nn.Module,
    objective: Objective,
    config: TrainConfig,
    device: torch.device,
    world: World = ALONE,
) -> "TrainStep":
    """Set up the training of a model, and seed every generator for its first step.

    Args:
        model: The network; it is moved to the device.
        objective: What a step minimizes.
        config: How.
        device: Where.
        world: The place of this process among those that train together.

    Raises:
        ValueError: If the model has nothing to train, or the device is unknown.
    """
    numbers = arithmetic(config.precision, device)
    obstacle = _obstacle_to_capture(config, device, world) if config.cuda_graphs else ""
    captures = config.cuda_graphs and not obstacle
    state = make_state(model, config, device, scaled=numbers.scales_gradients, capturable=captures)
    seed_generators(state.rng, config.seed, world.rank)
    return TrainStep(state, objective, config, numbers, world, captures=captures, reason=obstacle)


def _obstacle_to_capture(config: TrainConfig, device: torch.device, world: World) -> str:
    """Why a step cannot be captured in a CUDA graph; empty if it can."""
    if device.type != "cuda":
        return f"no CUDA graph: it needs a CUDA device, and training runs on {device.type}"
    if world.ranks > 1:
        return f"no CUDA graph: it is for one process, and {world.ranks} train together"
    if config.precision == "fp16":
        return "no CUDA graph: the gradient scale of fp16 is not captured; bf16 needs none"
    return ""


class TrainStep:
    """A callable that takes one optimizer step and returns its losses.

    Attributes:
        state: What a step changes.
        config: How the model is trained.
        arithmetic: What the device computes in.
        mode: The form of the step at present.
        reason: Why it is not the form that the configuration asks for; empty if it is.
    """

    def __init__(
        self,
        state: TrainState,
        objective: Objective,
        config: TrainConfig,
        numbers: Arithmetic,
        world: World,
        *,
        captures: bool = False,
        reason: str = "",
    ) -> None:
        self.state = state
        self.config = config
        self.arithmetic = numbers
        self.mode: Mode = "compile" if config.compile else "eager"
        self.reason = reason
        self._objective = objective
        self._trained = [p for p in state.model.parameters() if p.requires_grad]
        self._update = Update(state.optimizer)
        self._average = list(state.average.values())
        self._plain = data_parallel(state.model, world, state.rng.device)
        self._network = _compiled(self._plain) if config.compile else self._plain
        self._is_proven = not config.compile
        self._cast_objective = numbers.autocast(objective, cache=not captures)
        self._stream: torch.cuda.Stream | None = None
        self._warm_up_left = config.cuda_graph_warmup
        self._advance: Callable[[Sequence[Batch]], Loss] = self._eager
        if captures:
            self._advance = self._warm_up
            self.reason = f"{self._warm_up_left} eager steps come before the CUDA graph"

    def __call__(self, batches: Sequence[Batch], index: int) -> Loss:
        """Take one optimizer step.

        Args:
            batches: One batch per micro-step, on the device.
            index: The optimizer step, from 0; it sets the learning rate.

        Returns:
            Means over micro-steps, detached, on the device; where gradients are clipped, their
            norm before that is the term `grad_norm`.

        Raises:
            ValueError: If a captured step is given tensors of other shapes than before.
        """
        set_rate(self.state.optimizer, learning_rate(self.config, index))
        if self.arithmetic.is_in_force():
            return self._advance(batches)
        with self.arithmetic.in_force():
            return self._advance(batches)

    # ------------------------------------------------------------------------ the plain form
    def _eager(self, batches: Sequence[Batch]) -> Loss:
        if not self._is_proven:
            return self._prove_compilation(batches)
        for parameter in self._trained:
            parameter.grad = None
        losses = []
        if len(batches) > 1:
            with self._unsynchronized():
                losses = [self._backward(batch) for batch in batches[:-1]]
        losses.append(self._backward(batches[-1]))
        loss = losses[0] if len(losses) == 1 else _mean(losses)
        terms = {name: term.detach() for name, term in loss.terms.items()}
        norm = self._descend()
        if norm is not None:
            terms["grad_norm"] = norm
        return Loss(loss.total.detach(), terms)

    def _backward(self, batch: Batch) -> Loss:
        """Add the gradients of one micro-step."""
        loss = self._cast_objective(self._network, batch, self.state.rng)
        total = loss.total
        if self.config.accumulate > 1:
            total = total / self.config.accumulate
        if self.state.scaler is not None:
            total = self.state.scaler.scale(total)
        torch.autograd.backward(total)
        return loss

    def _unsynchronized(self) -> AbstractContextManager[None]:
        """Where gradients are not averaged over ranks: in all micro-steps but the last."""
        if isinstance(self._plain, DistributedDataParallel):
            return self._plain.no_sync()
        return nullcontext()

    def _descend(self) -> Tensor | None:
        """Clip, update weights, update their average; returns the norm if gradients are clipped."""
        optimizer, scaler, norm = self.state.optimizer, self.state.scaler, None
        if self.config.clip_norm > 0:
            if scaler is not None:
                scaler.unscale_(optimizer)
            norm = clip_gradients(self._trained, self.config.clip_norm)
        if scaler is None:
            self._update()
        else:
            scaler.step(optimizer)
            scaler.update()
        if self._average:
            update_average(self._average, self._trained, self.config.ema_decay)
        return norm

    # --------------------------------------------------------------------- the compiled form
    def _prove_compilation(self, batches: Sequence[Batch]) -> Loss:
        """Take the first step with the compiled network; go back to the plain one if it fails."""
        from torch._dynamo.exc import TorchDynamoException  # a second to import: only if needed

        self._is_proven = True
        generators = random_state(self.state.rng)
        try:
            return self._eager(batches)
        except TorchDynamoException as error:
            # The compiler runs in forward and backward, before anything but gradients and
            # generators has changed.
            self._network = self._plain
            self.mode = "eager"
            self._add_reason(f"torch.compile failed: {_first_line(error)}")
            set_random_state(generators, self.state.rng)
            return self._eager(batches)

    # --------------------------------------------------------------------- the captured form
    def _warm_up(self, batches: Sequence[Batch]) -> Loss:
        """Take an eager step on a side stream: libraries choose their algorithms there."""
        with on_stream(self._side_stream()):
            loss = self._eager(batches)
        self._warm_up_left -= 1
        if self._warm_up_left == 0:
            self._advance = self._capture
        return loss

    def _capture(self, batches: Sequence[Batch]) -> Loss:
        """Take a step eagerly, undo it, capture it, replay it, and compare the two."""
        captured, loss, obstacle = capture(self._eager, self.state, batches, self._side_stream())
        self.reason = ""
        if captured is None:
            self._cast_objective = self.arithmetic.autocast(self._objective)
            self._add_reason(f"no CUDA graph: {obstacle}")
            self._advance = self._eager
        else:
            self.mode = "cuda graph"
            self._advance = captured
        return loss

    def _side_stream(self) -> torch.cuda.Stream:
        """The one stream of warm-up and capture, so that gradients accumulate on one stream."""
        if self._stream is None:
            self._stream = torch.cuda.Stream(self.state.rng.device)  # type: ignore[no-untyped-call]
        return self._stream

    def _add_reason(self, reason: str) -> None:
        self.reason = f"{self.reason}; {reason}" if self.reason else reason


def _compiled(network: nn.Module) -> nn.Module:
    """Compile a network when it is first called; the wrapper shares its weights."""
    wrapper = torch.compile(network)
    assert isinstance(wrapper, nn.Module)
    return wrapper


def _mean(losses: Sequence[Loss]) -> Loss:
    """The mean of the losses of micro-steps, term by term."""
    total = torch.stack([loss.total.detach() for loss in losses]).mean()
    terms = {
        name: torch.stack([loss.terms[name].detach() for loss in losses]).mean()
        for name in losses[0].terms
    }
    return Loss(total, terms)


def _first_line(error: RuntimeError) -> str:
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0] if lines else 'no message'}"
