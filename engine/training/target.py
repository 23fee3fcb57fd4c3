"""What is to be predicted, row by row."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from engine.errors import ConfigError, DataError, Mistake, listing
from engine.expr.graph import Expr
from engine.expr.interpret import interpret
from engine.expr.language import ExpressionError, parse
from engine.plan.plan import Target
from engine.schema import Kind
from engine.training.columns import is_missing, read_columns
from engine.values import FIRST, Categories, FloatArray, Values

_MOST_CLASSES = 1000


@dataclass(frozen=True)
class Labels:
    """The target of every row of a table.

    Parameters
    ----------
    kind : Kind
        ``boolean``, ``number`` or ``category``.
    y : float64 array, shape (n,)
        0 or 1, the number, or the class's index; NaN where it is missing. Of several targets, ``(n, k)``; of
        bounds, ``(n, 2)``: from 0 up to infinity.
    classes : tuple of str
        The classes in order, where the target is a category; the names of the targets, where there are
        several.
    known : bool array, shape (n,)
        Rows that have a target.
    """

    kind: Kind
    y: FloatArray
    classes: tuple[str, ...]
    known: NDArray[np.bool_]


def read_target(
    target: Target | None, table: pa.Table, known: Mapping[str, Kind], *, text: bool, varied: bool = True
) -> Labels:
    """The labels of a table.

    A row in which a column that the target reads is missing has none.

    Parameters
    ----------
    target : Target or None
    table : pyarrow.Table
    known : mapping of str to Kind
        Kinds that the pipeline's inputs declare.
    text : bool
        Every column is text to parse.
    varied : bool
        Whether a target that is the same everywhere is a mistake, as it is for fitting.

    Raises
    ------
    DataError
        The table lacks a column, no row has a target, or all have the same.
    ConfigError
        There is no target, or its expression is wrong for these columns.
    """
    if target is None:
        raise ConfigError(
            [Mistake("target", "is needed here: target.column=NAME, or 'target.value=\"price > 10\"'")]
        )
    columns = read_columns(table, target.reads, known, text=text, where="target")
    if target.lower:
        return read_bounds(target, columns[target.lower], columns[target.upper])
    if target.columns:
        return read_several(target, columns, varied)
    there = np.ones(table.num_rows, bool)
    for _, values in columns.values():
        there &= ~is_missing(values)
    if target.column:
        kind, values = columns[target.column]
    else:
        kind, values = _evaluate(target.value, columns, table.num_rows)
    classes: tuple[str, ...] = ()
    if kind is Kind.TIMESTAMP:
        raise DataError(
            f"target: {target.column or target.value!r} is a timestamp; expected numbers, text or booleans"
        )
    if isinstance(values, Categories):
        classes = tuple(
            sorted({values.texts[code - FIRST] for code in np.unique(values.codes[there]) if code >= FIRST})
        )
        rank = np.array(
            [np.nan, np.nan, *(classes.index(t) if t in classes else np.nan for t in values.texts)]
        )
        y = rank[values.codes]
    else:
        y = np.where(there, values.astype(np.float64), np.nan)
        there &= ~np.isnan(y)
        if np.isinf(y[there]).any():
            raise DataError("target: some rows have an infinite value; expected finite numbers")
    if classes:
        _check_classes(target, classes, int(there.sum()))
    _check_varied(target.text, y[there], kind, table.num_rows, varied)
    return Labels(kind, y, classes, there)


def read_several(target: Target, columns: Mapping[str, tuple[Kind, Values]], varied: bool) -> Labels:
    """Several targets of one kind; a row that lacks one of them has none."""
    kinds = {name: columns[name][0] for name in target.columns}
    other = [name for name, kind in kinds.items() if kind not in (Kind.NUMBER, Kind.BOOLEAN)]
    if other:
        raise DataError(
            f"target.columns: {other[0]!r} is a {kinds[other[0]]}; several targets are numbers, or booleans"
        )
    if len(set(kinds.values())) > 1:
        said = listing(f"{name}: {kind}" for name, kind in kinds.items())
        raise DataError(f"target.columns: are of different kinds ({said}); expected numbers, or booleans")
    y = np.column_stack([np.asarray(columns[name][1], np.float64) for name in target.columns])
    if np.isinf(y).any():
        raise DataError("target: some rows have an infinite value; expected finite numbers")
    there = np.asarray(np.isfinite(y).all(axis=1), np.bool_)
    kind = kinds[target.columns[0]]
    for i, name in enumerate(target.columns):
        _check_varied(name, y[there, i], kind, len(y), varied)
    return Labels(kind, y, target.columns, there)


def read_bounds(target: Target, lower: tuple[Kind, Values], upper: tuple[Kind, Values]) -> Labels:
    """Bounds of a positive number; a missing lower one is 0, a missing upper one infinite."""
    for name, (kind, _) in ((target.lower, lower), (target.upper, upper)):
        if kind is not Kind.NUMBER:
            raise DataError(f"target: {name!r} is a {kind}; bounds are numbers")
    least, most = (np.asarray(values, np.float64) for _, values in (lower, upper))
    there = ~(np.isnan(least) & np.isnan(most))
    y = np.column_stack([np.where(np.isnan(least), 0.0, least), np.where(np.isnan(most), np.inf, most)])
    wrong = there & ~((y[:, 0] >= 0) & np.isfinite(y[:, 0]) & (y[:, 1] > 0) & (y[:, 0] <= y[:, 1]))
    if wrong.any():
        row = int(np.flatnonzero(wrong)[0])
        raise DataError(
            f"target: row {row}: {target.lower!r} is {least[row]:g} and {target.upper!r} is {most[row]:g}; "
            f"expected 0 <= {target.lower} <= {target.upper}, the latter above 0, and missing where it is "
            f"not known ({int(wrong.sum()):,} such rows)"
        )
    if not there.any():
        raise DataError(f"target: none of the {len(y):,} rows has bounds; there is nothing to learn from")
    y[~there] = np.nan
    return Labels(Kind.NUMBER, y, (), there)


def _evaluate(text: str, columns: Mapping[str, tuple[Kind, Values]], rows: int) -> tuple[Kind, Values]:
    nodes: dict[str, Expr] = {}
    leaves: dict[tuple[str, object], Values] = {}
    for name, (kind, values) in columns.items():
        nodes[name] = Expr.input(name, kind)
        leaves["input", name] = values
        if kind is Kind.BOOLEAN and not isinstance(values, Categories):
            leaves["input", name] = values == 1.0  # where it is missing, the row has no target
    try:
        node = parse(text, nodes)
    except ExpressionError as error:
        raise ConfigError([Mistake("target.value", str(error))]) from None
    return node.kind, interpret([node], leaves, rows)[0]


def _check_classes(target: Target, classes: tuple[str, ...], rows: int) -> None:
    """Refuse text that is no set of classes: numbers with a few other cells, or ever different texts."""
    what = target.column or target.value
    strange = [text for text in classes if not _is_number(text)]
    if len(classes) > 20 and len(strange) < len(classes) / 10:
        raise DataError(
            f"target: {what!r} holds numbers, but also {listing(map(repr, strange), 5)}; "
            "mend these cells, or leave them empty: rows without a target are left out"
        )
    if len(classes) > _MOST_CLASSES:
        raise DataError(
            f"target: {what!r} has {len(classes):,} classes in {rows:,} rows, such as "
            f"{listing(map(repr, classes), 3)}; at most {_MOST_CLASSES:,} can be learned"
        )


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _check_varied(what: str, y: FloatArray, kind: Kind, rows: int, varied: bool) -> None:
    if not len(y):
        raise DataError(
            f"target: none of the {rows:,} rows has a value for {what!r}; there is nothing to learn from"
        )
    if varied and (y == y[0]).all():
        shown = ("true" if y[0] else "false") if kind is Kind.BOOLEAN else f"{y[0]:g}"
        same = "the same class" if kind is Kind.CATEGORY else f"the same value, {shown}"
        raise DataError(f"target: {what!r} has {same} in all {len(y):,} rows; there is nothing to learn")
