"""A prepared corpus: records by number, memory-mapped.

Nothing is read when it is opened but `meta.json`: a process holds two maps per shard, and the pages
that it touches are shared with all others on the machine.
"""

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ansatz.protein.corpus.alphabet import CLS, EOS
from ansatz.protein.corpus.journal import META
from ansatz.protein.corpus.shards import read_hashes, read_ids

_BETWEEN = bytes([EOS, CLS])


@dataclass(frozen=True)
class Places:
    """Where the tokens of some records are: shard, first token in it, and how many."""

    shards: list[int]
    begins: NDArray[np.int64]
    lengths: NDArray[np.int64]


@dataclass(frozen=True)
class Corpus:
    """Records by number, in the order of the FASTA file.

    Attributes:
        folder: Made by `preparing.prepare`.
    """

    folder: Path

    def __post_init__(self) -> None:
        if not (self.folder / META).exists():
            raise FileNotFoundError(
                f"{self.folder} holds no finished corpus: expected {META}. Prepare it, or go on "
                "with a run that was stopped, by the same command"
            )

    def __len__(self) -> int:
        return int(self._first_records[-1])

    @cached_property
    def meta(self) -> dict[str, Any]:
        """The content of `meta.json`."""
        content: dict[str, Any] = json.loads((self.folder / META).read_text())
        return content

    @cached_property
    def num_shards(self) -> int:
        """How many shards there are."""
        return len(self.meta["shards"])

    @cached_property
    def lengths(self) -> NDArray[np.int64]:
        """Residues of all records: 8 bytes each, so ask for `places` where few are wanted."""
        return np.concatenate([np.diff(offsets) for offsets in self._offsets])

    def __getitem__(self, record: int) -> NDArray[np.uint8]:
        """The tokens of a record, without <cls> and <eos>; a view of the map."""
        shard = int(np.searchsorted(self._first_records, record, "right")) - 1
        begin, end = self._offsets[shard][record - self._first_records[shard] :][:2]
        return np.asarray(self._tokens[shard])[begin:end]

    def ids(self) -> list[str]:
        """First words of all headers."""
        return [name for name, _ in self.names()]

    def names(self) -> list[tuple[str, str]]:
        """First word and `RepID` of all headers; the latter is empty where there is none."""
        return [pair for shard in range(self.num_shards) for pair in read_ids(self.folder, shard)]

    def hashes(self) -> NDArray[np.uint64]:
        """128-bit hashes of all sequences, shape (records, 2)."""
        return np.concatenate([read_hashes(self.folder, s) for s in range(self.num_shards)])

    def places(self, records: NDArray[np.int64]) -> Places:
        """Where records are."""
        shards = np.searchsorted(self._first_records, records, "right") - 1
        inside = (records - self._first_records[shards]).tolist()
        numbers = shards.tolist()
        # One at a time: a random batch has hardly two records in one shard, and an item of a
        # memoryview costs less than any call of numpy.
        views = self._offset_views
        ends = [views[s][i + 1] for s, i in zip(numbers, inside, strict=True)]
        begins = [views[s][i] for s, i in zip(numbers, inside, strict=True)]
        first = np.array(begins, np.int64)
        return Places(numbers, first, np.array(ends, np.int64) - first)

    def gather(self, places: Places) -> NDArray[np.uint8]:
        """The tokens of records, one after the other, each between <cls> and <eos>.

        Slices are joined: a third of the time of an index per token (`benchmarks/`).

        Returns:
            Writable tokens, shape (sum of lengths + 2 per record,).
        """
        views, ends = self._token_views, (places.begins + places.lengths).tolist()
        slices = zip(places.shards, places.begins.tolist(), ends, strict=True)
        inner = _BETWEEN.join([views[s][begin:end] for s, begin, end in slices])
        flat = np.empty(len(inner) + 2, np.uint8)
        flat[0], flat[-1] = CLS, EOS
        flat[1:-1] = np.frombuffer(inner, np.uint8)
        return flat

    # ------------------------------------------------------------------------------------- maps
    @cached_property
    def _first_records(self) -> NDArray[np.int64]:
        counts = [shard["records"] for shard in self.meta["shards"]]
        return np.concatenate(([0], np.cumsum(counts))).astype(np.int64)

    @cached_property
    def _tokens(self) -> list[NDArray[np.uint8]]:
        return [self._map(f"tokens-{shard:05}.u8", "u1") for shard in range(self.num_shards)]

    @cached_property
    def _offsets(self) -> list[NDArray[np.int64]]:
        return [self._map(f"offsets-{shard:05}.i64", "<i8") for shard in range(self.num_shards)]

    @cached_property
    def _token_views(self) -> list[memoryview]:
        return [tokens.data for tokens in self._tokens]

    @cached_property
    def _offset_views(self) -> list[memoryview]:
        return [offsets.data for offsets in self._offsets]

    def _map(self, name: str, kind: str) -> NDArray[Any]:
        return np.asarray(np.memmap(self.folder / name, kind, "r"))
