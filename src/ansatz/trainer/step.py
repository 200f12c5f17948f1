"""One optimizer step: forward, backward, clipping, update and the average of the weights.

The plain form is eager PyTorch and stays the reference. Two faster forms have its signature: the
network compiled by torch.compile, and the whole step captured in a CUDA graph (module `graph`).
A form that cannot be had gives way to the plain one; `mode` and `reason` say so, and the caller
passes that on. A step never waits for its device: losses are tensors there until someone asks.

An optimizer that searches along a line evaluates loss and gradient as often as it needs within a
step. It neither clips nor has a rate, and has to wait for the device.
"""

from collections.abc import Sequence
from contextlib import nullcontext
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from torch.nn.utils import clip_grad_norm_

from ansatz.core.recipe import Loss, Objective, TrainConfig
from ansatz.trainer.distributed import ALONE, World, average, data_parallel
from ansatz.trainer.graph import Batch, CapturedStep, capture, on_stream
from ansatz.trainer.optimizer import Update, learning_rate, set_rate
from ansatz.trainer.optimizers.broyden import Broyden
from ansatz.trainer.precision import arithmetic
from ansatz.trainer.sharding import is_sharded, whole
from ansatz.trainer.state import make_state, random_state, seed_generators, set_random_state

Mode = Literal["eager", "compile", "cuda graph"]


class TrainStep:
    """A callable that takes one optimizer step and returns its losses.

    Attributes:
        state: What a step changes.
        config: How the model is trained.
        arithmetic: What the device computes in.
        mode: The form of the step at present.
    """

    def __init__(
        self,
        model: nn.Module,
        objective: Objective,
        config: TrainConfig,
        device: torch.device,
        world: World = ALONE,
    ) -> None:
        """Set up the training of a model, and seed every generator for its first step.

        Args:
            model: The network; it is moved to the device.
            objective: What a step minimizes.
            config: How.
            device: Where.
            world: The place of this process among those that train together.

        Raises:
            ValueError: If the model has nothing to train, the device is unknown, or the optimizer
                cannot work on parts.
        """
        obstacle = _obstacle_to_capture(config, device, world) if config.cuda_graphs else ""
        self._captures = config.cuda_graphs and not obstacle
        self._fallbacks = [obstacle] if obstacle else []
        self.config = config
        self.arithmetic = arithmetic(config.precision, device)
        self.state = make_state(
            model,
            config,
            device,
            scaled=self.arithmetic.scales_gradients,
            capturable=self._captures,
            dtype=self.arithmetic.dtype,
            world=world,
        )
        seed_generators(self.state.rng, config.seed, world.rank)
        self.mode: Mode = "compile" if config.compile else "eager"
        self._objective = self.arithmetic.autocast(objective, cache=not self._captures)
        self._trained: list[Tensor] = [p for p in model.parameters() if p.requires_grad]
        self._update = Update(self.state.optimizer)
        self._average = list(self.state.average.values())
        self._world = world
        self._known: Sequence[Batch] = ()
        self._plain = model if is_sharded(config, world) else data_parallel(model, world, device)
        self._network = _compiled(self._plain) if config.compile else self._plain
        self._is_proven = not config.compile
        if self._captures:  # one stream for warm-up and capture: gradients accumulate on one
            self._stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
            self._warm_up_left = config.cuda_graph_warmup
            self._graph: CapturedStep | None = None

    @property
    def reason(self) -> str:
        """Why the step has not the form that the configuration asks for; empty if it has."""
        reasons = self._fallbacks
        if self._captures and self._graph is None:
            waiting = f"{self.config.cuda_graph_warmup} eager steps come before the CUDA graph"
            reasons = [*reasons, waiting]
        return "; ".join(reasons)

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
        with self.arithmetic.in_force():
            return self._capturing(batches) if self._captures else self._eager(batches)

    # ------------------------------------------------------------------------ the plain form
    def _eager(self, batches: Sequence[Batch]) -> Loss:
        if not self._is_proven:
            return self._prove_compilation(batches)
        if isinstance(self.state.optimizer, Broyden):
            return self._search(self.state.optimizer, batches)
        loss = self._gradients(batches)
        return Loss(loss.total, dict(loss.terms) | self._descend())

    def _gradients(self, batches: Sequence[Batch]) -> Loss:
        """Gradients of the mean loss over micro-steps, and that loss, detached."""
        for parameter in self._trained:
            parameter.grad = None
        # Ranks average their gradients once, in the last micro-step; but see module `sharding`.
        wrapper = self._plain
        with wrapper.no_sync() if isinstance(wrapper, DistributedDataParallel) else nullcontext():
            losses = [self._backward(batch) for batch in batches[:-1]]
        losses.append(self._backward(batches[-1]))
        loss = losses[0] if len(losses) == 1 else _mean(losses)
        return Loss(loss.total.detach(), {name: t.detach() for name, t in loss.terms.items()})

    def _backward(self, batch: Batch) -> Loss:
        """Add the gradients of one micro-step."""
        loss = self._objective(self._network, batch, self.state.rng)
        total = loss.total if self.config.accumulate == 1 else loss.total / self.config.accumulate
        torch.autograd.backward(self.state.scaler.scale(total))
        return loss

    def _descend(self) -> dict[str, Tensor]:
        """Clip, update weights, update their average; returns the norm if gradients are clipped."""
        optimizer, scaler, norm = self.state.optimizer, self.state.scaler, {}
        if self.config.clip_norm > 0:
            scaler.unscale_(optimizer)
            found = clip_grad_norm_(self._trained, self.config.clip_norm, foreach=True)
            norm["grad_norm"] = whole(found)
        if scaler.is_enabled():
            scaler.step(optimizer)
            scaler.update()
        else:
            self._update()
        self._follow()
        return norm

    def _search(self, optimizer: Broyden, batches: Sequence[Batch]) -> Loss:
        """Let an optimizer evaluate as often as it needs; new points are a new function for it."""
        seen: list[Loss] = []

        def closure() -> Tensor:
            seen.append(self._gradients(batches))
            return average(seen[-1].total, self._world)

        total = optimizer.step(closure, is_fresh=not self._knows(batches))
        self._known = batches
        self._follow()
        terms = min(seen, key=lambda loss: abs(float(loss.total - total))).terms if seen else {}
        return Loss(total, {**terms, "evaluations": total.new_tensor(float(len(seen)))})

    def _knows(self, batches: Sequence[Batch]) -> bool:
        """Whether these are the very tensors of the step before."""
        pairs = zip(batches, self._known, strict=False)
        return len(batches) == len(self._known) and all(new is old for new, old in pairs)

    def remember(self, batches: Sequence[Batch]) -> None:
        """Take these for the tensors of the step before, in a run that is resumed."""
        self._known = batches

    def _follow(self) -> None:
        """Let the average of the weights follow them."""
        if self._average:
            with torch.no_grad():
                torch._foreach_lerp_(self._average, self._trained, 1 - self.config.ema_decay)

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
            self._fallbacks.append(f"torch.compile failed: {_first_line(error)}")
            set_random_state(generators, self.state.rng)
            return self._eager(batches)

    # --------------------------------------------------------------------- the captured form
    def _capturing(self, batches: Sequence[Batch]) -> Loss:
        """Warm up on a side stream, where libraries choose their algorithms; then capture."""
        if self._graph is not None:
            return self._graph(batches)
        if self._warm_up_left > 0:
            self._warm_up_left -= 1
            with on_stream(self._stream):
                return self._eager(batches)
        generators = random_state(self.state.rng)
        try:
            self._graph = capture(self._eager, batches, self.state.rng, self._stream)
            self.mode = "cuda graph"
        except RuntimeError as error:  # what torch raises for anything that cannot be captured
            self._captures = False
            self._fallbacks.append(f"no CUDA graph: capture failed: {_first_line(error)}")
        set_random_state(generators, self.state.rng)  # recording draws as well
        return self._eager(batches) if self._graph is None else self._graph(batches)


def _obstacle_to_capture(config: TrainConfig, device: torch.device, world: World) -> str:
    """Why a step cannot be captured in a CUDA graph; empty if it can."""
    if device.type != "cuda":
        return f"no CUDA graph: it needs a CUDA device, and training runs on {device.type}"
    if world.ranks > 1:
        return f"no CUDA graph: it is for one process, and {world.ranks} train together"
    if config.optimizer == "ssbroyden":
        return "no CUDA graph: ssbroyden searches along lines, and no two searches are alike"
    if config.optimizer == "soap":
        return "no CUDA graph: soap turns its bases every few steps"
    if config.precision == "fp16":
        return "no CUDA graph: the gradient scale of fp16 is not captured; bf16 needs none"
    return ""


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
    return f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0]}"
