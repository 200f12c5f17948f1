import math

import numpy as np
import pytest

from ansatz.report.numbers import cell, column, is_number, number


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (0.04123, "0.04123"),
        (0.5, "0.5"),
        (9.99996, "10"),
        (-12345.6, "−12\u2009346"),
        (100.0, "100"),
        (3.2e-7, "3.2 × 10⁻⁷"),
        (-1.5e12, "−1.5 × 10¹²"),
        (math.nan, "NaN"),
        (math.inf, "∞"),
        (-math.inf, "−∞"),
    ],
)
def test_a_number_is_written_for_the_eye(value, text):
    assert number(value) == text


def test_what_is_written_can_be_read_back_to_four_digits():
    for value in np.random.default_rng(0).lognormal(0, 3, 50):
        mantissa, _, power = number(value).replace("\u2009", "").partition(" × 10")
        digits = power.translate(str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789"))
        assert float(f"{mantissa}e{digits or 0}") == pytest.approx(value, rel=5.1e-4)


def test_cells_that_are_no_numbers_are_words():
    assert [cell(v) for v in (None, True, np.False_, "x_1")] == ["–", "yes", "no", "x_1"]
    assert [is_number(v) for v in (1, np.float32(2), True, "3", None)] == [1, 1, 0, 0, 0]


def test_the_numbers_of_a_column_share_their_decimals():
    assert column([0.27, -0.3482, 12]) == ["0.2700", "−0.3482", "12"]
    assert column([1e-9, 1.0]) == ["10⁻⁹".join(["1 × ", ""]), "1"]
    assert column([0.5, math.nan, None]) == ["0.5", "NaN", "–"]
