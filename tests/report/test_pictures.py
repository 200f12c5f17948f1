import matplotlib
import numpy as np
import pytest

from ansatz.report.pictures import VIEWS, Scale, render

SCALE = Scale("value", 0.0, 1.0, "viridis")


def card(x):
    """A square of two triangles across x."""
    a, b, c, d = [x, 0, 0], [x, 1, 0], [x, 1, 1], [x, 0, 1]
    return [[a, b, c], [a, c, d]]


def hue(pixel):
    """A color without its brightness."""
    rgb = np.asarray(pixel[..., :3], dtype=float)
    return rgb / rgb.max(axis=-1, keepdims=True)


def expected(value):
    """The hue that the scale gives to a value."""
    return hue(np.array(matplotlib.colormaps["viridis"](value)))


def sphere(rings=60, sectors=120):
    polar, azimuth = np.linspace(0, np.pi, rings + 1), np.linspace(0, 2 * np.pi, sectors + 1)
    t, a = np.meshgrid(polar, azimuth, indexing="ij")
    p = np.stack([np.sin(t) * np.cos(a), np.sin(t) * np.sin(a), np.cos(t)], axis=-1)
    p00, p01, p10, p11 = p[:-1, :-1], p[:-1, 1:], p[1:, :-1], p[1:, 1:]
    return np.stack([np.stack([p00, p10, p11], axis=2), np.stack([p00, p11, p01], axis=2)]).reshape(
        -1, 3, 3
    )


def test_what_is_in_front_hides_what_is_behind():
    triangles, values = np.array(card(0.0) + card(1.0)), [0.0, 0.0, 1.0, 1.0]
    for view, seen in (("front", 0.0), ("rear", 1.0)):
        picture = render(triangles, values, view, SCALE, width=60)
        middle = picture[5:-5, 5:-5]
        assert (middle[..., 3] == 255).all()
        same = np.broadcast_to(expected(seen), (*middle.shape[:2], 3))
        np.testing.assert_allclose(hue(middle), same, atol=0.02)


def test_a_sphere_covers_the_area_of_its_disk_from_every_side():
    triangles = sphere()
    for view in VIEWS:
        picture = render(triangles, np.zeros(len(triangles)), view, SCALE, width=200)
        # The margin leaves 97 % of the width to the diameter.
        covered = (picture[..., 3] / 255).sum() / (np.pi / 4 * (0.97 * 200) ** 2)
        assert covered == pytest.approx(1, abs=0.01)


@pytest.mark.parametrize(
    ("view", "right", "up"),
    [("side", 0, 2), ("rear", 1, 2), ("top", 0, 1), ("front", -1, 2), ("bottom", 0, -1)],
)
def test_a_view_has_its_axes_where_its_name_says(view, right, up):
    triangles = sphere()
    center = triangles.mean(axis=1)
    axes = np.concatenate([center, -center[:, 1:2]], axis=1)  # index -1 is minus y
    for axis, lowest in ((right, np.s_[50, 10]), (up, np.s_[90, 50])):
        picture = render(triangles, 0.5 + 0.5 * axes[:, axis], view, SCALE, width=100)
        np.testing.assert_allclose(hue(picture[lowest]), expected(0.1), atol=0.12)


def test_values_at_corners_are_interpolated():
    triangles = np.array(card(0.0))
    picture = render(triangles, triangles[..., 2], "rear", SCALE, width=200)
    for row, height in ((20, 0.9), (100, 0.5), (180, 0.1)):
        np.testing.assert_allclose(hue(picture[row, 100]), expected(height), atol=0.05)


def test_light_falls_from_above_and_keeps_the_color():
    picture = render(sphere(), np.full(14400, 0.5), "side", SCALE, width=100)
    assert picture[15, 50, :3].sum() > picture[85, 50, :3].sum()
    np.testing.assert_allclose(hue(picture[15, 50]), hue(picture[85, 50]), atol=0.03)


def test_values_that_are_not_finite_are_gray():
    picture = render(np.array(card(0.0)), [np.nan, np.nan], "front", SCALE, width=40)
    np.testing.assert_allclose(hue(picture[20, 20]), 1)


def test_pictures_that_make_no_sense_are_refused():
    with pytest.raises(ValueError, match="do not belong together"):
        render(np.zeros((4, 3, 3)), np.zeros(3), "side", SCALE)
    with pytest.raises(LookupError, match="did you mean 'front'"):
        render(np.zeros((1, 3, 3)), [0.0], "frnt", SCALE)
    with pytest.raises(ValueError, match="below the upper"):
        Scale("value", 1.0, 1.0)
    with pytest.raises(LookupError, match="viridis"):
        Scale("value", 0.0, 1.0, "virdis")
