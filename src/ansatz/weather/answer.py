"""What the model says of one time: an ensemble of fine fields, and the files that it is in.

stem.nc    the ensemble with its input, and the truth where it is known
stem.png   for each output its coarse field, the mean, a member, the spread, and the truth
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ansatz.weather.channels import Channels, labels

Float32 = NDArray[np.float32]


@dataclass(frozen=True)
class Truth:
    """The fine fields that were.

    Attributes:
        fine: Shape (outputs, H, W), in the units of the channels.
        time: ISO 8601, UTC.
        region: Where.
        member: Of the ensemble of the truth's own model.
        store: Where it is kept, with the fields of the other splits; None if the user gave it.
    """

    fine: Float32
    time: str = ""
    region: str = ""
    member: int = 0
    store: Path | None = None


@dataclass(frozen=True)
class Ensemble:
    """Fine fields that may have been, given the coarse ones. Row 0 is the southern edge.

    Attributes:
        members: Shape (members, outputs, H, W), in the units of the channels.
        mean: What the first stage says, shape (outputs, H, W).
        coarse: What was given, shape (inputs, h, w).
        channels: What the fields are.
        time: ISO 8601, UTC; empty if nobody said.
        region: Where.
        lat, lon: Of the fine cells, degrees, shape (H, W); None if nobody said.
        evaluations: Of networks, for one member, the mean included.
        seconds: That the device took for all.
        truth: The fine fields that were, shape (outputs, H, W), where the input brought them.
    """

    members: Float32
    mean: Float32
    coarse: Float32
    channels: Channels
    time: str = ""
    region: str = ""
    lat: Float32 | None = None
    lon: Float32 | None = None
    evaluations: int = 0
    seconds: float = 0.0
    truth: Float32 | None = None

    @property
    def spread(self) -> Float32:
        """Standard deviation of the members, shape (outputs, H, W); 0 if there is only one."""
        several = len(self.members) > 1
        found: Float32 = self.members.std(0, ddof=1) if several else np.zeros_like(self.members[0])
        return found

    def summary(self) -> dict[str, float | int | str]:
        """Per output mean, spread and extremes; what it cost."""
        row: dict[str, float | int | str] = {"time": self.time, "members": len(self.members)}
        variance = np.square(self.spread, dtype=np.float64).mean((1, 2))
        for place, label in enumerate(labels(self.channels.outputs)):
            field = self.members[:, place]
            row |= {
                f"{label}_mean": float(field.mean(dtype=np.float64)),
                f"{label}_spread": float(np.sqrt(variance[place])),
                f"{label}_min": float(field.min()),
                f"{label}_max": float(field.max()),
            }
        return row | {"evaluations": self.evaluations, "seconds": self.seconds}

    def save(self, folder: Path, stem: str) -> list[Path]:
        """Write `stem.nc` and `stem.png`.

        Raises:
            OSError: If the disk refuses.
        """
        from ansatz.weather.maps import write_maps
        from ansatz.weather.netcdf import write_ensemble

        files = [folder / f"{stem}.nc", folder / f"{stem}.png"]
        write_ensemble(self, files[0])
        write_maps(self, files[1])
        return files
