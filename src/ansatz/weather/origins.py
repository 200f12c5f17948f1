"""Where the files of the pairs come from that the distribution does not carry.

They lie in public Git repositories, and are taken from there at one commit each. The lists of
`embedded/origins` have a line for each file: sha256, bytes, path.
"""

from importlib.resources import files

from ansatz.core.recipe import Manifest, RemoteFile

RAW = "https://raw.githubusercontent.com"
ORIGINALS, READY = "originals", "ready"  # groups of a manifest


def published(name: str, address: str, license: str, ready: tuple[str, ...]) -> Manifest:
    """The manifest of a list.

    Args:
        name: Of the list.
        address: What its paths are below.
        license: Of the data.
        ready: Files that stand for all the others. No public place has them, and a mirror that
            has them need not have the others: so each file is optional, and what is missing of
            the one or the other is for `prepare` to say.
    """
    lines = (files("ansatz.weather") / f"embedded/origins/{name}.txt").read_text().splitlines()
    originals = (line.split(maxsplit=2) for line in lines)
    return Manifest(
        address,
        (
            *(
                RemoteFile(path, ORIGINALS, int(size), sha256, required=False)
                for sha256, size, path in originals
            ),
            *(RemoteFile(path, READY, required=False) for path in ready),
        ),
        license,
    )


UK2KM = published(
    "uk2km",
    RAW,  # two repositories
    "CC-BY-4.0, Crown copyright, Met Office; altitudes BSD-3-Clause, pvlib",
    ("uk2km.nc",),
)
HRRR3KM = published(
    "hrrr3km",
    f"{RAW}/USDA-ARS-NWRC/weather_forecast_retrieval/d1df41a0b06b6484b4a74e7fd0a364505bc1cfc1",
    "CC0-1.0, NOAA/NCEP",
    ("hrrr3km.nc",),
)
AROME25 = published(
    "arome25",
    f"{RAW}/meteofrance/meteonet/e1d7e61abe4b9b6611aa1b7281a1489d75fa7773",
    "Licence Ouverte 2.0, Meteo-France, MeteoNet",
    ("arome25_nw.nc", "arome25_se.nc"),
)
