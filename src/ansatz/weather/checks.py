"""What `check` asks of answers about weather, section by section.

Scores are proper and fair (`ansatz.weather.scores`), stand beside those of the interpolated input,
of the first stage alone and of other baselines, and beside what they cost. Intervals are 95 %
bootstrap intervals over times. A case may have no truth: then only what needs none is checked.
"""

from ansatz.weather.map_checks import check_maps
from ansatz.weather.score_checks import check_scores
from ansatz.weather.split_checks import check_split
from ansatz.weather.spread_checks import check_spread
from ansatz.weather.structure_checks import (
    check_consistency,
    check_rain,
    check_spectra,
    check_tails,
)

CHECKS = (
    check_scores,
    check_spread,
    check_spectra,
    check_tails,
    check_rain,
    check_consistency,
    check_maps,
    check_split,
)
