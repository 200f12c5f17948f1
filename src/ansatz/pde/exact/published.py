"""Published figures of the lid-driven cavity, flat lid u = 1 at y = 1 of [0, 1]².

`GHIA_U` and `GHIA_V`: Ghia, Ghia & Shin, J. Comput. Phys. 48 (1982) 387, tables I and II, by
Reynolds number: u on the vertical and v on the horizontal line through the center, multigrid of
second order on 129² points. As printed, but for u(0.4531) at Re = 3200: -0.86636 lost a zero.
Where `cavity` (n = 64; 96 at Re = 3200) differs from them by more than 0.005, it has

    Re 100   u(0.8516) 0.2366
             v(0.9453) -0.1085, v(0.9063) -0.1771, v(0.8594) -0.2337, v(0.8047) -0.2535
    Re 400   v(0.9531) -0.1982, v(0.9453) -0.2347, v(0.9063) -0.3897 (see `MISPRINTS`)
    Re 1000  u(0.9766) 0.6644, u(0.9688) 0.5809, u(0.9609) 0.5169, u(0.9531) 0.4723,
             u(0.1719) -0.3886
             v(0.9688) -0.2279, v(0.9609) -0.2937, v(0.9531) -0.3553, v(0.9453) -0.4104,
             v(0.9063) -0.5264, v(0.1563) 0.3769, v(0.0938) 0.3330, v(0.0781) 0.3099,
             v(0.0703) 0.2963, v(0.0625) 0.2807
    Re 3200  seven values of u and eight of v, by up to 0.032 and 0.049

so that a claim of agreement with the tables is worth no more than 0.009 (Re = 100), 0.006
(400) and 0.019 (1000); the values of Botella & Peyret side with `cavity`.

`BOTELLA_PEYRET`: Botella & Peyret, Computers & Fluids 27 (1998) 421, Re = 1000, by
Chebyshev collocation with the corner terms subtracted, N = 160, mirrored to a lid that moves to the
right: value and place of the extrema of u on the vertical and v on the horizontal center line.
"""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

REYNOLDS = (100, 400, 1000, 3200)

# y, and u for each Reynolds number
_TABLE_I = """
    1.0000    1.00000    1.00000    1.00000    1.00000
    0.9766    0.84123    0.75837    0.65928    0.53236
    0.9688    0.78871    0.68439    0.57492    0.48296
    0.9609    0.73722    0.61756    0.51117    0.46547
    0.9531    0.68717    0.55892    0.46604    0.46101
    0.8516    0.23151    0.29093    0.33304    0.34682
    0.7344    0.00332    0.16256    0.18719    0.19791
    0.6172   -0.13641    0.02135    0.05702    0.07156
    0.5000   -0.20581   -0.11477   -0.06080   -0.04272
    0.4531   -0.21090   -0.17119   -0.10648  -0.086636
    0.2813   -0.15662   -0.32726   -0.27805   -0.24427
    0.1719   -0.10150   -0.24299   -0.38289   -0.34323
    0.1016   -0.06434   -0.14612   -0.29730   -0.41933
    0.0703   -0.04775   -0.10338   -0.22220   -0.37827
    0.0625   -0.04192   -0.09266   -0.20196   -0.35344
    0.0547   -0.03717   -0.08186   -0.18109   -0.32407
    0.0000    0.00000    0.00000    0.00000    0.00000
"""

# x, and v for each Reynolds number
_TABLE_II = """
    1.0000    0.00000    0.00000    0.00000    0.00000
    0.9688   -0.05906   -0.12146   -0.21388   -0.39017
    0.9609   -0.07391   -0.15663   -0.27669   -0.47425
    0.9531   -0.08864   -0.19254   -0.33714   -0.52357
    0.9453   -0.10313   -0.22847   -0.39188   -0.54053
    0.9063   -0.16914   -0.23827   -0.51550   -0.44307
    0.8594   -0.22445   -0.44993   -0.42665   -0.37401
    0.8047   -0.24533   -0.38598   -0.31966   -0.31184
    0.5000    0.05454    0.05186    0.02526    0.00999
    0.2344    0.17527    0.30174    0.32235    0.28188
    0.2266    0.17507    0.30203    0.33075    0.29030
    0.1563    0.16077    0.28124    0.37095    0.37119
    0.0938    0.12317    0.22965    0.32627    0.42768
    0.0781    0.10890    0.20920    0.30353    0.41906
    0.0703    0.10091    0.19713    0.29012    0.40917
    0.0625    0.09233    0.18360    0.27485    0.39560
    0.0000    0.00000    0.00000    0.00000    0.00000
"""


def _columns(table: str) -> tuple[Array, dict[int, Array]]:
    place, *columns = np.loadtxt(table.splitlines(), unpack=True)
    return place, dict(zip(REYNOLDS, columns, strict=True))


GHIA_Y, GHIA_U = _columns(_TABLE_I)
GHIA_X, GHIA_V = _columns(_TABLE_II)
MISPRINTS = {("v", 400): 0.9063}  # the place of -0.23827, where every solver has -0.39
BOTELLA_PEYRET: dict[str, tuple[float, float]] = {
    "u_min": (-0.3885698, 0.1717),
    "v_max": (0.3769447, 0.1578),
    "v_min": (-0.5270771, 0.9092),
}
