"""The kit on filters, arrays and groups: right ones pass, wrong ones are found."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import engine.stage
from engine.schema import Kind
from engine.stage import option, stage
from engine.testing import PluginCheckError, check_stage

DOC = "Do as its name says.\n\n    >>> 1 + 1\n    2\n    "
GROUPS: dict[str, list[Any]] = {
    "city": ["Bath", "Bath", "Leeds", "York", "York", "York"],
    "size": [50.0, 70.0, 60.0, 90.0, None, 40.0],
}


def kind(name: str) -> Any:
    return getattr(engine.stage, name)


def failed(cls: Any, data: Any = None, **options: Any) -> set[str]:
    with pytest.raises(PluginCheckError) as caught:
        check_stage(cls, data, **options)
    return set(caught.value.failed)


def test_a_filter_passes() -> None:
    @stage("kit_filter")
    class Filter(kind("RowFilter")):  # type: ignore[misc]
        __doc__ = DOC
        accepts = (Kind.NUMBER,)
        most: float = option(5.0, runtime=True, help="the greatest number that passes")

        def reject(self, columns: Any, learned: Any) -> Any:
            return {f"{name} is above {self.most:g}": x > self.most for name, x in columns.items()}

    check_stage(Filter)


def test_an_array_stage_that_looks_at_other_rows() -> None:
    base = kind("ArrayStage")

    @stage("kit_array")
    class Right(base):  # type: ignore[misc, valid-type]
        __doc__ = DOC
        accepts = (Kind.NUMBER,)

        def declare(self, columns: Any) -> Kind:
            return Kind.NUMBER

        def compute(self, columns: Any, learned: Any) -> Any:
            return np.maximum.reduce(list(columns.values()))

    @stage("kit_array_wrong")
    class Wrong(Right):
        __doc__ = DOC

        def compute(self, columns: Any, learned: Any) -> Any:
            first = next(iter(columns.values()))
            return first - first[0]

    check_stage(Right)
    found = failed(Wrong)
    assert {"batch_equals_rows", "chunkings", "one_row"} >= found >= {"batch_equals_rows", "chunkings"}


def test_a_group_stage_that_looks_at_other_groups() -> None:
    base = kind("GroupStage")

    @stage("kit_group")
    class Right(base):  # type: ignore[misc, valid-type]
        __doc__ = DOC
        accepts = (Kind.NUMBER,)

        def declare(self, columns: Any) -> Kind:
            return Kind.NUMBER

        def compute(self, columns: Any, starts: Any, learned: Any) -> Any:
            (x,) = columns.values()
            with np.errstate(all="ignore"):
                return x - np.repeat(x[starts], np.diff(np.append(starts, len(x))))

    @stage("kit_group_wrong")
    class Wrong(Right):
        __doc__ = DOC

        def compute(self, columns: Any, starts: Any, learned: Any) -> Any:
            (x,) = columns.values()
            return x + float(len(starts))

    check_stage(Right, GROUPS, columns=["size"], by="city")
    assert "group_equals_groups" in failed(Wrong, GROUPS, columns=["size"], by="city")
