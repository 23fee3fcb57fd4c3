"""What all tests share: how several processes run them at once (``pytest -n auto --dist worksteal``)."""

from __future__ import annotations

import os

import pytest

_MOST_WORKERS = 8
"""Each has its own numba and XGBoost in memory."""

if "PYTEST_XDIST_WORKER" in os.environ:
    # each worker has a core: XGBoost's threads, as many as cores in each, would wait for one another
    os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """As many workers as there are processors for this process, up to a limit."""
    return min(_MOST_WORKERS, len(os.sched_getaffinity(0)))
