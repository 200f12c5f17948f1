"""From packages to sheets, with packages of two emoji that are made here."""

import base64
import hashlib
import io
import json
import tarfile
from dataclasses import replace

import numpy as np
import pytest

from ansatz.image.emoji import rendering
from ansatz.image.emoji.names import LANGUAGES, read_names
from ansatz.image.emoji.rendering import Icons, Package
from ansatz.image.emoji.sheets import read_sheet

RED = '<path fill="#ff0000" d="M0 0h32v32H0z"/>'
LEFT = '<path fill="#0000ff" d="M0 0h16v32H0z"/>'


def pack(folder, name, contents):
    """A package of JSON files, as `npm pack` writes one."""
    with tarfile.open(folder / name, "w:gz") as archive:
        for path, content in contents.items():
            data = json.dumps(content).encode()
            member = tarfile.TarInfo(f"package/{path}")
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    digest = hashlib.sha512((folder / name).read_bytes()).digest()
    return Package(name, base64.b64encode(digest).decode())


def entry(code, label, order, group=3):
    return {"hexcode": code, "label": label, "order": order, "group": group, "tags": ["tag"]}


@pytest.fixture
def packages(tmp_path, monkeypatch):
    icons = {"icons": {"red": {"body": RED}, "left": {"body": LEFT}}, "width": 32, "height": 32}
    codes = {"1f534": "red", "2b05": "left"}
    style = pack(tmp_path, "style.tgz", {"icons.json": icons, "chars.json": codes})
    poor = {"icons.json": icons, "chars.json": {**codes, "1f535": "gone"}}
    texts = {
        f"{language}/data.json": [
            entry("1F535", f"absent {language}", 0),
            entry("2B05-FE0F", f"left {language}", 2),
            entry("1F534", f"red {language}", 1),
            entry("1F9B0", f"hair {language}", 3, group=2),
        ]
        for language in LANGUAGES
    }
    groups = {"groups": {"2": "component", "3": "animals-nature"}}
    monkeypatch.setattr(
        rendering, "EMOJIBASE", pack(tmp_path, "names.tgz", {"meta/groups.json": groups, **texts})
    )
    other = pack(tmp_path, "other.tgz", poor)
    monkeypatch.setattr(rendering, "PACKAGES", {"one": (style, style), "two": (style, other)})
    return tmp_path


def test_emoji_of_all_styles_are_drawn_in_the_order_of_the_charts(packages, monkeypatch, tmp_path):
    def draw(svg):
        color = (255, 0, 0) if RED in svg else (0, 0, 255)
        return np.full((32, 32, 3), color, np.uint8)

    monkeypatch.setattr(rendering, "draw", draw)
    written = list(rendering.render(packages, tmp_path / "made"))
    assert [path.name for path in written] == ["names.tsv.gz", "one.webp", "two.webp"]
    names = read_names(written[0])
    assert [name.code for name in names] == ["1F534", "2B05-FE0F"]
    assert names[0].labels == {one: f"red {one}" for one in LANGUAGES}
    assert names[0].tags["zh"] == ("tag",)
    pictures = read_sheet(written[1], 2)
    assert (pictures[0] == (255, 0, 0)).all()
    assert (pictures[1] == (0, 0, 255)).all()
    before = [path.read_bytes() for path in written]
    assert [p.read_bytes() for p in rendering.render(packages, tmp_path / "made")] == before


def test_another_version_of_a_package_is_refused(packages):
    package = replace(rendering.EMOJIBASE, sha512="AAAA")
    with pytest.raises(ValueError, match=r"has the SHA-512 .*, expected AAAA"):
        package.read(packages, "en/data.json")


def test_pictures_that_are_not_square_keep_their_shape():
    icons = Icons({"icons": {"tall": {"body": RED, "height": 33}}, "width": 32, "height": 32}, {})
    assert 'width="32" height="32" viewBox="0 0 32 33"' in icons.svg("tall")


def test_a_half_is_drawn_where_it_is():
    pytest.importorskip("resvg_py")
    icons = Icons({"icons": {"left": {"body": LEFT}}, "width": 32, "height": 32}, {})
    picture = rendering.draw(icons.svg("left"))
    assert (picture[:, :16] == (0, 0, 255)).all()
    assert (picture[:, 16:] == 255).all()
