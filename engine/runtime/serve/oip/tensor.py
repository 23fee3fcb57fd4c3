"""A named column of a request or an answer, as the protocol has it."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa


@dataclass(frozen=True, slots=True)
class Tensor:
    """One column.

    Parameters
    ----------
    name : str
    datatype : str
        ``BOOL``, ``UINT8`` … ``UINT64``, ``INT8`` … ``INT64``, ``FP16``, ``FP32``, ``FP64`` or ``BYTES``.
    shape : tuple of int
        ``(n,)`` or ``(n, 1)``.
    values : pyarrow.Array, shape (n,)
        Numbers and truths as Arrow has them; BYTES as ``pa.string()`` or, where some are no UTF-8,
        ``pa.binary()``; values of JSON as `engine.decode.json_cells.column` makes them.
    json : bool
        The values came as JSON: each is taken or refused by itself.
    """

    name: str
    datatype: str
    shape: tuple[int, ...]
    values: pa.Array
    json: bool = False
