"""The distance between two points on the Earth."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

import numba

from engine.errors import listing
from engine.expr.graph import Expr, call
from engine.schema import Column, Kind
from engine.stage import Learned, RowStage, option, stage


@stage("haversine")
class Haversine(RowStage):
    """Measure the way between two points along a sphere; missing where one of the four numbers is.

    ``columns`` are latitude and longitude of one point, then of the other, in degrees. The result is in the
    unit of ``radius``: kilometres unless it is given. The new column is called ``into``, or as the stage's
    label. The formula is R. W. Sinnott's, "Virtues of the Haversine", Sky and Telescope 68 (1984), 159.

    Examples
    --------
    A quarter of the equator is 90 degrees:

    >>> from engine.testing import run_stage
    >>> points = {"lat": [0.0], "lon": [0.0], "to_lat": [0.0], "to_lon": [90.0]}
    >>> found = run_stage("haversine", points, into="km")
    >>> round(found["km"][0], 2)
    10007.56
    """

    radius: float = option(
        6371.0088, gt=0, runtime=True, help="of the sphere; the Earth's in km unless given"
    )

    def check(self, columns: Sequence[Column]) -> Iterable[str]:
        if len(columns) != 4:
            yield (
                "haversine takes four columns, latitude and longitude of two points, "
                f"not {len(columns)}: {listing(c.name for c in columns)}"
            )

    def declare(self, columns: Sequence[Column]) -> Kind:
        return Kind.NUMBER

    def express(self, columns: Mapping[str, Expr], learned: Learned) -> Expr:
        return call(central_angle, *columns.values()) * self.radius


@numba.njit
def central_angle(lat: float, lon: float, to_lat: float, to_lon: float) -> float:
    """The angle in radians between two points in degrees, as seen from the centre."""
    # sines don't part 0 from 360 degrees; infinite degrees give NaN
    up = math.sin(math.radians(to_lat - lat) / 2)
    along = math.sin(math.radians(to_lon - lon) / 2)
    square = up * up + math.cos(math.radians(lat)) * math.cos(math.radians(to_lat)) * along * along
    # rounding may take it over 1 where the points are opposite; NaN stays
    if square > 1.0:
        square = 1.0
    return 2 * math.asin(math.sqrt(square))
