"""What a solution says at points: fields, residuals, derived numbers, and the files they are in."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ansatz.core.artifacts import atomic
from ansatz.mesh.vtkpoints import add_point_data
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
        mesh: A file of VTK whose points were asked about; it is written with the fields.
    """

    picture: bool = True
    contours: int = 0
    vtk: bool = False
    mesh: Path | None = None


@dataclass(frozen=True)
class FieldAnswer:
    """What a solution says at points.

    Attributes:
        place: The inputs at all points, by name.
        fields: Values by name; not a number outside of the shapes.
        residuals: How far each equation is from being fulfilled, by name; not a number where it
            does not have to be.
        quantities: Derived numbers by name.
        space: The inputs that are coordinates of space.
        grid: Shape of the grid that the points are; empty if they are none.
        files: What `save` writes.
    """

    place: Mapping[str, Array]
    fields: Mapping[str, Array]
    residuals: Mapping[str, Array]
    quantities: Mapping[str, Number]
    space: tuple[str, ...]
    grid: tuple[int, ...] = ()
    files: Files = field(default_factory=Files)

    def summary(self) -> dict[str, float | int | str]:
        """Derived numbers, extremes of the fields, and the rms of each residual."""
        row: dict[str, float | int | str] = {"points": len(next(iter(self.place.values())))}
        for name, number in self.quantities.items():
            row[name] = number.value
            if number.error is not None:
                row[f"{name}_error"] = number.error
        for name, values in self.fields.items():
            row |= {
                f"{name}_min": float(np.nanmin(values)),
                f"{name}_max": float(np.nanmax(values)),
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
        """Write `stem.npz` and `stem.csv`, and what else is wanted: a picture, files of VTK."""
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
        if self.files.mesh is not None:
            written.append(folder / f"{stem}{self.files.mesh.suffix}")
            add_point_data(self.files.mesh, written[-1], point_data(self.values))
        elif self.files.vtk:
            hidden = np.isnan(next(iter(self.fields.values())))
            written += write_vtk(
                folder / stem, self.place, self.space, self.grid, self.values, hidden
            )
        return written


def word(name: str) -> str:
    """A name without blanks."""
    return name.replace(" ", "_")
