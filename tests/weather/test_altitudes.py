import numpy as np
import pytest

from ansatz.weather.altitudes import altitudes

h5py = pytest.importorskip("h5py")
pytest.importorskip("xarray")


def test_bytes_are_steps_of_28_meters_on_cells_from_the_north_pole(tmp_path):
    stored = np.full((4, 8), 255, np.uint8)
    stored[0, 0], stored[2, 5] = 16, 254
    with h5py.File(tmp_path / "Altitude.h5", "w") as file:
        file["Altitude"] = stored
    found = altitudes(tmp_path / "Altitude.h5")["altitude"]
    assert float(found.sel(lat=67.5, lon=-157.5)) == -2
    assert float(found.sel(lat=-22.5, lon=67.5)) == 28 * 254 - 450
    assert (found.to_numpy() != 0).sum() == 2  # there is none at sea
    assert found.attrs["units"] == "m"
