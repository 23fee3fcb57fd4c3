"""The installed XGBoost as the scorer, through one C entry for blocks and for single rows.

``Booster.inplace_predict`` spends more time in Python than in trees when it scores one row, so the C entry
that it ends in, ``XGBoosterPredictFromDense``, is called directly.
"""

from __future__ import annotations

import ctypes
import itertools
import json
import re
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from engine.errors import ModelError
from engine.forest.model import Model, read_model
from engine.forest.scoring import PLAIN, Scoring

if TYPE_CHECKING:
    import xgboost


def _arguments(margin: bool) -> bytes:
    """Predictions or margins, all trees; the keys of `Booster.inplace_predict`, XGBoost 3.0 to 3.4."""
    return json.dumps(
        {
            "type": int(margin),
            "training": False,
            "iteration_begin": 0,
            "iteration_end": 0,
            "missing": float("nan"),
            "strict_shape": False,
            "cache_id": 0,
        }
    ).encode()


_MOST_BUFFERS = 256


def load_booster(data: bytes, where: str) -> xgboost.Booster:
    """The booster of a saved model, checked by `read_model` or about to be.

    Parameters
    ----------
    data : bytes
        UBJSON or JSON.
    where : str
        The file, for messages.

    Raises
    ------
    ModelError
        XGBoost refuses it.
    """
    import xgboost

    try:
        return xgboost.Booster({"nthread": 1}, model_file=bytearray(data))
    except (xgboost.core.XGBoostError, ValueError) as error:
        version = xgboost.__version__
        raise ModelError(f"{where}: XGBoost {version} can't load it: {first_line(error)}") from error


def first_line(error: BaseException) -> str:
    """The first line of an XGBoost error that says something, without its time stamp and source file.

    >>> first_line(ValueError("[12:00:00] /x/src/a.cc:40: value -1 for eta is too small\\nStack trace:"))
    'value -1 for eta is too small'
    """
    for line in str(error).splitlines():
        text = re.sub(r"^\[\d\d:\d\d:\d\d\]\s*(?:/?\S+\.(?:cc|cu|h|cuh):\d+:)?\s*", "", line).strip()
        text = re.sub(r"^Check failed: .*?: (?=\S)", "", text)
        if text and not text.startswith(("Stack trace", "[bt]")):
            return text.rstrip(". ") if text.endswith(". ") else text
    return type(error).__name__


class _Buffers:
    """What one C call reads and writes, kept for arrays that stay in place."""

    def __init__(self, address: int, rows: int, features: int) -> None:
        self.interface = ctypes.c_char_p(_interface(address, rows, features))
        self.shape = ctypes.POINTER(ctypes.c_uint64)()
        self.dims = ctypes.c_uint64()
        self.result = ctypes.POINTER(ctypes.c_float)()
        self.references = (ctypes.byref(self.shape), ctypes.byref(self.dims), ctypes.byref(self.result))


def _interface(address: int, rows: int, features: int) -> bytes:
    # https://numpy.org/doc/stable/reference/arrays.interface.html, as JSON: XGBoost's way to take an array.
    return b'{"data":[%d,true],"shape":[%d,%d],"strides":null,"typestr":"<f4","version":3}' % (
        address, rows, features,
    )  # fmt: skip


class XGBoostScorer:
    """Scores with the installed XGBoost; equal to `Booster.inplace_predict` bit for bit.

    Every call runs on the thread that makes it: XGBoost's own pool is never used, so calls from several
    threads don't disturb each other, and a process may fork after scoring.

    DART before XGBoost 3.3 follows ``Booster.predict(DMatrix)``, from which ``inplace_predict`` differs, and
    so do linear models, which that refuses. A DMatrix refuses infinities, so ±inf is scored as the greatest
    and least float32: for DART the same but for a split exactly there.

    Parameters
    ----------
    model : Model or bytes
        What `read_model` returned, or the saved model itself.
    where : str
        The file or stage, for messages.
    scoring : Scoring
        What is wanted of it. With base margins, a row takes XGBoost's own way through Python.

    Raises
    ------
    ModelError
        XGBoost can't load the model.

    Examples
    --------
    >>> import numpy as np, xgboost
    >>> X = np.arange(8, dtype=np.float32).reshape(4, 2)
    >>> booster = xgboost.train({"max_depth": 2}, xgboost.DMatrix(X, [0, 0, 1, 1]), 3)
    >>> scorer = XGBoostScorer(bytes(booster.save_raw("ubj")))
    >>> np.array_equal(scorer.many(X)[:, 0], booster.inplace_predict(X))
    True
    """

    def __init__(self, model: Model | bytes, where: str = "the model", scoring: Scoring = PLAIN) -> None:
        import xgboost
        from xgboost.core import _LIB

        facts = model if isinstance(model, Model) else read_model(model, where)
        self._given = facts.n_margins if scoring.base_margin else 0
        self.n_features = facts.n_features + self._given
        self.n_outputs = facts.n_margins if scoring.margin else facts.n_outputs
        self.used = facts.used | frozenset(range(facts.n_features, self.n_features))
        version = xgboost.__version__
        self.note = f"XGBoost {version}: {facts.objective}{scoring.name}, {facts.n_trees:,} trees"
        self._margin = scoring.margin
        self._where = where
        self._booster = load_booster(facts.ubj, where)
        self._handle = self._booster.handle
        self._predict = _LIB.XGBoosterPredictFromDense
        self._error = _LIB.XGBGetLastError
        self._arguments = ctypes.c_char_p(_arguments(scoring.margin))
        self._no_proxy = ctypes.c_void_p()
        self._buffers: dict[tuple[int, int], _Buffers] = {}
        self._matrix_lock = threading.Lock()
        # the entry for rows in memory refuses linear models
        self._by_matrix = facts.booster == "gblinear" or (
            facts.booster == "dart" and _version(version) < (3, 3)
        )
        # The first call configures the booster, which must not happen in two threads at once.
        self.many(np.zeros((1, self.n_features), np.float32))

    def many(self, features: NDArray[np.float32], threads: int = 1) -> NDArray[np.float32]:
        """Scores of a block of rows.

        Parameters
        ----------
        features : float32 array, shape (n, n_features)
            C-contiguous; missing as NaN, infinities allowed.
        threads : int
            How many threads share the rows; the answers are the same.

        Returns
        -------
        float32 array, shape (n, n_outputs)

        Raises
        ------
        ModelError
            Another number of features.
        """
        rows = np.ascontiguousarray(features, np.float32)
        if rows.ndim != 2 or rows.shape[1] != self.n_features:
            raise ModelError(f"{self._where} takes {self.n_features} features, not shape {rows.shape}")
        scores = np.empty((len(rows), self.n_outputs), np.float32)
        if threads <= 1 or len(rows) < 2 * threads:
            self._block(rows, scores)
            return scores
        edges = np.linspace(0, len(rows), threads + 1).astype(int).tolist()
        with ThreadPoolExecutor(threads) as pool:
            parts = [
                pool.submit(self._block, rows[start:end], scores[start:end])
                for start, end in itertools.pairwise(edges)
            ]
        for part in parts:
            part.result()
        return scores

    def one(self, features: NDArray[np.float32], scores: NDArray[np.float32]) -> None:
        """Score one row in place, the same bits as `many`.

        Parameters
        ----------
        features : float32 array, shape (n_features,)
        scores : float32 array, shape (n_outputs,)
            Written. Both arrays are C-contiguous and the caller's own: one thread at a time.

        Raises
        ------
        ModelError
            An array of another size or type.
        """
        if features.shape != (self.n_features,) or scores.shape != (self.n_outputs,):
            raise ModelError(
                f"{self._where} takes {self.n_features} features for {self.n_outputs} scores, "
                f"not shapes {features.shape} for {scores.shape}"
            )
        for array in (features, scores):
            if array.dtype != np.float32 or not array.flags.c_contiguous:
                raise ModelError(f"{self._where} takes and gives float32 side by side, not {array.dtype}")
        key = (features.ctypes.data, scores.ctypes.data)
        buffers = self._buffers.get(key)
        if buffers is None:
            if len(self._buffers) >= _MOST_BUFFERS:
                self._buffers.clear()
            buffers = self._buffers[key] = _Buffers(key[0], 1, self.n_features)
        if self._by_matrix or self._given:
            scores[:] = self._plainly(features.reshape(1, -1))[0]
            return
        self._call(buffers)
        ctypes.memmove(key[1], buffers.result, 4 * self.n_outputs)

    def _block(self, rows: NDArray[np.float32], scores: NDArray[np.float32]) -> None:
        if not len(rows):
            return
        if self._by_matrix or self._given:
            scores[:] = self._plainly(rows)
            return
        buffers = _Buffers(rows.ctypes.data, len(rows), self.n_features)
        self._call(buffers)
        size = 1
        for axis in range(buffers.dims.value):
            size *= buffers.shape[axis]
        if size != scores.size:
            raise ModelError(
                f"{self._where}: XGBoost gave {size:,} scores for {len(rows):,} rows, not {scores.size:,}"
            )
        # The result is in a buffer that XGBoost keeps for this thread and booster, until the next call.
        ctypes.memmove(scores.ctypes.data, buffers.result, 4 * size)

    def _call(self, buffers: _Buffers) -> None:
        failed = self._predict(
            self._handle, buffers.interface, self._arguments, self._no_proxy, *buffers.references
        )  # fmt: skip
        if failed:
            reason = first_line(RuntimeError(self._error().decode("utf-8", "replace")))
            raise ModelError(f"{self._where}: XGBoost can't score it: {reason}")

    def _plainly(self, rows: NDArray[np.float32]) -> NDArray[np.float32]:
        """By what XGBoost offers to everybody."""
        import xgboost

        own = self.n_features - self._given
        features = np.ascontiguousarray(rows[:, :own])
        base = np.ascontiguousarray(rows[:, own:]) if self._given else None
        if self._by_matrix:
            greatest = np.finfo(np.float32).max
            with self._matrix_lock:
                matrix = xgboost.DMatrix(
                    np.clip(features, -greatest, greatest),
                    nthread=1,
                    base_margin=base,
                    feature_types=self._booster.feature_types,
                    enable_categorical=True,
                )
                found: Any = self._booster.predict(
                    matrix, output_margin=self._margin, validate_features=False
                )
        else:
            found = self._booster.inplace_predict(
                features,
                predict_type="margin" if self._margin else "value",
                base_margin=base,
                validate_features=False,
            )
        return np.asarray(found, np.float32).reshape(len(rows), self.n_outputs)


def _version(text: str) -> tuple[int, int]:
    major, minor = text.split(".")[:2]
    return int(major), int(minor)
