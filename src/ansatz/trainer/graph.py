"""A whole training step in a CUDA graph: one launch in place of hundreds.

A step of a small network is bound by the time that the host takes to launch its kernels. A graph
records them once, with the addresses they read and write, and replays them in one launch. So
every input lives in a buffer of its own, into which each batch is copied; a shape that changed
is an error, for the graph would compute on what the buffer held before.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor

from ansatz.core.recipe import Loss

Batch = dict[str, Tensor]
Advance = Callable[[Sequence[Batch]], Loss]


@dataclass(frozen=True)
class CapturedStep:
    """A recorded step; calling it copies the batches into its buffers and replays it."""

    graph: torch.cuda.CUDAGraph
    buffers: Sequence[Batch]
    loss: Loss

    def __call__(self, batches: Sequence[Batch]) -> Loss:
        """Take one step; the losses are copies, since the next replay overwrites the originals."""
        fill(self.buffers, batches)
        self.graph.replay()
        terms = {name: term.clone() for name, term in self.loss.terms.items()}
        return Loss(self.loss.total.clone(), terms)


def capture(
    advance: Advance, batches: Sequence[Batch], rng: torch.Generator, stream: torch.cuda.Stream
) -> CapturedStep:
    """Record a step; nothing is computed yet.

    Args:
        advance: The eager step, warmed up.
        batches: Like those to come.
        rng: From which the objective draws; torch's default generator is known to every graph.
        stream: The stream of the warm-up.

    Raises:
        RuntimeError: If the step does what cannot be captured, as waiting for the device.
    """
    buffers = [{name: tensor.clone() for name, tensor in batch.items()} for batch in batches]
    graph = torch.cuda.CUDAGraph()
    graph.register_generator_state(rng)
    with torch.cuda.graph(graph, stream=stream):
        loss = advance(buffers)
    return CapturedStep(graph, buffers, loss)


@contextmanager
def on_stream(stream: torch.cuda.Stream) -> Iterator[None]:
    """Run on a stream, after all that is queued elsewhere and before all that follows."""
    current = torch.cuda.current_stream(stream.device)
    stream.wait_stream(current)
    with torch.cuda.stream(stream):
        yield
    current.wait_stream(stream)


def fill(buffers: Sequence[Batch], batches: Sequence[Batch]) -> None:
    """Copy batches into buffers, one per micro-step.

    Args:
        buffers: What a captured step reads.
        batches: As many, with the same names, shapes, types and device.

    Raises:
        ValueError: If anything but the numbers is different.
    """
    if len(batches) != len(buffers):
        raise ValueError(
            f"the captured step takes {len(buffers)} micro-batches, got {len(batches)}"
        )
    for buffer, batch in zip(buffers, batches, strict=True):
        if buffer.keys() != batch.keys():
            raise ValueError(
                f"the step was captured with the tensors {sorted(buffer)}, got {sorted(batch)}; "
                "every batch must have the same names, or set train.cuda_graphs=False"
            )
        for name, tensor in batch.items():
            if _form(tensor) != _form(buffer[name]):
                raise ValueError(
                    f"{name} is {_form(tensor)}, and the step was captured with "
                    f"{_form(buffer[name])}; give batches of one shape, or set "
                    "train.cuda_graphs=False"
                )
            buffer[name].copy_(tensor, non_blocking=True)


def _form(tensor: Tensor) -> str:
    return f"{tensor.dtype} {tuple(tensor.shape)} on {tensor.device}"
