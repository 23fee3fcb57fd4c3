"""What Arrow stores to what a kernel reads, a block at a time."""

from __future__ import annotations

from functools import cache

import numpy as np

from engine.jit.cache import compile_kernel
from engine.jit.direct import address

_HEAD = '''\
"""Emitted by the engine's compiler: how a column of {dtype} is read."""

from engine.jit.bitmap import blank, is_there
from numpy import int64

from engine.jit.functions import float64
from engine.jit.lowlevel import float32s, float64s, int8s, int16s, int32s, int64s
from engine.jit.lowlevel import uint8s, uint16s, uint32s, uint64s


def kernel(rows, values, valid, first, out, codes):
    x = {dtype}s(values)
'''

_NUMBERS = """\
    o = float64s(out)
    for i in range(rows):
        o[i] = float64(x[i])
    if valid:
        blank(o, valid, first, rows)
"""

_CODES = """\
    o, c = int32s(out), int32s(codes + 8)
    last = int64s(codes)[0]  # the place of the missing one's
    for i in range(rows):
        at = last
        if not valid or is_there(valid, first + i):
            at = int64(x[i])
        o[i] = c[at] if 0 <= at < last else c[last]
"""


@cache
def loader(char: str, coded: bool) -> int:
    """The address of ``load(rows, values, valid, first, out, codes)``.

    Parameters
    ----------
    char : str
        NumPy's character for an integer type, float32 or float64.
    coded : bool
        The values are places in ``codes``: an int64, the place of the missing one's, then int32. Otherwise
        they are numbers, and become float64.
    """
    dtype = np.dtype(char).name
    return address(compile_kernel(_HEAD.format(dtype=dtype) + (_CODES if coded else _NUMBERS)))
