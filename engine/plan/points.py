"""Where a pipeline is more than arithmetic: models, filters, and stages that compute with NumPy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from engine.errors import UserError, listing
from engine.expr.graph import Expr
from engine.plan.guard import in_stage
from engine.plan.plan import PlannedStage
from engine.schema import Column, Kind
from engine.stage import ArrayStage, GroupStage, Learned
from engine.values import NAT, Values

DTYPES: Mapping[Kind, Any] = {Kind.NUMBER: np.float64, Kind.BOOLEAN: np.bool_, Kind.TIMESTAMP: np.int64}
"""What a stage that computes with NumPy may make."""

_ABSENT: Mapping[Kind, Any] = {Kind.NUMBER: np.nan, Kind.BOOLEAN: False, Kind.TIMESTAMP: NAT}


@dataclass(frozen=True, slots=True)
class ScorePoint:
    """Where a model stands in the pipeline.

    Parameters
    ----------
    label : str
    features : tuple of (str, Expr)
        Names and expressions, in the model's order, each of kind number.
    columns : tuple of Column
        The score columns it makes.
    """

    label: str
    features: tuple[tuple[str, Expr], ...]
    columns: tuple[Column, ...]

    @property
    def reads(self) -> tuple[Expr, ...]:
        """What it is computed from."""
        return tuple(node for _, node in self.features)


@dataclass(frozen=True, slots=True)
class Condition:
    """A reason for which a filter refuses rows.

    Parameters
    ----------
    reason : str
    column : str
        What a refusal is said to concern; empty: no column.
    holds : Expr
        A boolean, true where a row is refused.
    """

    reason: str
    column: str
    holds: Expr


@dataclass(frozen=True, slots=True)
class FilterPoint:
    """Where rows are refused.

    Parameters
    ----------
    label : str
    conditions : tuple of Condition
        In order: the first that holds is why a row is refused. No two have the same reason.
    """

    label: str
    conditions: tuple[Condition, ...]

    @property
    def reads(self) -> tuple[Expr, ...]:
        """What it is computed from."""
        return tuple(condition.holds for condition in self.conditions)


@dataclass(frozen=True, slots=True)
class ComputePoint:
    """Where a stage computes with NumPy.

    Parameters
    ----------
    planned : PlannedStage
    learned : mapping
    inputs : tuple of (str, Expr)
        The columns it gets.
    columns : tuple of Column
        The columns it makes.
    """

    planned: PlannedStage
    learned: Learned
    inputs: tuple[tuple[str, Expr], ...]
    columns: tuple[Column, ...]

    @property
    def label(self) -> str:
        """The stage's label."""
        return self.planned.label

    @property
    def reads(self) -> tuple[Expr, ...]:
        """What it is computed from."""
        return tuple(node for _, node in self.inputs)

    @property
    def grouped(self) -> bool:
        """Whether it needs the rows of a group together."""
        return isinstance(self.planned.stage, GroupStage)

    @property
    def by(self) -> str | None:
        """The input whose runs are the groups."""
        return self.planned.stage.by if isinstance(self.planned.stage, GroupStage) else None

    def new(self, rows: int) -> list[NDArray[Any]]:
        """Room for what it makes, everything missing (a boolean: false)."""
        return [np.full(rows, _ABSENT[c.kind], DTYPES[c.kind]) for c in self.columns]

    def compute(
        self, columns: Mapping[str, Values], rows: int, starts: NDArray[np.int64]
    ) -> list[NDArray[Any]]:
        """What it makes of some rows, checked.

        Parameters
        ----------
        columns : mapping of str to array, shape (n_rows,)
            By the names in ``inputs``.
        rows : int
        starts : int64 array
            The first row of each group, where it is grouped.

        Raises
        ------
        UserError
            It failed, or what it gave isn't what it declared.
        """
        stage = self.planned.stage
        with in_stage(self.planned):
            if isinstance(stage, GroupStage):
                found = stage.compute(columns, starts, self.learned)
            else:
                assert isinstance(stage, ArrayStage)
                found = stage.compute(columns, self.learned)
        if not isinstance(found, Mapping):
            if len(self.columns) != 1:
                raise self._wrong(f"gave one array for {len(self.columns)} columns")
            found = {self.columns[0].name: found}
        names = [column.name for column in self.columns]
        if set(found) != set(names):
            raise self._wrong(
                f"gave the columns {listing(map(repr, found))}, not {listing(map(repr, names))}"
            )
        return [self._checked(found[column.name], column, rows) for column in self.columns]

    def _checked(self, found: Any, column: Column, rows: int) -> NDArray[Any]:
        expected = np.dtype(DTYPES[column.kind])
        if not isinstance(found, np.ndarray):
            raise self._wrong(f"gave {type(found).__name__} for {column.name!r}, not a NumPy array")
        array: NDArray[Any] = found
        if array.shape != (rows,):
            raise self._wrong(f"gave an array of shape {array.shape} for {column.name!r} of {rows} rows")
        if array.dtype != expected:
            raise self._wrong(
                f"gave {array.dtype} for {column.name!r}, a {column.kind}: an array of {expected} is expected"
            )
        if column.whole and not np.all(
            np.isnan(array) | ((array == np.rint(array)) & (np.abs(array) < 2**63))
        ):
            raise self._wrong(f"gave a number that isn't whole for {column.name!r}, which is of whole ones")
        if column.kind is Kind.NUMBER and np.isnan(array).any():
            return np.where(np.isnan(array), np.nan, array)
        return array

    def _wrong(self, what: str) -> UserError:
        return UserError(f"stages.{self.label}: compute of {self.planned.stage.use!r} {what}")


Point: TypeAlias = ScorePoint | FilterPoint | ComputePoint
"""A place in a pipeline that more than kernels know of."""
