"""MurmurHash3_x86_32, of one text and of many (A. Appleby, public domain:
https://github.com/aappleby/smhasher/blob/master/src/MurmurHash3.cpp).

Texts of some bytes are hashed side by side, four bytes of each at a time; long ones by themselves.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

_C1, _C2 = 0xCC9E2D51, 0x1B873593
_32 = 0xFFFFFFFF
_SHORT = 256
"""Bytes up to which texts are hashed side by side."""


def murmur3(content: bytes, seed: int = 0) -> int:
    """The hash, from 0 to 2**32 - 1.

    >>> hex(murmur3(b"Hello, world!", 0x9747B28C))
    '0x24884cba'
    """
    h, size = seed, len(content)
    for at in range(0, size - 3, 4):
        h ^= _mixed(int.from_bytes(content[at : at + 4], "little"))
        h = (_rotated(h, 13) * 5 + 0xE6546B64) & _32
    h ^= _mixed(int.from_bytes(content[size - size % 4 :], "little"))
    return int(_finished(h ^ (size & _32)))


def murmur3_all(
    content: NDArray[np.uint8], starts: NDArray[np.int64], ends: NDArray[np.int64], seed: int = 0
) -> NDArray[np.uint64]:
    """The hash of each piece of some bytes.

    Parameters
    ----------
    content : uint8 array
    starts, ends : int64 array, shape (n,)
        Where each piece begins, and where it has ended.
    seed : int

    Returns
    -------
    uint64 array, shape (n,)
    """
    sizes = ends - starts
    found = np.full(len(sizes), seed, np.uint64)
    short = sizes <= _SHORT
    rows = np.flatnonzero(short)
    at, left = starts[rows], sizes[rows] // 4
    while len(rows):
        more = left > 0
        rows, at, left = rows[more], at[more], left[more] - 1
        h = found[rows] ^ _mixed(_word(content, at, 4))
        found[rows] = (_rotated(h, 13) * np.uint64(5) + np.uint64(0xE6546B64)) & np.uint64(_32)
        at = at + 4
    rest = sizes % 4
    for size in (1, 2, 3):
        rows = np.flatnonzero(short & (rest == size))
        found[rows] ^= _mixed(_word(content, ends[rows] - size, size))
    found = np.asarray(_finished(found ^ sizes.astype(np.uint64)), np.uint64)
    for row in np.flatnonzero(~short).tolist():
        found[row] = murmur3(content[starts[row] : ends[row]].tobytes(), seed)
    return found


def _word(content: NDArray[np.uint8], at: NDArray[np.int64], size: int) -> Any:
    word = np.zeros(len(at), np.uint64)
    for i in range(size):
        word |= content[at + i].astype(np.uint64) << np.uint64(8 * i)
    return word


# Python's whole numbers and NumPy's of 64 bits, of which 32 are used: products may lose their upper bits.


def _same(x: Any, number: int) -> Any:
    return number if isinstance(x, int) else np.uint64(number)


def _rotated(x: Any, by: int) -> Any:
    return ((x << _same(x, by)) | (x >> _same(x, 32 - by))) & _same(x, _32)


def _mixed(word: Any) -> Any:
    word = (word * _same(word, _C1)) & _same(word, _32)
    return (_rotated(word, 15) * _same(word, _C2)) & _same(word, _32)


def _finished(h: Any) -> Any:
    h ^= h >> _same(h, 16)
    h = (h * _same(h, 0x85EBCA6B)) & _same(h, _32)
    h ^= h >> _same(h, 13)
    h = (h * _same(h, 0xC2B2AE35)) & _same(h, _32)
    return h ^ (h >> _same(h, 16))
