"""MurmurHash3_x86_32, of one text and of many (A. Appleby, public domain:
https://github.com/aappleby/smhasher/blob/master/src/MurmurHash3.cpp).

Texts of some bytes are hashed side by side, four bytes of each at a time; long ones by themselves.
"""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
from numpy.typing import NDArray

_C1, _C2, _ADD, _F1, _F2, _32 = 0xCC9E2D51, 0x1B873593, 0xE6546B64, 0x85EBCA6B, 0xC2B2AE35, 0xFFFFFFFF
_SHORT = 256
"""Bytes of a text that is hashed beside others, or by itself without NumPy."""


def murmur3(content: bytes, seed: int = 0) -> int:
    """The hash, from 0 to 2**32 - 1.

    >>> hex(murmur3(b"Hello, world!", 0x9747B28C))
    '0x24884cba'
    """
    h, size = seed, len(content)
    count = size // 4
    if size > _SHORT:
        for word in _mixed(np.frombuffer(content, "<u4", count)).tolist():
            h ^= word
            h = ((h << 13 | h >> 19) * 5 + _ADD) & _32
    else:
        for word in struct.unpack_from(f"<{count}I", content):
            word = word * _C1 & _32
            h ^= (word << 15 | word >> 17) * _C2 & _32
            h = ((h << 13 | h >> 19) * 5 + _ADD) & _32
    word = int.from_bytes(content[4 * count :], "little") * _C1 & _32
    h ^= (word << 15 | word >> 17) * _C2 & _32
    h ^= size & _32
    h = (h ^ h >> 16) * _F1 & _32
    h = (h ^ h >> 13) * _F2 & _32
    return h ^ h >> 16


def murmur3_all(
    content: NDArray[np.uint8], starts: NDArray[np.int64], ends: NDArray[np.int64], seed: int = 0
) -> NDArray[np.uint32]:
    """The hash of each piece of some bytes.

    Parameters
    ----------
    content : uint8 array
    starts, ends : int64 array, shape (n,)
        Where each piece begins, and where it has ended.
    seed : int

    Returns
    -------
    uint32 array, shape (n,)
    """
    sizes = ends - starts
    found: NDArray[np.uint32] = np.full(len(sizes), seed, np.uint32)
    short = sizes <= _SHORT
    rows = np.flatnonzero(short & (sizes >= 4))
    at, left = starts[rows], sizes[rows] // 4
    while len(rows):
        h = found[rows] ^ _mixed(_words(content, at))
        found[rows] = _rotated(h, 13) * np.uint32(5) + np.uint32(_ADD)
        more = left > 1
        rows, at, left = rows[more], at[more] + 4, left[more] - 1
    for size in (1, 2, 3):
        rows = np.flatnonzero(short & (sizes % 4 == size))
        word = np.zeros(len(rows), np.uint32)
        for i in range(size):
            word |= content[ends[rows] - size + i].astype(np.uint32) << np.uint32(8 * i)
        found[rows] ^= _mixed(word)
    found ^= sizes.astype(np.uint32)
    for shift, factor in ((16, _F1), (13, _F2)):
        found = (found ^ (found >> np.uint32(shift))) * np.uint32(factor)
    found ^= found >> np.uint32(16)
    for row in np.flatnonzero(~short).tolist():
        found[row] = murmur3(content[starts[row] : ends[row]].tobytes(), seed)
    return found


# Products of 32 bits lose their upper bits, as they must.


def _words(content: NDArray[np.uint8], at: NDArray[np.int64]) -> NDArray[np.uint32]:
    """The four bytes at each place as one number."""
    found: NDArray[np.uint32] = np.lib.stride_tricks.sliding_window_view(content, 4)[at].view("<u4")[:, 0]
    return found


def _rotated(x: Any, by: int) -> Any:
    return (x << np.uint32(by)) | (x >> np.uint32(32 - by))


def _mixed(words: Any) -> Any:
    return _rotated(words * np.uint32(_C1), 15) * np.uint32(_C2)
