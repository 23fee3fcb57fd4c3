"""Limits are quantiles of the training rows."""

from __future__ import annotations

import numpy as np
import pytest

from engine.errors import UserError
from engine.testing import run_stage


@pytest.mark.parametrize(("lower", "upper"), [(0.05, 0.95), (0.0, 1.0), (0.5, 0.5)])
def test_limits_are_values_by_their_rank(lower: float, upper: float) -> None:
    values = np.random.default_rng(0).normal(size=200)
    ascending = np.sort(values)
    lo, hi = (ascending[max(round(share * 200), 1) - 1] for share in (lower, upper))
    found = run_stage("winsor", {"x": values.tolist()}, lower=lower, upper=upper)
    np.testing.assert_array_equal(found["x"], np.minimum(np.maximum(values, lo), hi))


def test_an_infinite_value_is_limited_and_a_missing_one_stays() -> None:
    found = run_stage("winsor", {"x": [1.0, 2.0, 3.0, np.inf, None]}, lower=0, upper=0.75)
    np.testing.assert_array_equal(found["x"], [1, 2, 3, 3, np.nan])


def test_mistakes() -> None:
    with pytest.raises(UserError, match=r"lower \(0.9\) is above upper \(0.1\)"):
        run_stage("winsor", {"x": [1.0]}, lower=0.9, upper=0.1)
    with pytest.raises(UserError, match="can't learn limits of 'x': no training row has a value"):
        run_stage("winsor", {"x": [None, None]})
