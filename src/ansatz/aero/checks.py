"""What `check` asks of answers about cars, section by section.

Metrics have the names and definitions of FluidsBench (Ashton et al., the DrivAerML benchmark):
relative L2 errors of surface fields, weighted by the area of the cells and pooled over the cars as
a ratio of sums; R² of coefficients over the cars. Intervals are 95 % bootstrap intervals over the
cars.

A case may have no truth: then only what needs none is checked.
"""

from ansatz.aero.field_checks import check_fields, check_pictures
from ansatz.aero.force_checks import check_forces
from ansatz.aero.trust_checks import check_reference, check_trust

CHECKS = (check_forces, check_fields, check_trust, check_reference, check_pictures)
