"""The texts behind category codes, which XGBoost (from 3.1 on) keeps in models trained on data frames.

Source: ``src/data/cat_container.cc`` of XGBoost.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any

import numpy as np


def kept_texts(model: Mapping[str, Any], n_features: int) -> tuple[tuple[str, ...], ...]:
    """The texts of each feature's categories in the order of their codes; nothing at all if none are kept.

    A feature with texts beyond ASCII has none here: XGBoost doesn't keep those well.

    Parameters
    ----------
    model : mapping
        The part of a document that holds the trees.
    n_features : int

    Raises
    ------
    ValueError
        It holds something else.

    Examples
    --------
    >>> encoded = {"offsets": [0, 2, 3], "values": [65, 65, 66]}
    >>> kept_texts({"cats": {"enc": [{"offsets": [], "values": []}, encoded]}}, 2)
    ((), ('AA', 'B'))
    """
    kept = model.get("cats") or {}
    encoded = list(kept.get("enc", ()))
    if not encoded:
        return ()
    if len(encoded) != n_features:
        raise ValueError(f"it keeps the categories of {len(encoded)} features of {n_features}")
    return tuple(_texts(found) for found in encoded)


def _texts(found: Mapping[str, Any]) -> tuple[str, ...]:
    values = np.asarray(found.get("values", ()))
    if "offsets" not in found:
        if len(values) and values.dtype.kind not in "iu":
            raise ValueError("its categories are neither texts nor whole numbers")
        texts = tuple(map(str, values.tolist()))
    else:
        offsets = np.asarray(found["offsets"])
        if not len(offsets):
            return ()
        if offsets.dtype.kind not in "iu" or values.dtype.kind not in "iu" or (np.diff(offsets) < 0).any():
            raise ValueError("its categories are damaged")
        if offsets[0] != 0 or offsets[-1] != len(values):
            raise ValueError("its categories are damaged")
        data = values.astype(np.uint8).tobytes()
        if not data.isascii():
            # XGBoost 3.2 counts letters where it should count bytes; which release made them, nobody can tell
            return ()
        ends = offsets.tolist()
        texts = tuple(data[start:end].decode("ascii") for start, end in itertools.pairwise(ends))
    if len(set(texts)) < len(texts):
        raise ValueError("it keeps a category twice")
    return texts
