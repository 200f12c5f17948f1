from xml.etree import ElementTree

import numpy as np
import pytest

from ansatz.report import figures, style
from ansatz.report.statistics import Interval

TRUTH = np.array([1.0, 2.0, 3.0, 4.0])


def texts(figure):
    return [
        "".join(e.itertext()).strip()
        for e in ElementTree.fromstring(figure.data).iter()
        if e.tag.endswith("text")
    ]


def every_figure():
    return [
        figures.parity(
            TRUTH, TRUTH + 0.5, label="height", unit="m", intervals=np.stack([TRUTH, TRUTH + 1], 1)
        ),
        figures.histogram([0.1, -0.3, 0.2], label="height"),
        figures.bars(["one"], {"a": [1.0], "b": [Interval(2.0, 1.5, 2.5)]}, label="error"),
        figures.calibration([0.5, 0.9], [0.4, 0.95]),
    ]


def test_the_score_in_the_corner_is_the_one_of_the_points():
    figure = figures.parity(TRUTH, TRUTH + 0.5, label="height", unit="m")
    # 1 - 4 · 0.25 / 5
    assert any("R² = 0.8" in text for text in texts(figure))
    assert "height, predicted, m" in texts(figure)


def test_the_three_largest_errors_are_named():
    predicted = TRUTH + np.array([0.0, 0.3, -0.9, 0.5])
    shown = texts(figures.parity(TRUTH, predicted, label="height", names=["p", "q", "r", "s"]))
    assert {"q", "r", "s"} <= set(shown)
    assert "p" not in shown


def test_errors_are_counted_in_one_bin_if_they_are_all_zero():
    shown = texts(figures.histogram(np.zeros(5), label="height"))
    assert "5" in shown
    assert any(text.startswith("mean 0") for text in shown)


def test_bars_write_their_values():
    shown = texts(
        figures.bars(["u", "v"], {"ours": [0.125, Interval(0.25, 0.2, 0.3)]}, label="error")
    )
    assert {"0.125", "0.25", "u", "v", "ours"} <= set(shown)


@pytest.mark.parametrize("figure", every_figure())
def test_colors_follow_the_page_and_have_a_fallback(figure):
    assert f"var(--ink, {style.INK})" in figure.data
    assert f"var(--series-1, {style.SERIES[0]})" in figure.data
    assert figure.caption.endswith(".")


def test_a_figure_is_the_same_bytes_every_time():
    assert [a.data for a in every_figure()] == [b.data for b in every_figure()]
