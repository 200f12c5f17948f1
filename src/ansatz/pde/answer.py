"""What a solution says at points: fields, residuals, derived numbers, and the files they are in."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ansatz.core.artifacts import atomic
from ansatz.mesh.vtkpoints import KINDS, add_point_data
from ansatz.pde.export import point_data, write_vtk
from ansatz.pde.painting import field_picture
from ansatz.pde.quantities import Number

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Files:
    """Which files of an answer are wanted, beside its numbers.

    Attributes:
        picture: Whether a picture is drawn of a grid.
        contours: Lines of equal values in it.
        vtk: Whether files for ParaView are written.
        source: The file whose points were asked about. A mesh is written again, with the fields.
    """

    picture: bool = True
    contours: int = 0
    vtk: bool = False
    source: Path | None = None


@dataclass(frozen=True)
class FieldAnswer:
    """What a solution says at points.

    Attributes:
        place: The inputs at all points, by name.
        fields: Values by name; not a number outside of the shapes.
        residuals: How far each equation is from being fulfilled, by name; not a number where it
            does not have to be.
        outside: Points that are outside of the shapes.
        quantities: Derived numbers by name.
        space: The inputs that are coordinates of space.
        grid: Shape of the grid that the points are; empty if they are none.
        files: What `save` writes.
    """

    place: Mapping[str, Array]
    fields: Mapping[str, Array]
    residuals: Mapping[str, Array]
    outside: NDArray[np.bool_]
    quantities: Mapping[str, Number]
    space: tuple[str, ...]
    grid: tuple[int, ...] = ()
    files: Files = field(default_factory=Files)

    def summary(self) -> dict[str, float | int | str]:
        """Derived numbers, extremes of the fields, and the rms of each residual."""
        inside = ~self.outside
        row: dict[str, float | int | str] = {"points": len(inside), "outside": int((~inside).sum())}
        for name, number in self.quantities.items():
            row[name] = number.value
            if number.error is not None:
                row[f"{name}_error"] = number.error
        for name, values in self.fields.items():
            row |= {
                f"{name}_min": float(values[inside].min()),
                f"{name}_max": float(values[inside].max()),
            }
        for name, values in self.residuals.items():
            known = values[np.isfinite(values)]
            row[f"rms_{word(name)}"] = float(np.sqrt(np.mean(known**2))) if len(known) else np.nan
        return row

    @property
    def values(self) -> dict[str, Array]:
        """Fields and residuals, by the names that they have in files."""
        return {**self.fields, **{f"residual_{word(n)}": r for n, r in self.residuals.items()}}

    def save(self, folder: Path, stem: str) -> list[Path]:
        """Write `stem.npz` and `stem.csv`, and what else is wanted: a picture, files of VTK.

        Raises:
            ValueError: If that would take the place of the points that were asked about.
            OSError: If the disk refuses.
        """
        source = self.files.source
        if source is not None and source.resolve().with_suffix("") == (folder / stem).resolve():
            raise ValueError(
                f"the answer would take the place of {source}, where the points are: give another "
                "folder, by --out"
            )
        folder.mkdir(parents=True, exist_ok=True)
        columns = {**self.place, **self.values}
        written = [folder / f"{stem}.npz", folder / f"{stem}.csv"]
        with atomic(written[0]) as part:
            np.savez_compressed(part, allow_pickle=False, **columns)
        with atomic(written[1]) as part:
            table = np.stack([np.asarray(c) for c in columns.values()], 1)
            np.savetxt(part, table, "%.9g", ",", header=",".join(columns), comments="")
        if self.files.picture and self.grid:
            written.append(folder / f"{stem}.png")
            picture = field_picture(
                self.place, self.fields, self.grid, self.space, self.files.contours
            )
            with atomic(written[-1]) as part:
                part.write_bytes(picture)
        if source is not None and source.suffix.lower() in KINDS:
            written.append(folder / f"{stem}{source.suffix}")
            add_point_data(source, written[-1], point_data(self.values))
        elif self.files.vtk:
            written += write_vtk(
                folder / stem, self.place, self.space, self.grid, self.values, self.outside
            )
        return written


def word(name: str) -> str:
    """A name without blanks and commas, as the header of a table has it."""
    return re.sub(r"[\s,]+", "_", name)
