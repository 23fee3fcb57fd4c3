"""How values were distributed in training: what drift is measured against."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
import pyarrow as pa

from engine.training.columns import is_missing
from engine.values import FIRST, Categories, Values

QUANTILES = tuple(i / 20 for i in range(21))
"""The shares at which quantiles are kept."""

MOST = 200
"""Categories that are counted one by one; the rest are counted together under null."""

SCHEMA = pa.schema(
    [
        ("part", pa.string()),
        ("column", pa.string()),
        ("kind", pa.string()),
        ("rows", pa.int64()),
        ("missing", pa.int64()),
        ("mean", pa.float64()),
        ("quantiles", pa.list_(pa.float64())),
        ("texts", pa.list_(pa.string())),
        ("counts", pa.list_(pa.int64())),
    ]
)


def profile(parts: Iterable[tuple[str, Mapping[str, Values]]]) -> pa.Table:
    """A row for each column of each part (``input``, ``feature``, ``score``).

    Returns
    -------
    pyarrow.Table
        Of `SCHEMA`: numbers and timestamps have ``quantiles`` at `QUANTILES` of their finite values,
        categories ``texts`` with their ``counts``.
    """
    rows = [_row(part, name, values) for part, columns in parts for name, values in columns.items()]
    return pa.Table.from_pylist(rows, schema=SCHEMA)


def _row(part: str, name: str, values: Values) -> Mapping[str, object]:
    missing = is_missing(values) if not _is_boolean(values) else np.zeros(len(values), bool)
    row: dict[str, object] = {
        "part": part,
        "column": name,
        "rows": len(values),
        "missing": int(missing.sum()),
    }
    if isinstance(values, Categories):
        counts = np.bincount(values.codes, minlength=FIRST + len(values.texts))[FIRST:]
        order = np.argsort(-counts, kind="stable")
        shown = [i for i in order[:MOST].tolist() if counts[i]]
        rest = int(counts.sum() - counts[shown].sum())
        texts: list[str | None] = [values.texts[i] for i in shown]
        numbers = [int(counts[i]) for i in shown]
        if rest:
            texts.append(None)
            numbers.append(rest)
        return row | {"kind": "category", "texts": texts, "counts": numbers}
    kind = "boolean" if _is_boolean(values) else "timestamp" if values.dtype == np.int64 else "number"
    there = values[~missing].astype(np.float64)
    there = there[np.isfinite(there)]
    if not len(there):
        return row | {"kind": kind}
    with np.errstate(over="ignore", invalid="ignore"):  # the largest numbers have no finite mean
        return row | {
            "kind": kind,
            "mean": float(there.mean()),
            "quantiles": np.quantile(there, QUANTILES).tolist(),
        }


def _is_boolean(values: Values) -> bool:
    return not isinstance(values, Categories) and values.dtype == np.bool_
