"""Golden rows: rows with their answers, kept in a bundle and asked again when it is loaded."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.types as pt

from engine.errors import DataError

if TYPE_CHECKING:
    from engine.pipeline import Pipeline

_TOLERANCE = 1e-6


def golden_rows(pipeline: Pipeline, rows: pa.RecordBatch) -> pa.Table:
    """Rows with the answers that a pipeline gives them now.

    Returns
    -------
    pyarrow.Table
        Two struct columns, ``row`` and ``answer``.
    """
    answer = pipeline.predict_many(rows)
    flat = pa.RecordBatch.from_arrays(
        [column.combine_chunks() for column in answer.columns], names=answer.schema.names
    )
    return pa.table({"row": rows.to_struct_array(), "answer": flat.to_struct_array()})


def first_difference(pipeline: Pipeline, golden: pa.Table, *, exact: bool) -> str | None:
    """The first answer that differs, in words; None where all are the same.

    Parameters
    ----------
    pipeline : Pipeline
    golden : pyarrow.Table
    exact : bool
        Compare bits; else numbers to 1e-6 relative.
    """
    if golden.schema.names != ["row", "answer"] or not all(pt.is_struct(t) for t in golden.schema.types):
        return f"expected the columns row and answer, found {', '.join(golden.schema.names) or 'none'}"
    given = pa.Table.from_struct_array(golden.column("row").combine_chunks())
    expected = pa.Table.from_struct_array(golden.column("answer").combine_chunks())
    try:
        found = pipeline.predict_many(given)
    except DataError as error:
        return f"the golden rows can't be scored: {error}"
    for name in found.schema.names:
        if name not in expected.schema.names or name in pipeline.plan.keep:
            continue  # other outputs were asked for than when it was fitted
        differs = _differs(found.column(name), expected.column(name), exact)
        if differs is not None:
            was, now = expected.column(name)[differs].as_py(), found.column(name)[differs].as_py()
            return f"golden row {differs}, column {name!r}: expected {was!r}, found {now!r}"
    return None


def _differs(found: pa.ChunkedArray, expected: pa.ChunkedArray, exact: bool) -> int | None:
    if pt.is_floating(expected.type) and pt.is_floating(found.type):
        a, b = found.to_numpy(), expected.to_numpy()
        if exact:
            same = (a == b) & (np.signbit(a) == np.signbit(b)) | (np.isnan(a) & np.isnan(b))
        else:
            same = np.isclose(a, b, rtol=_TOLERANCE, atol=0.0, equal_nan=True)
        wrong = np.flatnonzero(~same)
        return int(wrong[0]) if len(wrong) else None
    if not exact:
        return None  # a decision may sit on the very edge of the tolerance
    pairs = zip(found.to_pylist(), expected.to_pylist(), strict=True)
    return next((i for i, (a, b) in enumerate(pairs) if a != b), None)
