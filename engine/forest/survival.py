"""Times that are over, or not yet, as XGBoost learns them.

``survival:aft`` takes two bounds; ``survival:cox`` one number, negative where the time isn't over
(``src/objective/regression_obj.cu``).
"""

from __future__ import annotations

import numpy as np

from engine.errors import UserError
from engine.values import FloatArray


def cox_times(bounds: FloatArray) -> FloatArray:
    """Bounds as ``survival:cox`` takes them: the time, negative where it isn't over.

    Parameters
    ----------
    bounds : float64 array, shape (n, 2)

    Raises
    ------
    UserError
        An upper bound is neither the lower one nor infinite.

    Examples
    --------
    >>> cox_times(np.array([[3.0, 3.0], [5.0, np.inf]])).tolist()
    [3.0, -5.0]
    """
    least, most = bounds.T
    between = int(np.count_nonzero((most != least) & np.isfinite(most)))
    if between:
        raise UserError(
            f"objective 'survival:cox' learns times that are known, or not over; {between:,} rows have an "
            "upper bound above the lower one: use survival:aft"
        )
    found: FloatArray = np.where(np.isinf(most), -least, least)
    return found
