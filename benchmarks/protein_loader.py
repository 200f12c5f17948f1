"""Tokens per CPU second of the input pipeline, and what packing into a budget costs.

    OMP_NUM_THREADS=1 python benchmarks/protein_loader.py > benchmarks/results/protein_loader.json

The 10,000 records of BioNeMo's sample of UniRef90 (`../shared/data/protein`), one thread. Ours goes
from a number to a batch on the host: shuffled order, places, crop, gather, mask, and int64 tensors
of tokens, starts, places and labels. The peer is what BioNeMo's recipe runs per batch: Hugging
Face's `EsmTokenizer` and `DataCollatorForLanguageModeling`, padded to 1,024; it counts real tokens
only. Each row is the best of several turns, and both mask 15 % of the residues: the share that was
masked is stated as the check.

`packing`: of all tokens after cropping to `longest`, the share that gives way to the budget, and
the share of the budget that is filled, over three epochs.
"""

import json
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from time import process_time

import numpy as np
import torch

from ansatz.core.artifacts import machine, versions
from ansatz.protein.corpus.alphabet import TOKENS, decode
from ansatz.protein.corpus.clusters import draw_records
from ansatz.protein.corpus.corpus import Corpus
from ansatz.protein.corpus.masking import BERT, BIONEMO_1_2, Masking, masked
from ansatz.protein.corpus.packing import Packing, fitting, pack, pack_positions
from ansatz.protein.corpus.preparing import prepare

SAMPLE = Path(__file__).parents[2] / "shared/data/protein/uniref90_sample.fasta.gz"
TURNS, BATCHES = 5, 100
LONGEST, BUDGET = 1024, 32_768


def ours(corpus: Corpus, packing: Packing, masking: Masking) -> tuple[int, int]:
    """Tokens, and masked ones, of some batches."""
    split = np.arange(len(corpus))
    tokens, hidden = 0, 0
    for number in range(BATCHES):
        positions = pack_positions(number, packing)
        packed = pack(corpus, draw_records(positions, split, 0), positions, packing, 0)
        found = masked(packed.tokens, masking, np.random.default_rng([0, number]))
        arrays = (found.tokens, packed.starts, found.places, found.labels)
        batch = [torch.from_numpy(array).long() for array in arrays]
        tokens, hidden = tokens + len(batch[0]), hidden + len(batch[2])
    return tokens, hidden


def by_index(corpus: Corpus) -> dict[str, float]:
    """Nanoseconds per token of `gather`, and of the same by an index per token."""
    packing = fitting(corpus.lengths, BUDGET, LONGEST)
    records = draw_records(pack_positions(0, packing), np.arange(len(corpus)), 0)
    places = corpus.places(records)
    flat = corpus._tokens[0]

    def indexed() -> np.ndarray:
        ends = np.cumsum(places.lengths)
        shift = np.repeat(places.begins - (ends - places.lengths), places.lengths)
        return flat[np.arange(ends[-1]) + shift]

    inner = corpus.gather(places)
    assert np.array_equal(indexed(), inner[(inner != 0) & (inner != 2)])
    found = {}
    for name, call in (("joined_slices", lambda: corpus.gather(places)), ("by_index", indexed)):
        began = process_time()
        for _ in range(200):
            call()
        found[name] = round((process_time() - began) / 200 / len(inner) * 1e9, 2)
    return found


def hugging_face(corpus: Corpus) -> Callable[[], tuple[int, int]]:
    """A function that returns real tokens, and masked ones, of 1,600 records."""
    from transformers import DataCollatorForLanguageModeling, EsmTokenizer

    with tempfile.TemporaryDirectory() as folder:
        vocabulary = Path(folder) / "vocab.txt"
        vocabulary.write_text("\n".join(TOKENS))
        tokenizer = EsmTokenizer(str(vocabulary))
    collate = DataCollatorForLanguageModeling(
        tokenizer, mlm_probability=0.15, pad_to_multiple_of=LONGEST
    )
    texts = [decode(corpus[record]) for record in range(1600)]

    def turn() -> tuple[int, int]:
        tokens, hidden, batch = 0, 0, 32
        for first in range(0, len(texts), batch):
            rows = [
                tokenizer(text, truncation=True, max_length=LONGEST)["input_ids"]
                for text in texts[first : first + batch]
            ]
            found = collate([{"input_ids": row} for row in rows])
            tokens += sum(map(len, rows))
            hidden += int((found["labels"] != -100).sum())
        return tokens, hidden

    return turn


def rate(call: Callable[[], tuple[int, int]]) -> dict[str, float]:
    """The best rate of several turns, after one to warm up."""
    call()
    best, share = 0.0, 0.0
    for _ in range(TURNS):
        began = process_time()
        tokens, hidden = call()
        best, share = max(best, tokens / (process_time() - began)), hidden / tokens
    return {"million_tokens_per_cpu_second": round(best / 1e6, 3), "masked": round(share, 4)}


def packing_costs(corpus: Corpus) -> list[dict[str, float]]:
    """What a budget crops, and what it leaves empty."""
    found = []
    for longest in (512, 1024):
        for budget in (8192, 16_384, 32_768, 131_072):
            packing = fitting(corpus.lengths, budget, longest)
            wanted, kept, packs = 0, 0, 3 * len(corpus) // packing.sequences
            for number in range(packs):
                positions = pack_positions(number, packing)
                records = draw_records(positions, np.arange(len(corpus)), 0)
                packed = pack(corpus, records, positions, packing, 0)
                lengths = np.minimum(corpus.lengths[records] + 2, longest)
                wanted, kept = wanted + int(lengths.sum()), kept + len(packed.tokens)
            found.append(
                {
                    "longest": longest,
                    "budget": budget,
                    "sequences": packing.sequences,
                    "cropped": round(1 - kept / wanted, 4),
                    "fill": round(kept / (packs * budget), 4),
                }
            )
    return found


def main() -> None:
    if not SAMPLE.exists():
        raise SystemExit(f"{SAMPLE} is not there: nothing to measure")
    warnings.filterwarnings("ignore")
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        prepare(SAMPLE, Path(folder))
        corpus = Corpus(Path(folder))
        budgeted = fitting(corpus.lengths, BUDGET, LONGEST)
        free = Packing(budgeted.sequences, LONGEST)
        result = {
            "benchmark": "protein_loader",
            "command": "OMP_NUM_THREADS=1 python benchmarks/protein_loader.py",
            "ours": {
                "budget 32768, 80/10/10": rate(lambda: ours(corpus, budgeted, BERT)),
                "budget 32768, 50/50/0": rate(lambda: ours(corpus, budgeted, BIONEMO_1_2)),
                "no budget, 80/10/10": rate(lambda: ours(corpus, free, BERT)),
            },
            "hugging_face": rate(hugging_face(corpus)),
            "gather_nanoseconds_per_token": by_index(corpus),
            "packing": packing_costs(corpus),
            "machine": machine(),
            "versions": versions(),
        }
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
