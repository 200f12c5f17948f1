"""Training and embedding with ESM-2's 8M shape: ours and Hugging Face's, on real lengths.

    python benchmarks/protein_train.py --fasta ../shared/data/protein/uniref90_sample.fasta.gz \
        --out benchmarks/results/protein_train.json

The same weights, sequences and masks for all: batches of sequences drawn from a FASTA file, cut at
1,024 tokens, 15 % masked (80/10/10). A training step goes forward, backward, clips gradients and
takes a step of fused AdamW. Hugging Face's `EsmForMaskedLM` pads to the longest sequence of the
batch and uses torch's fused attention; ours packs. bf16 is autocast for both. Of embedding, the
forward pass to the last hidden states counts.

Seconds are CPU seconds of one thread. All take their turns batch by batch, and ratios are of the
sums over batches. A first batch is not counted. For all, glibc is told to keep memory instead of
giving it back after each step (`--allocator system` leaves it as it comes).
Errors: of logits against Hugging Face's in float32, and of bf16 embeddings against float32.
"""

import argparse
import ctypes
import gzip
import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ["OMP_NUM_THREADS"] = "1"

import numpy as np
import torch
import transformers
from torch import Tensor, nn

from ansatz.core.artifacts import command, machine
from ansatz.protein.corpus.alphabet import CLS, EOS, MASK, PAD, encode
from ansatz.protein.model.config import ESM2
from ansatz.protein.model.interchange.writing import write
from ansatz.protein.model.network import EsmNetwork
from ansatz.protein.model.objective import NOT_ASKED, MaskedLanguage
from ansatz.trainer.precision import arithmetic

LONGEST = 1024
CPU = torch.device("cpu")
KEEP = ((-3, 1 << 30), (-1, 1 << 30), (-2, 1 << 28))  # mmap threshold, trim threshold, top pad
Batch = dict[str, Tensor]


def drawn(path: Path, count: int, per: int) -> list[list[tuple[Tensor, Tensor]]]:
    """Batches of masked sequences and their labels."""
    with gzip.open(path, "rt") as file:
        text = file.read()
    sequences = ["".join(record.split("\n")[1:]) for record in text.split(">")[1:]]
    rng = np.random.default_rng(0)
    chosen = rng.choice(len(sequences), (count, per), replace=False)
    return [[masked(encode(sequences[i])[: LONGEST - 2], rng) for i in row] for row in chosen]


def masked(residues: Any, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    """A sequence with 15 % of its residues masked (80/10/10), and its labels."""
    tokens = residues.astype(np.int64)
    labels = np.full_like(tokens, NOT_ASKED)
    asked = rng.random(len(tokens)) < 0.15
    labels[asked] = tokens[asked]
    dice = rng.random(len(tokens))
    tokens[asked & (dice < 0.8)] = MASK
    other = asked & (dice >= 0.9)
    tokens[other] = rng.integers(4, 24, other.sum())
    tokens = np.concatenate([[CLS], tokens, [EOS]])
    labels = np.concatenate([[NOT_ASKED], labels, [NOT_ASKED]])
    return torch.from_numpy(tokens), torch.from_numpy(labels)


def packed(batch: list[tuple[Tensor, Tensor]]) -> Batch:
    """What our objective takes."""
    labels = torch.cat([label for _, label in batch])
    places = (labels != NOT_ASKED).nonzero()[:, 0]
    starts = torch.tensor([0] + [len(tokens) for tokens, _ in batch]).cumsum(0)
    tokens = torch.cat([tokens for tokens, _ in batch])
    return {"tokens": tokens, "starts": starts, "places": places, "labels": labels[places]}


def padded(batch: list[tuple[Tensor, Tensor]]) -> Batch:
    """What Hugging Face's network takes."""
    pad = torch.nn.utils.rnn.pad_sequence
    tokens = pad([tokens for tokens, _ in batch], batch_first=True, padding_value=PAD)
    labels = pad([label for _, label in batch], batch_first=True, padding_value=NOT_ASKED)
    return {"input_ids": tokens, "attention_mask": (tokens != PAD).long(), "labels": labels}


def training(network: nn.Module, loss: Callable[[Batch], Tensor]) -> Callable[[Batch], Tensor]:
    """A step."""
    trained = [p for p in network.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(
        trained, lr=4e-4, betas=(0.9, 0.98), weight_decay=0.01, fused=True
    )

    def step(batch: Batch) -> Tensor:
        optimizer.zero_grad()
        found = loss(batch)
        found.backward()
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        optimizer.step()
        return found.detach()

    return step


def cast(call: Callable[[Batch], Tensor], *, bf16: bool) -> Callable[[Batch], Tensor]:
    """A call under autocast."""

    def run(batch: Batch) -> Tensor:
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            return call(batch)

    return run


def variants(folder: Path) -> dict[str, Callable[[Batch], Tensor]]:
    """Steps and embeddings by name, each with a network of its own from the same weights."""
    torch.manual_seed(0)
    fresh = ESM2["8m"].build()
    write(fresh, folder)
    objective, rng = MaskedLanguage(), torch.Generator()
    found: dict[str, Callable[[Batch], Tensor]] = {}
    for bf16 in (False, True):
        name = "bf16" if bf16 else "fp32"
        ours, theirs = same(fresh), peer(folder)
        ours_eval, theirs_eval = same(fresh).eval(), peer(folder).eval()

        def ours_loss(batch: Batch, network: EsmNetwork = ours) -> Tensor:
            return objective(network, batch, rng).total

        def theirs_loss(batch: Batch, network: Any = theirs) -> Tensor:
            return network(**batch).loss  # type: ignore[no-any-return]

        def ours_states(batch: Batch, network: EsmNetwork = ours_eval) -> Tensor:
            with torch.inference_mode():
                return network.states(batch["tokens"], batch["starts"])

        def theirs_states(batch: Batch, network: Any = theirs_eval) -> Tensor:
            with torch.inference_mode():
                asked = {k: batch[k] for k in ("input_ids", "attention_mask")}
                return network.esm(**asked).last_hidden_state  # type: ignore[no-any-return]

        found[f"train ours {name}"] = training(ours, cast(ours_loss, bf16=bf16))
        found[f"train hf {name}"] = training(theirs, cast(theirs_loss, bf16=bf16))
        found[f"embed ours {name}"] = cast(ours_states, bf16=bf16)
        found[f"embed hf {name}"] = cast(theirs_states, bf16=bf16)
    return found


def same(network: EsmNetwork) -> EsmNetwork:
    """A copy."""
    copy = network.config.build()
    copy.load_state_dict(network.state_dict())
    return copy


def peer(folder: Path) -> Any:
    """Hugging Face's network."""
    return transformers.EsmForMaskedLM.from_pretrained(folder, attn_implementation="sdpa").train()


def errors(folder: Path, batch: list[tuple[Tensor, Tensor]]) -> dict[str, float]:
    """How far logits and embeddings are from Hugging Face's in float32."""
    torch.manual_seed(0)
    ours, theirs = ESM2["8m"].build().eval(), peer(folder).eval()
    flat, rows = packed(batch), padded(batch)
    real = rows["attention_mask"].bool()
    with torch.inference_mode():
        exact = theirs(**rows).logits[real]
        logits = (ours(flat["tokens"], flat["starts"]) - exact).abs().max()
        states = theirs.esm(rows["input_ids"], rows["attention_mask"]).last_hidden_state[real]
        with torch.autocast("cpu", torch.bfloat16):
            one = ours.states(flat["tokens"], flat["starts"]).float()
            other = theirs.esm(rows["input_ids"], rows["attention_mask"]).last_hidden_state[real]
    off = [float((s.float() - states).norm() / states.norm()) for s in (one, other)]
    return {
        "logits_max_difference": float(logits),
        "logits_largest": float(exact.abs().max()),
        "bf16_embeddings_ours": off[0],
        "bf16_embeddings_hf": off[1],
    }


def measured(calls: dict[str, Any], batches: list[list[tuple[Tensor, Tensor]]]) -> dict[str, Any]:
    """CPU seconds of every call on every batch but the first, which warms up."""
    seconds: dict[str, list[float]] = {name: [] for name in calls}
    losses: dict[str, float] = {}
    told = arithmetic("fp32", CPU)
    for batch in batches:
        flat, rows = packed(batch), padded(batch)
        for name, call in calls.items():
            is_ours = " ours " in name
            asked = flat if is_ours else rows
            if is_ours:
                with told.in_force():
                    began = time.process_time()
                    found = call(asked)
                    seconds[name].append(time.process_time() - began)
            else:
                began = time.process_time()
                found = call(asked)
                seconds[name].append(time.process_time() - began)
            if name.startswith("train"):
                losses[name] = float(found)
    counted = {name: values[1:] for name, values in seconds.items()}
    return {"seconds": counted, "last_loss": losses}


def row(per: int, batches: list[list[tuple[Tensor, Tensor]]], found: dict[str, Any]) -> Any:
    """Rates and ratios of one size of batch."""
    real = [sum(len(tokens) for tokens, _ in batch) for batch in batches[1:]]
    full = [len(b) * max(len(tokens) for tokens, _ in b) for b in batches[1:]]
    seconds = {name: sum(values) for name, values in found["seconds"].items()}
    each = found["seconds"]
    ratios = {}
    for task in ("train", "embed"):
        pairs = (("fp32", "fp32"), ("bf16", "fp32"), ("bf16", "bf16"))
        for one, other in pairs:
            ours, theirs = f"{task} ours {one}", f"{task} hf {other}"
            by_batch = [t / o for t, o in zip(each[theirs], each[ours], strict=True)]
            ratios[f"{task}: ours {one} over hf {other}"] = {
                "of sums": round(seconds[theirs] / seconds[ours], 2),
                "median of batches": round(statistics.median(by_batch), 2),
            }
    return {
        "sequences_per_batch": per,
        "batches": len(real),
        "real_tokens": sum(real),
        "padded_tokens": sum(full),
        "padding_factor": round(sum(full) / sum(real), 2),
        "tokens_per_cpu_second": {n: round(sum(real) / s) for n, s in seconds.items()},
        "ratios": ratios,
        "last_loss": {n: round(v, 5) for n, v in found["last_loss"].items()},
    }


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--fasta", type=Path, required=True)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--sequences", type=int, nargs="+", default=[8, 16])
    parser.add_argument("--batches", type=int, default=4)
    parser.add_argument("--allocator", choices=("kept", "system"), default="kept")
    options = parser.parse_args()
    torch.set_num_threads(1)
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    if options.allocator == "kept":
        for name, value in KEEP:
            ctypes.CDLL(None).mallopt(name, value)
    result: dict[str, Any] = {
        "benchmark": "protein_train",
        "command": command(),
        "allocator": options.allocator,
        "machine": machine(),
        "torch": torch.__version__,
        "transformers": transformers.__version__,
        "shape": "esm2-8m, 7,512,474 parameters",
        "rows": [],
    }
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for per in options.sequences:
            batches = drawn(options.fasta, options.batches + 1, per)
            found = measured(variants(folder), batches)
            result["rows"].append(row(per, batches, found))
            print(json.dumps(result["rows"][-1], indent=1), flush=True)
        result["errors"] = errors(folder, batches[0])
    print(json.dumps(result["errors"]))
    result["load"] = round(os.getloadavg()[0], 1)
    if options.out:
        options.out.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
