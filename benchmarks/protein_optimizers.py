"""AdamW and Muon on `protein/small`: held-out perplexity after the same tokens.

    python benchmarks/protein_optimizers.py --out benchmarks/results/protein_optimizers.json

Every run sees the same batches with the same masks from the same weights, each at several learning
rates, a tenth of the run warming up. Perplexity is that of `ansatz check` on the validation split,
with its interval over clusters; losses are of training, on batches that no run saw before.

Runs go on where they were stopped: `--runs` is their folder.
"""

import argparse
import json
from pathlib import Path
from typing import Any

import ansatz
from ansatz.core.artifacts import command, machine, versions

RECIPE = "protein/small"
RATES = {"adamw": (2e-3, 4e-3), "muon": (2e-3, 5e-3)}
SETTINGS = {
    "train.batch_size": 16,
    "train.ema_decay": 0.0,
    "train.log_every": 50,
}


def row(optimizer: str, rate: float, steps: int, runs: Path) -> dict[str, Any]:
    """One run and its perplexity."""
    folder = runs / f"{optimizer}-{rate:g}"
    options = {
        **SETTINGS,
        "train.steps": steps,
        "train.warmup_steps": steps // 10,
        "train.optimizer": optimizer,
        "train.learning_rate": rate,
    }
    ansatz.train(RECIPE, options, out=folder)
    lines = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    losses = {line["step"]: line["loss"] for line in lines if "loss" in line}
    sections, _ = ansatz.check(
        RECIPE, options={"checkpoint": folder, "split": "validation"}, out=folder / "check"
    )
    found = next(f for section in sections for f in section.findings if f.name == "perplexity")
    return {
        "optimizer": optimizer,
        "learning_rate": rate,
        "perplexity": found.value,
        "interval": found.interval,
        "losses": losses,
    }


def main() -> None:
    """Run all, and write a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=600)
    parser.add_argument("--runs", type=Path, default=Path("runs/optimizers"))
    parser.add_argument("--out", type=Path)
    asked = parser.parse_args()
    rows = []
    for optimizer, rates in RATES.items():
        for rate in rates:
            rows.append(row(optimizer, rate, asked.steps, asked.runs))
            print(json.dumps(rows[-1]))
    result = {"command": command(), "machine": machine(), "versions": versions(), "rows": rows}
    if asked.out:
        asked.out.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
