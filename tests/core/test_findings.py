import math

import pytest

from ansatz.core.findings import Finding


@pytest.mark.parametrize(
    ("finding", "passed"),
    [
        (Finding("error", 0.1), True),
        (Finding("error", 0.1, bound=0.1), True),
        (Finding("error", 0.2, bound=0.1), False),
        (Finding("correlation", 0.9, bound=0.8, at_least=True), True),
        (Finding("correlation", 0.7, bound=0.8, at_least=True), False),
        (Finding("error", math.nan), False),
        (Finding("error", -math.inf, bound=0.1), False),
    ],
)
def test_a_finding_passes_on_the_right_side_of_its_bound_and_if_it_is_finite(finding, passed):
    assert finding.passed is passed
