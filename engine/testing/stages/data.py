"""Columns that a stage is checked on: plain values by kind, ordinary and hard ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any

import numpy as np
import pyarrow as pa

from engine.errors import UserError, listing
from engine.schema import Kind

ROWS = 600
"""Rows of a table: more than two blocks of 257."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TYPES = MappingProxyType(
    {
        Kind.NUMBER: pa.float64,
        Kind.BOOLEAN: pa.float64,
        Kind.CATEGORY: pa.string,
        Kind.TEXT: pa.string,
        Kind.TIMESTAMP: lambda: pa.timestamp("us", "UTC"),
    }
)
_TEXTS = ("red", "green", "blue")
_HARD: Mapping[Kind, tuple[Any, ...]] = MappingProxyType(
    {
        Kind.NUMBER: (
            0.0, -0.0, 1.0, -1.0, 0.1, 255.5, 5e-324, -5e-324, 1e-300, 2.0**24 + 1, 2.0**53 + 2, 1e30, -1e30,
        ),
        Kind.BOOLEAN: (0.0, 1.0),
        Kind.CATEGORY: ("never seen", "", "ünï", "a b", "x,y"),
        Kind.TEXT: ("never seen", "", "ünï", "a b", "x,y"),
        Kind.TIMESTAMP: (
            _EPOCH, _EPOCH - timedelta(microseconds=1), datetime(1, 1, 1, tzinfo=UTC),
            datetime(9999, 12, 31, 23, 59, 59, 999_999, UTC), datetime(2024, 2, 29, 12, tzinfo=UTC),
            datetime(2020, 12, 31, 23, 59, tzinfo=UTC),
        ),
    }
)  # fmt: skip
_INFINITE = (np.inf, -np.inf, 1.7e308, -1.7e308, 1.0)


@dataclass(frozen=True, slots=True)
class Sample:
    """A column that is given: its name, its kind, and values it may have (plain, without missing ones)."""

    name: str
    kind: Kind
    seen: tuple[Any, ...] = ()
    rows: tuple[Any, ...] | None = None
    """The author's own rows, which are then used as they are."""

    @staticmethod
    def of(name: str, values: Sequence[Any], *, given: bool = False) -> Sample:
        """A column from plain values, as `run_stage` takes them; ``given``: used row by row, as they are."""
        sample = Sample._of(name, values)
        if not given:
            return sample
        rows = (float(v) if isinstance(v, bool) else v for v in values)
        aware = (v.replace(tzinfo=UTC) if isinstance(v, datetime) and not v.tzinfo else v for v in rows)
        return replace(sample, rows=tuple(aware))

    @staticmethod
    def _of(name: str, values: Sequence[Any]) -> Sample:
        there = [value for value in values if value is not None]
        types = {type(value) for value in there}
        if types == {bool}:
            return Sample(name, Kind.BOOLEAN, tuple(map(float, there)))
        if types == {str}:
            return Sample(name, Kind.CATEGORY, tuple(there))
        if types and all(issubclass(found, datetime) for found in types):
            aware = (value if value.tzinfo else value.replace(tzinfo=UTC) for value in there)
            return Sample(name, Kind.TIMESTAMP, tuple(aware))
        try:
            numbers = [float(value) for value in there]
        except (TypeError, ValueError):
            names = listing(sorted(found.__name__ for found in types))
            raise UserError(f"{name!r} has values of these types: {names}; a column has one kind") from None
        return Sample(name, Kind.NUMBER, tuple(value for value in numbers if np.isfinite(value)))

    def ordinary(self, rng: np.random.Generator, rows: int) -> list[Any]:
        """Values as they come in training: none is missing, none is extreme."""
        found: list[Any]
        if self.rows is not None:
            return [self.rows[i % len(self.rows)] for i in range(rows)]
        if self.kind is Kind.NUMBER:
            found = (rng.normal(size=rows) * 10 + 3).tolist()
        elif self.kind is Kind.BOOLEAN:
            found = (rng.random(rows) < 0.5).astype(float).tolist()
        elif self.kind is Kind.TIMESTAMP:
            days = rng.integers(0, 8000, rows)
            found = [_EPOCH + timedelta(days=8000 + int(day), minutes=int(day) * 7) for day in days]
        else:
            found = rng.choice(_TEXTS, rows).tolist()
        return self._mixed(rng, found, self.seen)

    def hard(self, rng: np.random.Generator, rows: int) -> list[Any]:
        """Values at the edges of the kind; none is missing or infinite."""
        found = self.ordinary(rng, rows)
        return found if self.rows is not None else self._mixed(rng, found, _HARD[self.kind])

    def missing(self, rng: np.random.Generator, rows: int) -> list[Any]:
        """Every value missing in the first row, and half of them below; a number as None and as NaN."""
        gaps: tuple[Any, ...] = (None, float("nan")) if self.kind is Kind.NUMBER else (None,)
        if self.kind is Kind.BOOLEAN:
            return self.ordinary(rng, rows)
        return [gaps[0], *self._mixed(rng, self.ordinary(rng, rows - 1), gaps)]

    def infinite(self, rng: np.random.Generator, rows: int) -> list[Any]:
        """Numbers that are infinite or as large as numbers get, half of them."""
        found = self.ordinary(rng, rows)
        return self._mixed(rng, found, _INFINITE) if self.kind is Kind.NUMBER else found

    def _mixed(self, rng: np.random.Generator, values: list[Any], others: Sequence[Any]) -> list[Any]:
        """Half of the values replaced by others."""
        if not others:
            return values
        picked = rng.integers(0, 2 * len(others), len(values)).tolist()
        return [others[i] if i < len(others) else value for i, value in zip(picked, values, strict=True)]


def table(samples: Sequence[Sample], values: str, seed: int, rows: int = ROWS) -> pa.Table:
    """A table of generated columns.

    Parameters
    ----------
    samples : sequence of Sample
    values : {"ordinary", "hard", "missing", "infinite"}
    seed : int
    rows : int
    """
    columns = {}
    for number, sample in enumerate(samples):
        rng = np.random.default_rng([seed, number])
        columns[raw_name(sample)] = pa.array(getattr(sample, values)(rng, rows), _TYPES[sample.kind]())
    return pa.table(columns)


def raw_name(sample: Sample) -> str:
    """The input that a column comes from: no input is boolean, so that a stage before makes one."""
    return f"{sample.name}__number" if sample.kind is Kind.BOOLEAN else sample.name
