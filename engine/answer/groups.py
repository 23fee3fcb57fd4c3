"""Which rows are a group: runs of equal values of an input."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from engine.decode import TableDecoder
from engine.errors import DataError
from engine.schema import Input, Policy
from engine.values import FIRST, MISSING, NAT, Categories, Values


@dataclass(frozen=True)
class Runs:
    """The groups of some rows.

    Parameters
    ----------
    by : str
    numbers : int64 array, shape (n_rows,)
        The number of each row's group, from 0 up.
    starts : int64 array
        The first row of each run; a row whose value can't be read belongs to the run before it.
    keys : list
        What each run's rows have in common: a float, int µs or str; None: missing.
    """

    by: str
    numbers: NDArray[np.int64]
    starts: NDArray[np.int64]
    keys: list[Any]

    @property
    def again(self) -> int | None:
        """The number of the first run whose value an earlier one has."""
        seen: set[Any] = set()
        for number, key in enumerate(self.keys):
            if key in seen:
                return number
            seen.add(key)
        return None

    def check(self, where: str) -> None:
        """Refuse rows that aren't sorted by group.

        Raises
        ------
        DataError
        """
        again = self.again
        if again is not None:
            raise twice(f"{where}row {self.starts[again]}", self.by, self.keys[again])


def twice(place: str, by: str, key: Any) -> DataError:
    """The error for a group that is seen in two places."""
    if isinstance(key, int):
        key = (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=key)).isoformat()
    shown = "of the rows without a value" if key is None else repr(key)
    return DataError(
        f"{place}: the group {shown} of {by!r} is seen in two places, others between them: sort by {by!r}"
    )


def find_runs(by: str, values: Values, unread: Sequence[int] = ()) -> Runs:
    """The runs of equal values; those that are missing are equal.

    Parameters
    ----------
    by : str
    values : Values
    unread : sequence of int
        Rows whose value can't be read.

    Examples
    --------
    >>> runs = find_runs("x", np.array([2.0, 2.0, np.nan, np.nan, 0.0]))
    >>> runs.numbers, runs.keys
    (array([0, 0, 1, 1, 2]), [2.0, None, 0.0])
    """
    plain: NDArray[Any] = values.codes if isinstance(values, Categories) else values
    read = np.ones(len(plain), bool)
    read[list(unread)] = False
    rows = np.flatnonzero(read)
    here = plain[rows]
    differs = here[1:] != here[:-1]
    if here.dtype.kind == "f":
        differs &= ~(np.isnan(here[1:]) & np.isnan(here[:-1]))
    firsts = np.flatnonzero(np.concatenate([[True], differs])) if len(here) else np.zeros(0, np.int64)
    starts = rows[firsts]
    begins = np.zeros(len(plain), np.int64)
    begins[starts[1:]] = 1
    found = here[firsts].tolist()
    if isinstance(values, Categories):
        keys = [None if code == MISSING else values.texts[code - FIRST] for code in found]
    elif here.dtype.kind == "f":
        keys = [None if key != key else key for key in found]
    else:
        keys = [None if key == NAT else key for key in found]
    return Runs(by, np.cumsum(begins), starts, keys)


def read_runs(inputs: Sequence[Input], table: pa.Table | pa.RecordBatch, *, text: bool) -> list[Runs]:
    """The runs of each of these inputs in a table.

    Parameters
    ----------
    inputs : sequence of Input
    table : pyarrow.Table or pyarrow.RecordBatch
    text : bool
        Every column is text to parse, as a CSV file's are.
    """
    found = []
    for item in inputs:
        # all its texts count, not those alone that a stage knows
        invalid: Policy = "null" if item.invalid == "null" else "reject"
        plain = replace(item, missing="null", invalid=invalid, unknown="null")
        decoded = TableDecoder([plain], None, None, parse_text=text).decode(table)
        unread = sorted({value.row for value in decoded.bad})
        found.append(find_runs(item.name, decoded.columns[item.name], unread))
    return found
