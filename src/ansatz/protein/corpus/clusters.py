"""Clusters of similar sequences, and drawing from them as ESM-2 was trained.

UniRef nests: members within UniRef90 clusters (90 % identity) within UniRef50 clusters. ESM-2 draws
a UniRef50 cluster, uniformly, and then one of its UniRef90 representatives (Lin et al., 2023,
supplement A.1). Here a file has a line per member,

    rep50 <tab> rep90 <tab> member      or      representative <tab> member

and becomes compressed rows: the records that may be drawn from cluster c are
members[starts[c] : starts[c + 1]]. With three columns these are the members that are a rep90, with
two all of them, and all records of a cluster that would have none otherwise.

Lines and records are joined by 64-bit hashes of ids, 24 bytes per line in memory and no Python
object per line. Among 200 million ids, a collision has a probability of 1e-3 and would put one
record into a wrong cluster.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ansatz.core.artifacts import atomic
from ansatz.protein.corpus.order import Words, below, random_words, shuffled
from ansatz.protein.corpus.reading import open_text
from ansatz.protein.corpus.splits import id_hashes, read_numbers

_NAMES = ("starts", "members", "of_record", "representatives")
_MEMBER = 1  # purpose of random words
_HEADERS = ("rep50", "representative", "cluster", "cluster_id")


@dataclass(frozen=True)
class Clusters:
    """Clusters of the records of a corpus.

    Attributes:
        starts: Where clusters begin in `members`, and the end; shape (clusters + 1,).
        members: Records that may be drawn, cluster by cluster.
        of_record: The cluster of each record.
        representatives: `id_hashes` of the representatives; they decide about splits.
        unlisted: Records that the file does not name; each is a cluster of its own.
        contradictions: Lines that put a member into another cluster than a line before.
    """

    starts: NDArray[np.int64]
    members: NDArray[np.int64]
    of_record: NDArray[np.int64]
    representatives: Words
    unlisted: int = 0
    contradictions: int = 0

    def __len__(self) -> int:
        return len(self.starts) - 1

    def draw(self, clusters: NDArray[np.int64], words: Words) -> NDArray[np.int64]:
        """A member of each cluster, chosen by a random 64-bit number."""
        starts = self.starts[clusters]
        sizes = self.starts[clusters + 1] - starts
        drawn: NDArray[np.int64] = self.members[starts + below(sizes, words)]
        return drawn


def draw_records(
    positions: NDArray[np.int64], split: NDArray[np.int64], seed: int
) -> NDArray[np.int64]:
    """Records at positions of the shuffled order of a split."""
    return split[shuffled(positions, len(split), seed)]


def draw_members(
    positions: NDArray[np.int64], clusters: Clusters, split: NDArray[np.int64], seed: int
) -> NDArray[np.int64]:
    """A member, drawn anew each epoch, of the clusters at positions of the order of a split."""
    chosen = split[shuffled(positions, len(split), seed)]
    return clusters.draw(chosen, random_words(seed, _MEMBER, positions))


@dataclass(frozen=True)
class Lines:
    """The lines of a cluster file, as `id_hashes`."""

    representatives: Words
    members: Words
    is_drawn: NDArray[np.bool_]


def read_lines(path: Path) -> Lines:
    """Read a cluster file, plain or compressed.

    Raises:
        ValueError: If a line has not as many columns as the first, or not two or three.
    """
    parts: list[Lines] = []
    columns, number = 0, 1
    with open_text(path) as text:
        for block in _whole_lines(text.chunks):
            lines = block.decode("utf-8", "surrogateescape").rstrip("\r\n").split("\n")
            rows = [line.split() for line in lines]
            columns = columns or len(rows[0])
            for index, row in enumerate(rows):
                if len(row) != columns or columns not in (2, 3):
                    raise ValueError(
                        f"{path.name}, line {number + index}: expected two or three columns, as in "
                        f"the first line, got {lines[index][:60]!r}"
                    )
            if number == 1 and rows[0][0].lower() in _HEADERS:
                rows = rows[1:]
            number += len(lines)
            names = list(zip(*rows, strict=True)) or [()] * columns
            hashes = [id_hashes(list(column)) for column in names]
            is_drawn = hashes[1] == hashes[2] if columns == 3 else np.ones(len(rows), bool)
            parts.append(Lines(hashes[0], hashes[-1], is_drawn))
    if not parts:
        raise ValueError(f"{path.name} is empty: expected a line per member of a cluster")
    return Lines(
        np.concatenate([part.representatives for part in parts]),
        np.concatenate([part.members for part in parts]),
        np.concatenate([part.is_drawn for part in parts]),
    )


def group(records: Words, lines: Lines) -> Clusters:
    """Join the records of a corpus with the lines of a cluster file.

    Args:
        records: `id_hashes` of all records.
        lines: Of the file.
    """
    order = np.argsort(lines.members, kind="stable")
    members = lines.members[order]
    at = np.minimum(np.searchsorted(members, records), len(members) - 1)
    is_listed = members[at] == records
    line = order[at]
    # A record that is not listed may be a representative: then it belongs to its cluster.
    cluster = np.where(is_listed, lines.representatives[line], records)
    is_drawn = np.where(is_listed, lines.is_drawn[line], True)
    again = members[1:] == members[:-1]
    others = lines.representatives[order][1:] != lines.representatives[order][:-1]

    hashes, first, of_record = np.unique(cluster, return_index=True, return_inverse=True)
    by_first = np.argsort(first)  # clusters are numbered as their first records are
    rank = np.empty_like(by_first)
    rank[by_first] = np.arange(len(by_first))
    of_record = rank[of_record]
    has_drawn = np.bincount(of_record, weights=is_drawn, minlength=len(hashes)) > 0
    drawn = np.flatnonzero(is_drawn | ~has_drawn[of_record])
    starts = np.cumsum(np.bincount(of_record[drawn], minlength=len(hashes)))
    return Clusters(
        starts=np.concatenate(([0], starts)),
        members=drawn[np.argsort(of_record[drawn], kind="stable")],
        of_record=of_record,
        representatives=hashes[by_first],
        unlisted=int((~is_listed).sum()),
        contradictions=int((again & others).sum()),
    )


def write_clusters(folder: Path, clusters: Clusters) -> None:
    """Write the arrays beside a corpus."""
    for name in _NAMES:
        with atomic(folder / f"clusters-{name}.i64") as part:
            getattr(clusters, name).view(np.int64).astype("<i8").tofile(part)


def read_clusters(folder: Path) -> Clusters:
    """Map the arrays that `write_clusters` wrote.

    Raises:
        FileNotFoundError: If there are none.
    """
    starts, members, of_record, hashes = (
        read_numbers(folder / f"clusters-{name}.i64") for name in _NAMES
    )
    return Clusters(starts, members, of_record, hashes.view(np.uint64))


def _whole_lines(chunks: Iterator[bytes]) -> Iterator[bytes]:
    rest = b""
    for chunk in chunks:
        text = rest + chunk
        cut = text.rfind(b"\n") + 1
        rest = text[cut:]
        if cut:
            yield text[:cut]
    if rest:
        yield rest
