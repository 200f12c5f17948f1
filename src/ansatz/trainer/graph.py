"""A whole training step in a CUDA graph: one launch in place of hundreds.

A step of a small network is bound by the time that the host takes to launch its kernels. A graph
records them once, with the addresses they read and write, and replays them in one launch. So
every input lives in a buffer of its own, into which each batch is copied; a shape that changed
is an error, for the graph would compute on what the buffer held before.

A graph is trusted only after it was compared: one step is taken eagerly, undone, and replayed by
the graph; the two must change weights and moments alike, within `TOLERANCE` of the change.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor

from ansatz.core.recipe import Loss
from ansatz.trainer.state import RandomState, TrainState, random_state, set_random_state

Batch = dict[str, Tensor]
Advance = Callable[[Sequence[Batch]], Loss]

# Two eager steps differ as well where sums are atomic, by far less than this; a graph that reads
# a stale buffer moves the first moments by another gradient, an error of the order of one.
TOLERANCE = 0.02


@dataclass(frozen=True)
class StaticInputs:
    """The buffers from which a captured step reads, one dictionary per micro-step."""

    buffers: tuple[Batch, ...]

    def copy(self, batches: Sequence[Batch]) -> None:
        """Bring in the next batches.

        Args:
            batches: As many as there were at the capture, with the same names, shapes, types
                and device.

        Raises:
            ValueError: If anything but the numbers has changed.
        """
        if len(batches) != len(self.buffers):
            raise ValueError(
                f"the captured step takes {len(self.buffers)} micro-batches, got {len(batches)}"
            )
        for buffer, batch in zip(self.buffers, batches, strict=True):
            _require_same_form(buffer, batch)
            for name, tensor in batch.items():
                buffer[name].copy_(tensor, non_blocking=True)


def _require_same_form(buffer: Batch, batch: Batch) -> None:
    if buffer.keys() != batch.keys():
        raise ValueError(
            f"the step was captured with the tensors {sorted(buffer)}, got {sorted(batch)}; "
            "every batch must have the same names, or set train.cuda_graphs=False"
        )
    for name, tensor in batch.items():
        if _form(tensor) != _form(buffer[name]):
            raise ValueError(
                f"{name} is {_form(tensor)}, and the step was captured with "
                f"{_form(buffer[name])}; give batches of one shape, or set train.cuda_graphs=False"
            )


def _form(tensor: Tensor) -> str:
    return f"{tensor.dtype} {tuple(tensor.shape)} on {tensor.device}"


@dataclass(frozen=True)
class CapturedStep:
    """A recorded step; calling it copies the batches in and replays it."""

    graph: torch.cuda.CUDAGraph
    inputs: StaticInputs
    loss: Loss

    def __call__(self, batches: Sequence[Batch]) -> Loss:
        """Take one step; the losses are copies, since the next replay overwrites the originals."""
        self.inputs.copy(batches)
        self.graph.replay()
        terms = {name: term.clone() for name, term in self.loss.terms.items()}
        return Loss(self.loss.total.clone(), terms)


@contextmanager
def on_stream(stream: torch.cuda.Stream) -> Iterator[None]:
    """Run on a stream, after all that is queued elsewhere and before all that follows."""
    current = torch.cuda.current_stream(stream.device)
    stream.wait_stream(current)
    with torch.cuda.stream(stream):
        yield
    current.wait_stream(stream)


def capture(
    advance: Advance, state: TrainState, batches: Sequence[Batch], stream: torch.cuda.Stream
) -> tuple[CapturedStep | None, Loss, str]:
    """Take one step, and record it if a replay does the same.

    Args:
        advance: The eager step, warmed up.
        state: What it changes.
        batches: The batches of this step.
        stream: The stream of the warm-up.

    Returns:
        The recorded step, or None; the losses of the step taken; and, if there is no recorded
        step, why.
    """
    before, generators = _copies(state), random_state(state.rng)
    with on_stream(stream):
        loss = advance(batches)
    after, generators_after = _copies(state), random_state(state.rng)
    _restore(state, before, generators)
    try:
        captured = _record(advance, state, batches, stream)
        set_random_state(generators, state.rng)
        captured(batches)
        obstacle = _difference(update_deviation(before, after, _copies(state)))
    except RuntimeError as error:  # what torch raises for anything that cannot be captured
        obstacle = f"capture failed: {str(error).strip().splitlines()[0]}"
    if obstacle:
        _restore(state, after, generators_after)
        return None, loss, obstacle
    return captured, loss, ""


def _record(
    advance: Advance, state: TrainState, batches: Sequence[Batch], stream: torch.cuda.Stream
) -> CapturedStep:
    """Record one step on static copies of its batches; nothing is computed yet."""
    inputs = StaticInputs(
        tuple({name: tensor.clone() for name, tensor in batch.items()} for batch in batches)
    )
    graph = torch.cuda.CUDAGraph()
    # The default generator is known to every graph, the objective's own must be introduced.
    graph.register_generator_state(state.rng)
    with torch.cuda.graph(graph, stream=stream):
        loss = advance(inputs.buffers)
    return CapturedStep(graph, inputs, loss)


Tensors = Mapping[str, Sequence[Tensor]]


def update_deviation(before: Tensors, expected: Tensors, found: Tensors) -> float:
    """How far two updates of a state are apart, relative to the expected one.

    Args:
        before: The tensors before the update, by kind: weights, moments, ...
        expected: After the trusted update.
        found: After the other.

    Returns:
        The worst ratio ‖found - expected‖ / ‖expected - before‖ over the kinds; infinity if
        something changed that should not have, or is not a number.
    """
    ratios = []
    for kind, tensors in expected.items():
        change = _distance(tensors, before[kind])
        error = _distance(found[kind], tensors)
        ratios.append(0.0 if error == 0 else error / change if change > 0 else math.inf)
    return max((math.inf if math.isnan(ratio) else ratio for ratio in ratios), default=0.0)


def _distance(a: Sequence[Tensor], b: Sequence[Tensor]) -> float:
    squares = [(x.double() - y.double()).square().sum() for x, y in zip(a, b, strict=True)]
    return float(torch.stack(squares).sum().sqrt()) if squares else 0.0


def _difference(deviation: float) -> str:
    if deviation <= TOLERANCE:
        return ""
    return (
        f"its first replay differs from the eager step by {deviation:.1%} of the update, "
        f"and {TOLERANCE:.0%} is allowed"
    )


def _tensors(state: TrainState) -> dict[str, list[Tensor]]:
    """Every tensor that a step changes in place, by kind."""
    kinds: dict[str, list[Tensor]] = {
        "weights": [*state.model.parameters()],
        "buffers": [*state.model.buffers()],
        "average": [*state.average.values()],
    }
    for parameter in state.model.parameters():
        for kind, value in state.optimizer.state.get(parameter, {}).items():
            kinds.setdefault(kind, []).append(value)
    return kinds


def _copies(state: TrainState) -> dict[str, list[Tensor]]:
    return {kind: [t.detach().clone() for t in found] for kind, found in _tensors(state).items()}


def _restore(state: TrainState, copies: Tensors, generators: RandomState) -> None:
    with torch.no_grad():
        for kind, tensors in _tensors(state).items():
            for tensor, copy in zip(tensors, copies[kind], strict=True):
                tensor.copy_(copy)
    set_random_state(generators, state.rng)
