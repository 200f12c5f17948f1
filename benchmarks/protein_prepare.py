"""What it costs to prepare UniRef50: our pass beside BioNeMo's steps, on the same FASTA.

    pip install numba
    python -m venv peer && peer/bin/pip install pyfastx numpy
    python benchmarks/protein_prepare.py all --peer peer/bin/python \
        --out benchmarks/results/protein_prepare.json

The FASTA: 200 MB with UniRef50's headers, made of the 10,000 records of BioNeMo's own sample of
UniRef90 (`../shared/data/protein/uniref90_sample.fasta.gz`), each copy rotated by another number of
residues, so that sequences differ and lengths are those of the sample; compressed as UniProt does.
Both begin at the .gz and end with what training reads, in one thread:

- ours: tokens, offsets, ids, hashes, counts and checksums, without duplicates (`prepare`), with the
  loops that numba compiles, and without (`plain`). What it takes to load them is stated beside;
- BioNeMo 1 (`UniRef50Preprocess`): decompress to a file, index with pyfastx, and write CSV files in
  random order, one look-up per record. It drops no duplicates, and tokenizes later, at each epoch.

Everything is in the page cache, which favors BioNeMo: on a network file system its look-ups are
what takes the 50 hours. Seconds are CPU seconds of the process, the least of several turns; the
wall clock is stated beside them, since ours decompresses in a second thread. The check is that both
read the same number of records, duplicates included.
"""

import argparse
import gzip
import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

from side_by_side import Row, rows

SAMPLE = Path(__file__).parents[2] / "shared/data/protein/uniref90_sample.fasta.gz"
MEGABYTES = 200
TURNS = 5


def make_fasta(path: Path) -> int:
    """Write the text, compressed; returns its size in bytes."""
    sample = (b"\n" + gzip.decompress(SAMPLE.read_bytes())).split(b"\n>")[1:]
    sequences = [record.partition(b"\n")[2].replace(b"\n", b"") for record in sample]
    size, number = 0, 0
    with gzip.open(path, "wb", compresslevel=6) as file:
        while size < MEGABYTES * 10**6:
            one = sequences[number % len(sequences)]
            turn = number // len(sequences) * 7 % len(one)
            one = one[turn:] + one[:turn]
            name = b"A0A%06d" % number
            header = (
                b">UniRef50_%s peptidylprolyl isomerase domain-containing protein n=%d "
                b"Tax=Triplophysa tibetana TaxID=1572043 RepID=%s_9TELE\n"
            ) % (name, number % 9 + 1, name)
            text = header + b"".join(one[i : i + 60] + b"\n" for i in range(0, len(one), 60))
            file.write(text)
            size, number = size + len(text), number + 1
    return size


def timed(work: Callable[[], Row]) -> Row:
    cpu, wall = time.process_time(), time.perf_counter()
    found = work()
    seconds = {"cpu_seconds": time.process_time() - cpu, "wall_seconds": time.perf_counter() - wall}
    return {name: round(value, 3) for name, value in seconds.items()} | found


def ours(source: Path, folder: Path) -> Row:
    import numpy as np

    from ansatz.protein.corpus.kernels import END, kernels

    def load() -> Row:
        if loops := kernels():
            loops.count(np.frombuffer(b"\0", np.uint8))
            loops.parse(b"\n>a\nM" + END)
        return {"numba": version("numba") if loops else None}

    loading = timed(load)
    row = plain(source, folder, longest=0)
    return row | {"numba": loading["numba"], "loading_seconds": loading["cpu_seconds"]}


def plain(source: Path, folder: Path, longest: int = 1 << 62) -> Row:
    """Without compiled loops, for texts shorter than `longest`."""
    from ansatz.protein.corpus import preparing
    from ansatz.protein.corpus.journal import Preparing
    from ansatz.protein.corpus.preparing import prepare

    preparing.LONG_TEXT = longest
    prepare(SAMPLE, folder / "first", Preparing())  # imports
    work = timed(lambda: prepare(source, folder / "corpus", Preparing()))
    row: Row = {name: work[name] for name in ("cpu_seconds", "wall_seconds", "records")}
    row["duplicates"] = work["met"]["duplicates"]  # type: ignore[index]
    size = sum(p.stat().st_size for p in (folder / "corpus").iterdir())
    return row | {"residues": work["residues"], "megabytes_on_disk": round(size / 1e6, 1)}


def bionemo(source: Path, folder: Path) -> Row:
    """The steps of bionemo/data/preprocess/protein/preprocess.py, v1.10."""
    import numpy as np
    import pyfastx

    text, residues = folder / "uniref50.fasta", 0

    def work() -> Row:
        nonlocal residues
        with gzip.open(source, "rb") as packed, text.open("wb") as plain:
            shutil.copyfileobj(packed, plain)
        fasta = pyfastx.Fasta(str(text), build_index=True, uppercase=True)
        order = np.arange(len(fasta))
        np.random.default_rng(0).shuffle(order)
        splits = {"val": order[:500], "test": order[500:7500], "train": order[7500:]}
        for split, numbers in splits.items():
            (folder / split).mkdir()
            for part, chosen in enumerate(np.array_split(numbers, 50)):
                with (folder / split / f"x{part:03d}.csv").open("w") as file:
                    file.write("record_id,record_name,sequence_length,sequence\n")
                    for number in chosen:
                        record = fasta[int(number)]
                        words = (str(record.id), record.name, str(len(record.seq)), record.seq)
                        file.write(",".join(words) + "\n")
        return {"records": len(fasta), "residues": fasta.size}

    row = timed(work)
    size = sum(p.stat().st_size for p in folder.rglob("*") if p.is_file())
    return row | {"megabytes_on_disk": round(size / 1e6, 1)}


def compare(peer: str) -> Row:
    """All turns, each in a process and a folder of its own."""
    from ansatz.core.artifacts import machine, versions

    best: dict[str, Row] = {}
    loads = []
    with tempfile.TemporaryDirectory() as name:
        source = Path(name) / "uniref50.fasta.gz"
        size = make_fasta(source)
        for _ in range(TURNS):
            for who, python in (
                ("ours", sys.executable),
                ("plain", sys.executable),
                ("bionemo", peer),
            ):
                with tempfile.TemporaryDirectory(dir=name) as folder:
                    (row,) = rows([python, __file__, who, str(source), folder])
                loads.append(os.getloadavg()[0])
                if who not in best or row["cpu_seconds"] < best[who]["cpu_seconds"]:  # type: ignore[operator]
                    best[who] = row
        packed = source.stat().st_size
    for row in best.values():
        row["megabytes_per_cpu_second"] = round(size / 1e6 / float(str(row["cpu_seconds"])), 1)
    seconds = {who: float(str(row["cpu_seconds"])) for who, row in best.items()}
    read = int(str(best["ours"]["records"])) + int(str(best["ours"]["duplicates"]))
    return {
        "benchmark": "protein_prepare",
        "command": "python benchmarks/protein_prepare.py all --peer peer/bin/python",
        "megabytes": round(size / 1e6, 1),
        "megabytes_compressed": round(packed / 1e6, 1),
        **best,
        "bionemo_by_ours": round(seconds["bionemo"] / seconds["ours"], 2),
        "bionemo_by_plain": round(seconds["bionemo"] / seconds["plain"], 2),
        "records_read_differ_by": read - int(str(best["bionemo"]["records"])),
        "turns": TURNS,
        "load": round(max(loads), 1),
        "machine": machine(),
        "versions": versions(),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("who", choices=("ours", "plain", "bionemo", "all"))
    parser.add_argument("paths", nargs="*", type=Path)
    parser.add_argument("--peer", default=sys.executable)
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    if given.who != "all":
        print(
            json.dumps({"ours": ours, "plain": plain, "bionemo": bionemo}[given.who](*given.paths))
        )
        return
    if not SAMPLE.exists():
        sys.exit(f"{SAMPLE} is not there: nothing to measure")
    text = json.dumps(compare(given.peer), indent=1) + "\n"
    given.out.write_text(text) if given.out else print(text, end="")


if __name__ == "__main__":
    main()
