"""Render the embedded pictures of `image/emoji` from the SVG files of four styles.

    cd SOURCE
    npm pack @iconify-json/fluent-emoji-flat@1.2.6 @iconify-json/fluent-emoji@1.2.7 \
        @iconify-json/noto@1.2.9 @iconify-json/twemoji@1.2.5 emojibase-data@17.0.0
    pip install resvg-py==0.5.0
    python -m ansatz.image.emoji.rendering SOURCE src/ansatz/image/embedded/emoji

Taken are the emoji of emojibase that all four styles have, without skin tones: those are variants
of an emoji there. A picture is drawn on white, not kept with its transparency: a model then learns
three channels that can be looked at and compared as they are, at half the bytes. White parts at
the rim of a glyph have no edge on white. The same packages and versions give the same bytes.
"""

import base64
import hashlib
import importlib
import io
import json
import sys
import tarfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from ansatz.core.artifacts import atomic
from ansatz.image.emoji.names import LANGUAGES, Name, table
from ansatz.image.emoji.sheets import SIDE, Pixels, lossless, sheet

HAIR = "component"  # group of skin tones and hair, which are no emoji of their own


@dataclass(frozen=True)
class Package:
    """A package of the npm registry.

    Attributes:
        file: As `npm pack` names it.
        sha512: Of the file, in base64, as the registry gives it.
    """

    file: str
    sha512: str

    def read(self, folder: Path, *paths: str) -> list[Any]:
        """The JSON files at some paths.

        Raises:
            FileNotFoundError: If the package is not in the folder.
            ValueError: If it is another version.
        """
        content = (folder / self.file).read_bytes()
        found = base64.b64encode(hashlib.sha512(content).digest()).decode()
        if found != self.sha512:
            raise ValueError(
                f"{folder / self.file} has the SHA-512 {found}, expected {self.sha512}: get the "
                "version that `npm pack` is given in ansatz.image.emoji.rendering"
            )
        with tarfile.open(fileobj=io.BytesIO(content)) as archive:
            members = [archive.extractfile(f"package/{path}") for path in paths]
            return [json.loads(member.read()) for member in members if member]


FLAT = Package(
    "iconify-json-fluent-emoji-flat-1.2.6.tgz",
    "RY47RgPb47fYUiyrA64sIOL0+UU02s29sXpNBbIQRBUlPlfNFTKUmZDERGuxDs/7yNGWqQYvuaSYM1M4fRXlUw==",
)
FLUENT = Package(
    "iconify-json-fluent-emoji-1.2.7.tgz",
    "D8G6bKAyIsyxP1rzZtIWr/gg/fO4Rg1+DyCWlfqKK4h8W+4Em/Y0P6QYgJUQTlUcagzJvSyg+9OBv4hz4Hc/QA==",
)
NOTO = Package(
    "iconify-json-noto-1.2.9.tgz",
    "DQiuXENbun41ch+XPSV55H9FaWKpHTyz46YIKtSaKYD4fIDDzL1tR6H4np/T38jfrTAeI3rcKF0mqHYeZVAuaw==",
)
TWEMOJI = Package(
    "iconify-json-twemoji-1.2.5.tgz",
    "uKpuIEV0v6K5BW3Mjdyl+XKFVAbbcPxAgifKvEMtZoUZB5+YiY5zaMm2uNNCxyXzAWU9yNLlj41WU6/mvgALsw==",
)
EMOJIBASE = Package(
    "emojibase-data-17.0.0.tgz",
    "Yvgb5AWoHViHV/gq1qr5ZAarcBip+B27/ZLRsUJkbgAEaLlZ/fof9g882LTpmEpyhBNEC0m2SEmItljHsTygjA==",
)
# A style, the package of its pictures, and the one that says which emoji a picture is of: Fluent
# has none, and the same names as its flat sister.
PACKAGES = {
    "flat": (FLAT, FLAT),
    "fluent": (FLUENT, FLAT),
    "noto": (NOTO, NOTO),
    "twemoji": (TWEMOJI, TWEMOJI),
}


@dataclass(frozen=True)
class Icons:
    """The pictures of a style, as Iconify keeps them.

    Attributes:
        found: Icons, and the width and height of those that do not say theirs.
        keys: Names of icons by code points, lower case, without FE0F.
    """

    found: Mapping[str, Any]
    keys: Mapping[str, str]

    def key(self, code: str) -> str | None:
        """The name of an emoji's icon, if there is one."""
        plain = code.lower().replace("-fe0f", "")
        key = self.keys.get(code.lower(), self.keys.get(plain, ""))
        return key if key in self.found["icons"] else None

    def svg(self, key: str) -> str:
        """A file of 32 x 32 pixels; what is not square is centered."""
        icon = self.found["icons"][key]
        width, height = (icon.get(side, self.found[side]) for side in ("width", "height"))
        return (
            '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
            f'width="{SIDE}" height="{SIDE}" viewBox="0 0 {width} {height}">{icon["body"]}</svg>'
        )


def render(source: Path, folder: Path) -> Iterator[Path]:
    """Write the table of names and a sheet for each style.

    Args:
        source: Folder of the packages.
        folder: Of the files to write.

    Yields:
        The path of each file, when it is written.
    """
    styles = {style: icons(source, *packages) for style, packages in PACKAGES.items()}
    names = [
        name
        for name in read_emojibase(source)
        if all(drawn.key(name.code) for drawn in styles.values())
    ]
    yield written(folder / "names.tsv.gz", table(names))
    for style, drawn in styles.items():
        keys = [drawn.key(name.code) or "" for name in names]
        pictures = np.stack([draw(drawn.svg(key)) for key in keys])
        yield written(folder / f"{style}.webp", lossless(sheet(pictures)))


def icons(source: Path, pictures: Package, codes: Package) -> Icons:
    """The pictures of a style."""
    return Icons(*pictures.read(source, "icons.json"), *codes.read(source, "chars.json"))


def read_emojibase(source: Path) -> list[Name]:
    """All emoji with their names, in the order of Unicode's charts."""
    paths = [f"{language}/data.json" for language in LANGUAGES]
    groups, *tables = EMOJIBASE.read(source, "meta/groups.json", *paths)
    translated = [{entry["hexcode"]: entry for entry in one} for one in tables]
    names = []
    for entry in sorted(tables[0], key=lambda entry: entry.get("order", 0)):
        group = groups["groups"].get(str(entry.get("group")), HAIR)
        if group != HAIR:
            entries = dict(
                zip(LANGUAGES, (one[entry["hexcode"]] for one in translated), strict=True)
            )
            names.append(
                Name(
                    entry["hexcode"],
                    group,
                    {language: one["label"] for language, one in entries.items()},
                    {language: tuple(one.get("tags", ())) for language, one in entries.items()},
                )
            )
    return names


def draw(svg: str) -> Pixels:
    """A picture on white, shape (32, 32, 3)."""
    resvg = importlib.import_module("resvg_py")
    png = resvg.svg_to_bytes(svg_string=svg, background="#ffffff", skip_system_fonts=True)
    return np.asarray(Image.open(io.BytesIO(bytes(png))).convert("RGB"))


def written(path: Path, content: bytes) -> Path:
    """Write a file."""
    with atomic(path) as part:
        part.write_bytes(content)
    return path


if __name__ == "__main__":
    for made in render(Path(sys.argv[1]), Path(sys.argv[2])):
        content = made.read_bytes()
        print(f"{made} {len(content):,} bytes {hashlib.sha256(content).hexdigest()}")
