"""The one door for values: what every Arrow type, CSV cell and Python value becomes.

`TableDecoder` takes tables and batches, `RowDecoder` one mapping at a time; for the same value both give
the same bits.
"""

from engine.decode.derive import row_packer
from engine.decode.row import RowDecoder
from engine.decode.table import Decoded, TableDecoder

__all__ = ["Decoded", "RowDecoder", "TableDecoder", "row_packer"]
