"""The seam: what a subject gives, and what the verbs ask for.

A recipe is a named, complete, typed configuration. It binds the parts of a subject, each of them
a small protocol, and the verbs know nothing else:

    manifest --fetch--> raw files --prepare--> store --train--> checkpoint --predict--> answers
                                                                            --check--> report

The parts are frozen dataclasses, so that every field of a recipe can be overridden from the
command line (`ansatz.core.overrides`) and is written beside each artifact (`provenance.json`).
Nothing here imports torch at run time: `ansatz list` and `ansatz --help` stay instant.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Generic, Literal, Protocol, TypeVar

import numpy as np
from annotated_types import Ge, Gt, Lt
from numpy.typing import NDArray

from ansatz.core.findings import Case, Section
from ansatz.core.precision import Compute, PrecisionName

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

Arrays = Mapping[str, NDArray[Any]]
Split = Literal["train", "validation", "test"]
OptimizerName = Literal["adamw", "muon", "soap", "ssbroyden"]


# ------------------------------------------------------------------------------------- data
@dataclass(frozen=True)
class RemoteFile:
    """One file that `fetch` may bring.

    Attributes:
        path: Its path below the source, and below the raw directory. May hold `*`: then it
            stands for every file that the source lists under that pattern.
        group: What it belongs to, as `run_12`; missing files are reported by group.
        size: Bytes, if the manifest knows them; otherwise the source's listing is asked.
        sha256: Digest of the content, if known.
        required: Whether its absence at the source is an error.
    """

    path: str
    group: str = ""
    size: int | None = None
    sha256: str | None = None
    required: bool = True


@dataclass(frozen=True)
class Manifest:
    """The files of a data set and where they are.

    Attributes:
        source: `hf://datasets/OWNER/NAME@REVISION`, `https://...`, `file:///...`, or
            `embedded:PACKAGE/FOLDER` for data that the distribution carries; empty for data that
            `fetch` only finds at a mirror of the user's.
        files: What to bring.
        license: Name of the data's license.
        mirrors: Addresses of the same files elsewhere, asked in this order where the source fails.
        checksums: Path below source and mirrors of a Metalink file with the publisher's digests,
            for data of which new releases appear at the same address. No file is taken without.
    """

    source: str
    files: tuple[RemoteFile, ...]
    license: str = ""
    mirrors: tuple[str, ...] = ()
    checksums: str = ""


@dataclass(frozen=True)
class Sample:
    """One training sample, as the store keeps it: named arrays and a few scalars."""

    name: str
    split: Split
    arrays: Arrays
    meta: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Position:
    """Where a training run stands: all that a batch may depend on, beside the model as it is there.

    A batch is a pure function of its position, so a loader has no state to save: a resumed run,
    and a run on any number of processes, sees the data in the same order. What is chosen by the
    model, as points where it is wrong, is a function of the model at the step of the choice; it
    may be kept for later steps, but not over `since`: nobody knows the model from before.

    Attributes:
        seed: Of the run.
        step: Optimizer step, from 0.
        micro: Micro-step inside a step, when gradients are accumulated.
        micros: Micro-steps per step.
        rank, ranks: This process and how many there are.
        since: The step at which this process began or resumed.
    """

    seed: int
    step: int
    micro: int = 0
    micros: int = 1
    rank: int = 0
    ranks: int = 1
    since: int = 0

    def rng(self) -> np.random.Generator:
        """A generator of its own for this position (Philox, counter-based)."""
        key = [self.seed, self.step, self.micro, self.rank]
        return np.random.Generator(np.random.Philox(np.random.SeedSequence(key)))

    def indices(self, num_samples: int, batch_size: int) -> NDArray[np.int64]:
        """The samples of this batch: epochs without replacement, shuffled by (seed, epoch).

        Args:
            num_samples: Samples in the split.

        Returns:
            Indices below `num_samples`, shape (batch_size,). All ranks and micro-steps of a step
            take consecutive, disjoint slices of one global order.
        """
        first = ((self.step * self.micros + self.micro) * self.ranks + self.rank) * batch_size
        counters = np.arange(first, first + batch_size)
        orders = {
            epoch: np.random.default_rng([self.seed, epoch]).permutation(num_samples)
            for epoch in np.unique(counters // num_samples).tolist()
        }
        return np.array([orders[int(c) // num_samples][int(c) % num_samples] for c in counters])


Batches = Callable[[Position, "nn.Module"], "dict[str, Tensor]"]


@dataclass(frozen=True)
class Filled:
    """What a store was filled with.

    Attributes:
        samples: How many.
        sha256: Of all of them.
    """

    samples: int
    sha256: str


class Dataset(Protocol):
    """Where the data comes from and how it becomes a store, batches and cases."""

    def manifest(self) -> Manifest:
        """What `fetch` may bring."""

    def fill(self, raw: Path, folder: Path) -> Filled:
        """Write the store of raw files; after it was stopped, the next call ends what it began.

        Where samples are a few arrays each, `ansatz.store.samples.fill` does it.

        Raises:
            ValueError: If something else lies in the folder; nothing is touched then.
        """

    def batches(self, store: Path, split: Split, batch_size: int) -> Batches:
        """A function from a position of a run, and the model there, to a batch on the host.

        It may evaluate the model, which is on its device and without any wrapper, and must leave
        its gradients and torch's generators as they are.
        """

    def cases(self, store: Path, split: Split) -> Iterator[tuple[str, Any, Any]]:
        """Names, requests and their truths, for `check`."""


# ---------------------------------------------------------------------------------- training
@dataclass(frozen=True)
class Loss:
    """What an objective returns: the scalar to minimize, and its terms for the log."""

    total: "Tensor"
    terms: "Mapping[str, Tensor]" = field(default_factory=dict)


class Objective(Protocol):
    """What training minimizes."""

    def __call__(
        self, model: "nn.Module", batch: "dict[str, Tensor]", rng: "torch.Generator"
    ) -> Loss:
        """The loss of a model on a batch; every random draw comes from the generator."""


class ModelConfig(Protocol):
    """The shape of a network."""

    def build(self) -> "nn.Module":
        """The network with fresh weights, drawn from torch's default generator."""


@dataclass(frozen=True)
class TrainConfig:
    """How a model is trained.

    Attributes:
        steps: Optimizer steps.
        batch_size: Samples per process and micro-step.
        optimizer: `adamw`; `muon`, orthogonal steps of hidden matrices and AdamW for the rest, with
            rate and decay of AdamW; `soap`, Adam in the eigenbasis of Shampoo's preconditioner; or
            `ssbroyden`, a dense quasi-Newton method that searches along lines: for at most 8,000
            parameters and batches that stay the same for many steps. It has no learning rate.
        learning_rate: Peak learning rate.
        beta2: Decay of AdamW's mean of squared gradients.
        warmup_steps: Steps over which the rate rises linearly to its peak; after them it falls
            to `final_rate` times the peak.
        schedule: How it falls: along a half `cosine`, or `linear`ly.
        final_rate: Share of the peak rate that is left at the last step.
        weight_decay: Decoupled weight decay (AdamW), on matrices only.
        clip_norm: Largest gradient norm; 0 leaves gradients as they are.
        ema_decay: Decay of the exponential moving average of the weights; 0 keeps none.
        accumulate: Micro-steps per optimizer step.
        precision: Arithmetic of the forward pass; weights are in fp32, or all is in fp64.
        compile: Compile the model with torch.compile.
        cuda_graphs: Capture the whole step in a CUDA graph.
        cuda_graph_warmup: Eager steps on a side stream before the capture.
        sharded: Keep weights, gradients and moments in parts, one per process (FSDP2); for `adamw`
            and `muon`.
        seed: Of the weights, the data order and every random draw.
        save_every: Steps between checkpoints; 0 saves at the end only.
        keep: Checkpoints to keep.
        log_every: Steps between lines of the log.
        tensorboard: Also write TensorBoard event files.
    """

    steps: Annotated[int, Ge(1)] = 1000
    batch_size: Annotated[int, Ge(1)] = 1
    optimizer: OptimizerName = "adamw"
    learning_rate: Annotated[float, Gt(0), Lt(10)] = 1e-3
    beta2: Annotated[float, Gt(0), Lt(1)] = 0.999
    warmup_steps: Annotated[int, Ge(0)] = 100
    schedule: Literal["cosine", "linear"] = "cosine"
    final_rate: Annotated[float, Ge(0), Lt(1)] = 0.0
    weight_decay: Annotated[float, Ge(0), Lt(10)] = 0.0
    clip_norm: Annotated[float, Ge(0)] = 1.0
    ema_decay: Annotated[float, Ge(0), Lt(1)] = 0.0
    accumulate: Annotated[int, Ge(1)] = 1
    precision: Compute = "fp32"
    compile: bool = False
    cuda_graphs: bool = False
    cuda_graph_warmup: Annotated[int, Ge(1)] = 20
    sharded: bool = False
    seed: Annotated[int, Ge(0)] = 0
    save_every: Annotated[int, Ge(0)] = 500
    keep: Annotated[int, Ge(1)] = 2
    log_every: Annotated[int, Ge(1)] = 20
    tensorboard: bool = False


# -------------------------------------------------------------------------------- prediction
@dataclass(frozen=True)
class PredictConfig:
    """How answers are computed.

    Attributes:
        device: `auto` takes a GPU if there is one.
        precision: Arithmetic of the forward pass. Narrow formats (fp8, int8, nvfp4, mxfp8, mxfp4)
            round the weights and inputs of linear layers and convolutions, with `-weights` the
            weights alone; all else is in bf16.
        low_rank: Rank of a correction in bf16 of weights that are rounded to 4 bits; 0 makes none.
        compile: Compile the forward pass with torch.compile.
        workers: Requests that are read and written at the same time.
    """

    device: Literal["auto", "cpu", "cuda"] = "auto"
    precision: PrecisionName = "fp32"
    low_rank: Annotated[int, Ge(0)] = 0
    compile: bool = False
    workers: Annotated[int, Ge(1)] = 2


class Answer(Protocol):
    """What a predictor returns for one request."""

    def summary(self) -> dict[str, float | int | str]:
        """The scalars, by name: a row of `predictions.csv`."""

    def save(self, folder: Path, stem: str) -> list[Path]:
        """Write fields and pictures as `folder/stem.*`; returns what was written."""


Request = TypeVar("Request", contravariant=True)
Answered = TypeVar("Answered", bound=Answer, covariant=True)
Context = TypeVar("Context")


@dataclass(frozen=True)
class Encoded(Generic[Context]):
    """A request made ready for a device.

    Attributes:
        tensors: What `forward` takes.
        context: What `decode` needs beside the outputs, and no device has to see.
    """

    tensors: "dict[str, Tensor]"
    context: Context


class Predictor(Protocol[Request, Context, Answered]):
    """From a request to an answer in three steps, of which only the middle one is a device's.

    `forward` is the only part that an engine may replace, and gradient mode belongs to it.
    """

    def encode(self, request: Request) -> Encoded[Context]:
        """Read and measure what is asked; host."""

    def forward(self, tensors: "dict[str, Tensor]") -> "dict[str, Tensor]":
        """Evaluate the network; device."""

    def decode(self, outputs: "dict[str, Tensor]", encoded: Encoded[Context]) -> Answered:
        """Give numbers their units and meaning; host."""


Tensors = dict[str, "Tensor"]


@dataclass(frozen=True)
class Stacking:
    """How requests that wait together are evaluated in one forward pass.

    Attributes:
        together: From the forward pass of one request to that of several, in order.
        cost: What a request costs: points, tiles, tokens.
        most: Cost of a batch, at most.
    """

    together: "Callable[[Callable[[Tensors], Tensors]], Callable[[list[Tensors]], list[Tensors]]]"
    cost: Callable[[Tensors], float]
    most: float


Check = Callable[[Sequence[Case]], Section]
Reference = Callable[[Any], tuple[Any, Any]]
Baseline = Callable[[Any], "Answer | None"]


@dataclass(frozen=True)
class Recipe:
    """A named, complete, typed configuration: where a verb and a subject meet.

    Attributes:
        name: `subject/data-size`.
        title: One line for `ansatz list`.
        data: Where samples come from.
        model: Shape of the network.
        objective: What training minimizes.
        request: What one asks: a frozen dataclass whose fields are options of `predict`; the first
            one is what the command line takes as a word: a file, or a text.
        manner: Fields of the request that say how to answer and not what is asked: the cases of the
            data, which bring their questions, are asked in the manner that the user wants.
        predictor: From the folder of a checkpoint to a predictor.
        train: How training goes.
        predict: How answers are computed.
        suffixes: Endings of the files that `predict` takes from a folder.
        parts: Cuts a request about a long file into requests about parts of it, each with what its
            name ends in; None answers all in one.
        begin: Makes the network of a new run where it takes something from the data or from the
            checkpoint of `needs`: from the shape, the store and the folder of that checkpoint, if
            there is one. None builds the shape and nothing else.
        calibrate: Fits what prediction needs beside the weights (intervals, distances) to the
            validation split; takes the checkpoint's folder and the store.
        self_test: Asks a predictor what the checkpoint's folder has a stored answer to, and raises
            `ValueError` if the answer is another; a server is not ready before.
        checks: What `check` asks of the answers, section by section.
        baselines: Cheap predictors that a check puts beside the model, by name. Each takes the
            store and returns a function from a request to an answer, or None where it has none.
        references: Solvers that `check with=NAME` may call for a truth, by name. Each takes a
            request and returns what the data set's own cases would hold: the request whose answer
            can be compared, as at the solver's own points, and the truth.
        repair: Makes a user's input file fit for the model (`ansatz prepare RECIPE FILE...`):
            takes the file and the output path, returns what it did, line by line.
        stacking: How a server answers several requests at once; None takes them one by one.
        dialects: HTTP dialects by name, as `module:attribute` so that listing stays light.
        shipped: Folder of the checkpoint inside the distribution, as `package/folder`.
        needs: Name of the recipe whose checkpoint this one builds upon, on the same data; `train`
            makes it if there is none.
        shares: Name of the recipe whose raw files and store it uses, if not its own.
    """

    name: str
    title: str
    data: Dataset
    model: ModelConfig
    objective: Objective
    request: type[Any]
    predictor: Callable[[Path], Predictor[Any, Any, Any]]
    train: TrainConfig = field(default_factory=TrainConfig)
    predict: PredictConfig = field(default_factory=PredictConfig)
    manner: tuple[str, ...] = ()
    suffixes: tuple[str, ...] = ()
    parts: Callable[[Any], Iterable[tuple[str, Any]]] | None = None
    begin: "Callable[[ModelConfig, Path, Path | None], nn.Module] | None" = None
    calibrate: Callable[[Path, Path], None] | None = None
    self_test: Callable[[Predictor[Any, Any, Any], Path], None] | None = None
    checks: tuple[Check, ...] = ()
    baselines: Mapping[str, Callable[[Path], Baseline]] = field(default_factory=dict)
    references: Mapping[str, Reference] = field(default_factory=dict)
    repair: Callable[[Path, Path], list[str]] | None = None
    stacking: Stacking | None = None
    dialects: Mapping[str, str] = field(default_factory=dict)
    shipped: str = ""
    needs: str = ""
    shares: str = ""
