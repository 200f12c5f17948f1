import base64
import io
import re

import matplotlib.image
import numpy as np
import pytest

from ansatz.report.gallery import panels
from ansatz.report.pictures import Scale


def picture(height, width, seed=0):
    rng = np.random.default_rng(seed)
    pixels = rng.integers(0, 256, (height, width, 4), dtype=np.uint8)
    pixels[..., 3] = 255
    return pixels


def boxes(svg):
    """Width and height of the pictures in a figure."""
    tags = re.findall(r"<image [^>]*>", svg)
    return [
        tuple(float(re.search(rf' {k}="([\d.]+)"', t)[1]) for k in ("width", "height"))
        for t in tags
    ]


def test_a_figure_holds_its_pictures_pixel_by_pixel():
    original = picture(30, 50)
    figure = panels([original], [""], width=100)
    data = re.search(r"data:image/png;base64,([^\"]+)", figure.data)[1]
    stored = matplotlib.image.imread(io.BytesIO(base64.b64decode(data)), format="png")
    np.testing.assert_array_equal(
        np.rint(stored * 255).astype(np.uint8)[..., :3], original[..., :3]
    )


def test_pictures_of_one_row_are_equally_high_and_undistorted():
    figure = panels([picture(100, 300), picture(100, 100), picture(50, 50)], list("abc"), columns=2)
    (wide, h1), (square, h2), (last, h3) = boxes(figure.data)
    assert h1 == pytest.approx(h2, abs=1)
    assert wide / h1 == pytest.approx(3, rel=0.01)
    assert square / h2 == pytest.approx(1, rel=0.01)
    assert last == pytest.approx(h3, abs=1)
    assert h3 <= h1 + 1


def test_titles_and_scales_are_text_and_escaped():
    scale = Scale("a < b", 0.0, 2.0)
    figure = panels([picture(9, 9)] * 2, ["<i>", "two"], scales=[scale, None], caption="see")
    assert "&lt;i&gt;" in figure.data
    assert "a &lt; b" in figure.data
    assert figure.caption == "see"


def test_a_png_has_two_pixels_for_one():
    figure = panels([picture(40, 80)], [""], width=120, form="png")
    shape = matplotlib.image.imread(io.BytesIO(figure.data), format="png").shape
    assert shape == (120, 240, 4)


def test_titles_that_are_missing_are_noticed():
    with pytest.raises(ValueError, match="2 pictures, 1 titles"):
        panels([picture(9, 9)] * 2, ["one"])
