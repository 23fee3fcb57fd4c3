"""What leaves the engine."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pyarrow as pa

from engine.encode import encode, to_python
from engine.schema import Column, Kind
from engine.values import NAT, Categories

SCHEMA = (
    Column("score", Kind.NUMBER, single=True),
    Column("ratio", Kind.NUMBER),
    Column("late", Kind.BOOLEAN),
    Column("band", Kind.CATEGORY),
    Column("seen", Kind.TIMESTAMP),
)
COLUMNS = {
    "score": np.array([0.1, np.nan], np.float32),
    "ratio": np.array([-0.0, np.inf]),
    "late": np.array([True, False]),
    "band": Categories(np.array([3, 0], np.int32), ("low", "high")),
    "seen": np.array([-1, NAT]),
}


def test_kept_columns_come_first_as_they_were() -> None:
    kept = {"tail": pa.array(["N1", None]).dictionary_encode(), "n": pa.array([1, 2], pa.int8())}
    batch = encode(COLUMNS, SCHEMA, kept)
    assert [(field.name, str(field.type)) for field in batch.schema] == [
        ("tail", "dictionary<values=string, indices=int32, ordered=0>"),
        ("n", "int8"),
        ("score", "float"),
        ("ratio", "double"),
        ("late", "bool"),
        ("band", "string"),
        ("seen", "timestamp[us, tz=UTC]"),
    ]
    assert batch.column("band").to_pylist() == ["high", None]
    assert batch.column("seen").to_pylist() == [datetime(1969, 12, 31, 23, 59, 59, 999999, UTC), None]
    assert batch.column("score").null_count == 0


def test_no_rows() -> None:
    empty = {name: values.take(np.array([], int)) for name, values in COLUMNS.items()}
    assert encode(empty, SCHEMA, {}).num_rows == 0


def test_a_row_and_a_batch_say_the_same() -> None:
    batch = encode(COLUMNS, SCHEMA, {}).to_pylist()
    for row, expected in enumerate(batch):
        for column in SCHEMA:
            values = COLUMNS[column.name]
            coded = isinstance(values, Categories)
            found = to_python(
                values.codes[row] if coded else values[row], column, values.texts if coded else ()
            )
            assert repr(found) == repr(expected[column.name]) or found == expected[column.name]
