"""What a column is: its kind, its dtype on output, and what happens to values that don't fit."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal


class Kind(StrEnum):
    """The kind of values a column holds.

    ``number``
        float64; missing is NaN.
    ``category``
        text out of a vocabulary; missing is null.
    ``timestamp``
        int64 microseconds since 1970 in UTC; missing is NaT (the least int64).
    ``boolean``
        true or false, never missing: the result of a comparison.
    ``text``
        carried along, read by text stages only.
    """

    NUMBER = "number"
    CATEGORY = "category"
    TIMESTAMP = "timestamp"
    BOOLEAN = "boolean"
    TEXT = "text"


INPUT_KINDS = (Kind.NUMBER, Kind.CATEGORY, Kind.TIMESTAMP, Kind.TEXT)

Policy = Literal["null", "fail", "reject"]
POLICIES: tuple[Policy, ...] = ("null", "fail", "reject")


@dataclass(frozen=True, slots=True)
class Input:
    """A raw column that the pipeline reads.

    Parameters
    ----------
    name : str
    kind : Kind
    optional : bool
        Whether a table may lack the column (its values are then missing).
    missing, invalid, unknown : {"null", "fail", "reject"}
        What happens to a row whose value is missing; is not of the kind; is a category that no stage
        knows. ``null`` treats the value as missing (``unknown``: leaves it to the stages), ``reject``
        puts the row among the rejects, ``fail`` stops the run.
    checked : bool
        Whether a policy was stated: then values are checked even where nothing reads the column.
    """

    name: str
    kind: Kind
    optional: bool = False
    missing: Policy = "null"
    invalid: Policy = "reject"
    unknown: Policy = "null"
    checked: bool = False


@dataclass(frozen=True, slots=True)
class Column:
    """A named, typed stream of values at some point of the pipeline.

    Parameters
    ----------
    name : str
        For an open column, a pattern such as ``carrier_*``.
    kind : Kind
    single : bool
        A number that is float32, as a model's scores are; such a value is widened before arithmetic.
    open : bool
        Stands for columns whose names are known only after fitting.
    whole : bool
        A number that is int64 on output, as a rank is; in memory it is a float64 like any other.
    """

    name: str
    kind: Kind
    single: bool = False
    open: bool = False
    whole: bool = False

    @property
    def dtype(self) -> str:
        """The Arrow type of the column on output."""
        if self.kind is Kind.NUMBER:
            return "int64" if self.whole else "float32" if self.single else "float64"
        return {
            Kind.BOOLEAN: "bool",
            Kind.CATEGORY: "string",
            Kind.TEXT: "string",
            Kind.TIMESTAMP: "timestamp[us, UTC]",
        }[self.kind]

    def covers(self, name: str) -> bool:
        """Whether a column of this name is this one, or may be one that an open column stands for.

        >>> Column("carrier_*", Kind.NUMBER, open=True).covers("carrier_UA")
        True
        """
        if not self.open:
            return name == self.name
        before, _, after = self.name.partition("*")
        return len(name) >= len(before + after) and name.startswith(before) and name.endswith(after)

    def __str__(self) -> str:
        return f"{self.name}: {self.kind}"
