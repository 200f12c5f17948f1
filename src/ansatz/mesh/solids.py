"""What can be measured on triangles: size, volume, shadow, inside and outside.

Everything here is a plain sum or a scan: triangles are projected along an axis and sorted into
rows, and pairs of a triangle and a row (or a point) are worked through as arrays. Corners are
float32 as in STL files, and all arithmetic on them is float64.

Signed quantities take the outward side from the right-hand rule on the corners.
"""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from ansatz.mesh.stl import Solid, Triangles

Floats = NDArray[np.float64]
Indices = NDArray[np.intp]
Flags = NDArray[np.bool_]

# Rows and columns of a shadow. Its outline is rounded to half a column without bias and its rows
# are sampled at their middles: 2e-4 of the area in the worst case, a long edge along a row.
SHADOW_ROWS, SHADOW_COLUMNS = 1024, 4096
AFTER = np.array([1, 2, 0])  # the next of three corners or edges
PAIRS = 1 << 19  # worked on at a time: some 100 MB
SPANS = 1 << 14  # of a shadow, as they are united at once: what fits into a cache


def merged(solids: Sequence[Solid]) -> Triangles:
    """The triangles of all solids, in order, shape (n, 3, 3)."""
    return np.concatenate([solid.triangles for solid in solids])


def extent(triangles: Triangles) -> Floats:
    """Smallest and largest coordinates, shape (2, 3)."""
    corners = _axes_first(triangles)
    return np.stack([corners.min(axis=(0, 2)), corners.max(axis=(0, 2))]).astype(np.float64)


def area_vectors(triangles: Triangles) -> Floats:
    """Area times unit normal of each triangle, shape (n, 3)."""
    first, second, third = _axes_first(triangles).astype(np.float64)
    # Written out: np.cross takes twice as long.
    (x, y, z), (u, v, w) = second - first, third - first
    vectors: Floats = np.stack([y * w - z * v, z * u - x * w, x * v - y * u]).T / 2
    return vectors


def signed_volume(triangles: Triangles) -> float:
    """The enclosed volume; negative if normals point inwards (divergence theorem)."""
    # From the middle of the body: far from it, large terms of either sign would cancel.
    middle = extent(triangles).mean(axis=0)
    heights = (triangles[:, 0] - middle) * area_vectors(triangles)
    return float(heights.sum() / 3)


def frontal_area(solids: Sequence[Solid], ground: float = -np.inf) -> float:
    """The area of the shadow that the solids cast along x on the y-z plane.

    Args:
        solids: Open or closed, overlapping or not: what is hidden counts once.
        ground: Only what lies above this z counts.

    Returns:
        The area in squares of the unit of the solids, within 1e-3 of itself.
    """
    triangles = merged(solids)
    (_, left, low), (_, right, high) = extent(triangles)
    low = max(low, ground)
    if high <= low or right <= left:
        return 0.0
    # In units of columns and rows, where row i is sampled at i + 1/2.
    scale = np.array([SHADOW_COLUMNS / (right - left), SHADOW_ROWS / (high - low)])
    corners = (triangles[:, :, 1:] - [left, low]) * scale
    # Rows laid end to end, so that spans are intervals of one line.
    width = SHADOW_COLUMNS + 1
    begin, end = np.zeros((2, 0), np.intp)
    for row, first, last in _spans(corners, SHADOW_ROWS):
        begin, end = _union(
            np.append(begin, row * width + first), np.append(end, row * width + last)
        )
    return float((end - begin).sum() / scale.prod())


def inside(triangles: Triangles, points: Floats | Triangles) -> Flags:
    """Whether points lie inside of a closed surface.

    A ray from each point counts the surfaces that it leaves through minus those that it enters
    by: the winding number. Which triangle a ray through an edge or a corner belongs to is decided
    by a half-open rule on the projected corners, the same for all triangles that share them, so
    that no ray slips through or is counted twice.

    Args:
        triangles: Closed and consistently oriented, in either sense; may consist of several
            bodies that overlap, which count as their union.
        points: Shape (n, 3). Those on the surface may be given either answer.

    Returns:
        One flag for each point, shape (n,).
    """
    low, high = extent(triangles)
    # Along the shortest extent the fewest triangles lie over one another.
    depth = int(np.argmin(high - low))
    axes = [(depth + 1) % 3, (depth + 2) % 3, depth]
    found = np.zeros(len(points), np.bool_)
    within = np.ones(len(points), np.bool_)
    for place, least, most in zip(points.T, low, high, strict=True):
        within &= (place >= least) & (place <= most)
    near = np.flatnonzero(within)
    if len(near):
        corners = triangles[:, :, axes].astype(np.float64)
        candidates = points[near][:, axes].astype(np.float64)
        found[near] = _winding(corners, candidates) != 0
    return found


def subdivide(triangles: Triangles, longest: float) -> tuple[Triangles, Indices]:
    """Split triangles until no edge is longer than a length.

    The longest edge of a triangle is halved until it is short enough. Only edges that are too long
    are split, and always at their middle, so neighbors agree about their common edge: what was
    closed stays closed, and areas and normals stay what they were, to rounding.

    Args:
        triangles: Shape (n, 3, 3).
        longest: The largest length of an edge in the result.

    Returns:
        The pieces, shape (m, 3, 3), grouped by the triangle they come from, and the index of that
        triangle for each piece, shape (m,).

    Raises:
        ValueError: If the length is too small for the precision of the coordinates.
    """
    smallest = 16 * float(np.spacing(np.abs(triangles).max(initial=1e-6)))
    if not longest > smallest:
        raise ValueError(f"edges must be longer than {smallest:.2g} to be split, got {longest}")
    pieces, parents = [triangles[:0]], [np.zeros(0, np.intp)]
    rest, parent, squares = triangles, np.arange(len(triangles)), _squared_edges(triangles)
    while len(rest):
        is_long = squares.max(axis=0) > longest**2
        done, long = np.flatnonzero(~is_long), np.flatnonzero(is_long)
        pieces.append(_rows(rest, done))
        parents.append(parent[done])
        rest, squares = _halves(_rows(rest, long), squares.take(long, axis=1))
        parent = np.tile(parent[long], 2)
    all_parents = np.concatenate(parents)
    order = np.argsort(all_parents, kind="stable")
    return _rows(np.concatenate(pieces), order), all_parents[order]


def _rows(triangles: Triangles, index: Indices) -> Triangles:
    """Some of the triangles: four times as fast as by an index of all three axes."""
    rows: Triangles = triangles.reshape(-1, 9).take(index, axis=0).reshape(-1, 3, 3)
    return rows


def _squared_edges(triangles: Triangles) -> Floats:
    """Squared lengths of the edges from each corner to the next, shape (3, n)."""
    corners = _axes_first(triangles)
    return np.stack([_squared(corners[(i + 1) % 3] - corners[i]) for i in range(3)])


def _squared(edges: Triangles) -> Floats:
    """Squared lengths of vectors, axes first, shape (3, n)."""
    x, y, z = edges.astype(np.float64, order="C")
    squares: Floats = x * x + y * y + z * z
    return squares


def _axes_first(triangles: Triangles) -> Triangles:
    """Corners as (corner, axis, n), contiguous: ten times as fast to pass over."""
    corners: Triangles = np.ascontiguousarray(triangles.transpose(1, 2, 0))
    return corners


def _halves(triangles: Triangles, squares: Floats) -> tuple[Triangles, Floats]:
    """Both halves of each triangle, cut from the middle of its longest edge to the corner opposite.

    Args:
        triangles: Shape (n, 3, 3).
        squares: Squared lengths of the edges from each corner to the next, shape (3, n).

    Returns:
        First halves, then second ones, shape (2 n, 3, 3), and their squared lengths, (3, 2 n).
    """
    count = len(triangles)
    one, two, three = squares
    edge = np.where((one >= two) & (one >= three), 0, np.where(two >= three, 1, 2))
    # The corners, and the edges, from the longest edge on.
    steps = np.stack([edge, AFTER[edge], AFTER[AFTER[edge]]])
    a, b, c = triangles.reshape(-1, 3).take(3 * np.arange(count) + steps, axis=0)
    _, second, third = squares.ravel().take(count * steps + np.arange(count))
    middle = (a + b) / 2
    halves = np.empty((2, count, 3, 3), np.float32)
    halves[0, :, 0], halves[0, :, 1], halves[0, :, 2] = a, middle, c
    halves[1, :, 0], halves[1, :, 1], halves[1, :, 2] = middle, b, c
    # Two edges of each half are new, and one of these they share.
    across = _squared((c - middle).T)
    lengths = np.empty((3, 2, count))
    lengths[:, 0] = _squared((middle - a).T), across, third
    lengths[:, 1] = _squared((b - middle).T), second, across
    return halves.reshape(-1, 3, 3), lengths.reshape(3, -1)


def _spans(corners: Floats, rows: int) -> Iterator[tuple[Indices, Indices, Indices]]:
    """Row, first and last column of the spans that triangles cover at the middles of rows.

    Args:
        corners: Column and row of each corner, shape (n, 3, 2).
        rows: Rows from 0 on; what lies outside of them is left out.
    """
    order = np.argsort(corners[:, :, 1], axis=1)
    # From the lowest to the highest corner, shape (3, n).
    u, v = np.take_along_axis(corners, order[:, :, None], axis=1).transpose(2, 1, 0).copy()
    bounds = np.clip(np.ceil(v - 0.5), 0, rows).astype(np.intp)
    with np.errstate(divide="ignore", invalid="ignore"):  # edges along a row are never asked
        long = (u[2] - u[0]) / (v[2] - v[0])
        short = (u[1:] - u[:2]) / (v[1:] - v[:2])
    # One side of a span lies on the edge from the lowest to the highest corner, the other on the
    # edge below or above the corner between them: two parts of a triangle, in turn.
    for part in range(2):
        edges = np.stack([u[0], v[0], long, u[part], v[part], short[part]])
        for triangle, row in _expand(bounds[part], bounds[part + 1], SPANS):
            u_long, v_long, long_slope, u_short, v_short, short_slope = edges.take(triangle, axis=1)
            height = row + 0.5
            one = np.rint(u_long + (height - v_long) * long_slope)
            two = np.rint(u_short + (height - v_short) * short_slope)
            held = np.flatnonzero(one != two)
            one, two = one[held], two[held]
            begin = np.minimum(one, two).astype(np.intp)
            yield row[held], begin, np.maximum(one, two).astype(np.intp)


def _union(begin: Indices, end: Indices) -> tuple[Indices, Indices]:
    """Intervals that overlap or touch as one; empty ones are left out."""
    held = begin < end
    # As one number each, which are sorted faster than an index of them.
    both = np.sort(begin[held] << 32 | end[held])
    begin, reach = both >> 32, np.maximum.accumulate(both & 0xFFFFFFFF)
    gaps = begin[1:] > reach[:-1]
    return begin[np.append(True, gaps)[: len(begin)]], reach[np.append(gaps, True)[: len(begin)]]


def _winding(corners: Floats, points: Floats) -> Indices:
    """Winding number of closed triangles (n, 3, 3) around points (m, 3), by rays along axis 2."""
    low, high = points.min(axis=0), points.max(axis=0)
    rows = int(np.clip(np.sqrt(len(points)), 1, 1024))
    pitch = (high[1] - low[1]) / rows or 1.0
    width = 2 * (high[0] - low[0]) or 1.0

    def row_of(v: Floats) -> Indices:
        row: Indices = np.clip((v - low[1]) / pitch, 0, rows - 1).astype(np.intp)
        return row

    def key_of(row: Indices, u: Floats) -> Floats:
        key: Floats = row * width + (np.clip(u, low[0], high[0]) - low[0])
        return key

    # Points are sorted by row, and by u within a row: a triangle finds its candidates in a row as
    # one contiguous range. Rounding is monotonic, so that no candidate is lost.
    keys = key_of(row_of(points[:, 1]), points[:, 0])
    order = np.argsort(keys, kind="stable")
    keys, points = keys[order], points[order]
    first, second, third = corners.transpose(1, 0, 2)
    least = np.minimum(np.minimum(first, second), third)
    most = np.maximum(np.maximum(first, second), third)
    meets = ((least <= high) & (most >= low))[:, :2].all(axis=1) & (most[:, 2] >= low[2])
    corners, least, most = corners[meets], least[meets], most[meets]
    winding = np.zeros(len(points))
    for triangle, row in _expand(row_of(least[:, 1]), row_of(most[:, 1]) + 1):
        begin = np.searchsorted(keys, key_of(row, least[triangle, 0]), "left")
        end = np.searchsorted(keys, key_of(row, most[triangle, 0]), "right")
        for pair, point in _expand(begin, end):
            # Most pairs of a row are apart, or the triangle lies before the ray begins.
            owner, v = triangle[pair], points[point, 1]
            met = (least[owner, 1] <= v) & (v < most[owner, 1])
            met &= points[point, 2] < most[owner, 2]
            point = point[met]
            turns = _turns(corners, owner[met], points[point])
            winding += np.bincount(point, turns, len(points))
    unsorted = np.empty(len(points), np.intp)
    unsorted[order] = winding
    return unsorted


def _turns(corners: Floats, triangle: Indices, points: Floats) -> Indices:
    """What each pair of a triangle and a point adds to the winding number: +1, -1 or 0."""
    turns = np.zeros(len(triangle), np.intp)
    u, v, w = points.T
    for start, end in ((0, 1), (1, 2), (2, 0)):
        a, b = corners[:, start], corners[:, end]
        upward = b[:, 1] > a[:, 1]
        # From the lower to the upper end, whichever triangle asks: both neighbors at an edge
        # compute the same numbers and agree to the last bit on which side a point lies.
        lower = np.where(upward[:, None], a, b)[triangle]
        upper = np.where(upward[:, None], b, a)[triangle]
        level = (lower[:, 1] <= v) & (v < upper[:, 1])
        side = (upper[:, 0] - lower[:, 0]) * (v - lower[:, 1])
        side -= (upper[:, 1] - lower[:, 1]) * (u - lower[:, 0])
        turns += np.where(level & (side > 0), np.where(upward[triangle], 1, -1), 0)
    hit = np.flatnonzero(turns)
    turns[hit] *= _depth(corners[triangle[hit]], u[hit], v[hit]) > w[hit]
    return turns


def _depth(corners: Floats, u: Floats, v: Floats) -> Floats:
    """Where a line along axis 2 through (u, v) meets each triangle."""
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    drop = normals[:, 0] * (u - corners[:, 0, 0]) + normals[:, 1] * (v - corners[:, 0, 1])
    slope = np.divide(drop, normals[:, 2], out=np.zeros_like(u), where=normals[:, 2] != 0)
    # A triangle seen from its edge has a steep plane: rounding must not leave the triangle.
    depth: Floats = np.clip(
        corners[:, 0, 2] - slope, corners[:, :, 2].min(axis=1), corners[:, :, 2].max(axis=1)
    )
    return depth


def _expand(first: Indices, stop: Indices, pairs: int = PAIRS) -> Iterator[tuple[Indices, Indices]]:
    """Pairs (i, j) for every i and all j from first[i] to stop[i], in pieces of bounded size."""
    counts = np.maximum(stop - first, 0)
    ends = np.cumsum(counts)
    begin = 0
    while begin < len(counts):
        done = ends[begin - 1] if begin else 0
        end = max(int(np.searchsorted(ends, done + pairs, "right")), begin + 1)
        size = counts[begin:end]
        owner = np.repeat(np.arange(begin, end), size)
        offset = np.repeat(ends[begin:end] - size - done - first[begin:end], size)
        yield owner, np.arange(len(owner)) - offset
        begin = end
