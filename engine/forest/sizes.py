"""Sizes that those who lay a forest out and the kernels agree on; numba isn't needed to know them.

Machine code holds them as constants, so this file's text is part of every kernel's name (see
`engine.forest.kernels`).
"""

from __future__ import annotations

TILE = 64
"""Rows that go through a tree together."""
BLOCK = 512
"""Rows whose ranks and sums are kept together: a tree's nodes are read once for all of them."""
MASK = BLOCK // 8
"""Bytes of a block's answers to one comparison, a bit for each row."""
COMPARING = (8 + 128) * MASK
"""Bytes that `engine.forest.vector.compare` works in."""

EXITS = 256
"""Leaves and walks that the listed splits of a tree may lead to: their number is one byte."""
CONSTANTS = EXITS * TILE
"""Bytes at the start of the work space: the number of every exit, once for each row of a tile."""
PLACES = CONSTANTS + EXITS * TILE
"""Where in the work space, behind the answers of listed splits, the rows' places in a walk lie."""
WORK = PLACES + 4 * TILE
"""Bytes that trees of any form work in."""

TREE = 8
"""Numbers (int64) that describe a tree of a block."""
SEARCH = 6
"""Numbers (int64) that describe a search among thresholds."""
COMPARED = 6
"""Numbers (int64) that describe the comparisons of a slot."""

LEAST_LEVELS = 4
"""Levels of the smallest table of thresholds."""
MOST_LEVELS = 8
"""Levels of the greatest table: a rank is one byte."""

GREATEST_CATEGORY = 16_777_216
"""Categories are numbered below this, so that float32 holds each."""
