"""A forward pass in a CUDA graph: one launch in place of hundreds.

A graph replays kernels with the addresses that they had, so inputs are copied into buffers, and
outputs are copies: the next replay overwrites the originals. A shape that changed is an error.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

Call = Callable[..., Tensor | tuple[Tensor, ...]]
WARM_UP = 3  # calls in which kernels are chosen and workspaces made


def captured(call: Call, example: Sequence[Tensor]) -> Call:
    """A function recorded once and replayed.

    Args:
        call: Of tensors on a GPU, without a look at their numbers on the host.
        example: Its inputs, on the GPU.

    Raises:
        ValueError: If there is no GPU; later, if an input is not of the example's shape and type.
        RuntimeError: If the function does what cannot be recorded, as waiting for the device.
    """
    if not torch.cuda.is_available():
        raise ValueError(
            "backend=cudagraph records the launches of a GPU, and torch sees none: take "
            "backend=compile or backend=onnxruntime on a processor"
        )
    buffers = [tensor.cuda().clone() for tensor in example]
    stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream), torch.no_grad():
        for _ in range(WARM_UP):
            call(*buffers)
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph), torch.no_grad():
        recorded = call(*buffers)

    def replay(*tensors: Tensor) -> Tensor | tuple[Tensor, ...]:
        for buffer, tensor in zip(buffers, tensors, strict=True):
            if (buffer.shape, buffer.dtype) != (tensor.shape, tensor.dtype):
                raise ValueError(
                    f"the graph was recorded with {buffer.dtype} {tuple(buffer.shape)}, got "
                    f"{tensor.dtype} {tuple(tensor.shape)}: build an engine for this shape"
                )
            buffer.copy_(tensor)
        graph.replay()
        if isinstance(recorded, Tensor):
            return recorded.clone()
        return tuple(output.clone() for output in recorded)

    return replay
