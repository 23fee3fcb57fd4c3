"""What was learned, as one Arrow file: a row for each value, no pickle."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from engine.bundle.contents import little_endian
from engine.errors import BundleError
from engine.stage import Learned

if TYPE_CHECKING:
    import pyarrow as pa

_DTYPES = frozenset(
    ("|b1", "|i1", "|u1", "<i2", "<u2", "<i4", "<u4", "<i8", "<u8", "<f4", "<f8"),
)


def table_bytes(table: pa.Table) -> bytes:
    """A table as one Arrow IPC file."""
    import pyarrow as pa

    sink = io.BytesIO()
    with pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue()


def read_table(data: bytes, where: str) -> pa.Table:
    """The table of an Arrow IPC file, checked through.

    Raises
    ------
    BundleError
        The bytes are no whole Arrow file.
    """
    import pyarrow as pa

    try:
        table = pa.ipc.open_file(pa.py_buffer(data)).read_all()
        table.validate(full=True)
    except (pa.ArrowException, OSError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise BundleError(f"{where} is no whole Arrow file: {reason}") from error
    return table


def learned_bytes(learned: Mapping[str, Learned]) -> bytes:
    """What stages learned as one Arrow IPC file.

    Parameters
    ----------
    learned : mapping of str to Learned
        By label; values are numeric arrays, tuples of text, or tuples of tuples of text.

    Raises
    ------
    TypeError
        Another value.
    """
    import pyarrow as pa

    rows = [
        _row(label, name, value)
        for label, values in learned.items()
        for name, value in (values.items() or [("", None)])
    ]
    return table_bytes(pa.Table.from_pylist(rows, schema=_schema()))


def read_learned(data: bytes, where: str) -> dict[str, dict[str, Any]]:
    """What `learned_bytes` was given.

    Parameters
    ----------
    data : bytes
    where : str
        The file, for messages.

    Raises
    ------
    BundleError
        The file is damaged, or holds something else.
    """
    table = read_table(data, where)
    if not table.schema.equals(_schema()):
        raise BundleError(f"{where} has other columns than what stages learned: {table.schema.names}")
    learned: dict[str, dict[str, Any]] = {}
    for row in table.to_pylist():
        values = learned.setdefault(row["stage"], {})
        if row["kind"] == "nothing":
            continue
        name = row["name"]
        try:
            values[name] = _value(row)
        except (ValueError, TypeError) as error:
            raise BundleError(f"{where}: {row['stage']}.{name} can't be read: {error}") from error
    return learned


def _schema() -> pa.Schema:
    import pyarrow as pa

    required = [pa.field(name, pa.string(), nullable=False) for name in ("stage", "name", "kind", "dtype")]
    return pa.schema(
        [
            *required,
            pa.field("shape", pa.list_(pa.int64())),
            pa.field("data", pa.large_binary()),
            pa.field("texts", pa.list_(pa.string())),
            pa.field("lists", pa.list_(pa.list_(pa.string()))),
        ]
    )


def _row(label: str, name: str, value: Any) -> dict[str, Any]:
    row = {"stage": label, "name": name, "dtype": ""}
    if value is None:
        return {**row, "kind": "nothing"}
    if isinstance(value, np.ndarray):
        stored = little_endian(value)
        if stored.dtype.str not in _DTYPES:
            raise TypeError(f"{label}.{name}: an array of {value.dtype} can't be stored")
        shape = list(stored.shape)
        return {**row, "kind": "array", "dtype": stored.dtype.str, "shape": shape, "data": stored.tobytes()}
    if _texts(value):
        return {**row, "kind": "texts", "texts": list(value)}
    if isinstance(value, tuple | list) and all(map(_texts, value)):
        return {**row, "kind": "lists", "lists": [list(item) for item in value]}
    raise TypeError(
        f"{label}.{name} is a {type(value).__name__}; stages learn numeric arrays and tuples of text only"
    )


def _texts(value: Any) -> bool:
    return isinstance(value, tuple | list) and all(isinstance(item, str) for item in value)


def _value(row: Mapping[str, Any]) -> Any:
    if row["kind"] == "texts":
        return _all_there(row["texts"])
    if row["kind"] == "lists":
        return tuple(map(_all_there, _all_there(row["lists"])))
    if row["kind"] != "array":
        raise ValueError(f"a value of an unknown kind {row['kind']!r}")
    if row["dtype"] not in _DTYPES:
        raise ValueError(f"an array of an unknown dtype {row['dtype']!r}")
    dtype, shape = np.dtype(row["dtype"]), _all_there(row["shape"])
    if any(size < 0 for size in shape):
        raise ValueError(f"an array of the shape {shape}")
    # A copy: it is writable memory of its own, aligned, and keeps nothing of the file alive.
    return np.frombuffer(row["data"], dtype).reshape(shape).copy()


def _all_there(items: Any) -> tuple[Any, ...]:
    if items is None or any(item is None for item in items):
        raise ValueError("a part is missing")
    return tuple(items)
