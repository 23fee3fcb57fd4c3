"""The native scorer: a forest with its kernels."""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from engine.errors import ModelError
from engine.expr.graph import Expr
from engine.forest.blocks import lay_out_blocks
from engine.forest.faults import UnsupportedError
from engine.forest.fold import fold_forest
from engine.forest.forest import Forest
from engine.forest.kernels import block_kernel, predict_kernel, row_kernel
from engine.forest.row import lay_out_row
from engine.forest.sizes import BLOCK

_WORTH_A_THREAD = 40_000_000
"""Rows times nodes for which a thread is started: about a quarter of a millisecond."""


class NativeScorer:
    """Scores a forest by the engine's own kernels, with XGBoost's bits.

    Parameters
    ----------
    forest : Forest
    where : str
        The file or stage, for messages.

    Attributes
    ----------
    row_address, row_model : int
        For compiled code: ``row_address`` is a C function ``void (int64 × 6)``; called with the addresses of
        a row's float32 features and scores, ``row_model`` and three zeros, it scores the row. It neither
        allocates nor throws, and any number of threads may call it. Valid as long as the scorer lives.
    block_address, block_model : int
        The same for a block of rows: see `engine.forest.batch.score_block`, whose work space is
        `new_work`'s.

    Raises
    ------
    UnsupportedError
        The forest doesn't fit the kernels.
    """

    def __init__(self, forest: Forest, where: str = "the model") -> None:
        self.forest = forest
        self.n_features = forest.n_features
        self.n_outputs = forest.n_outputs
        self.used = forest.used
        self.note = f"native: {forest.objective}{forest.scoring.name}, {forest.trees.n_trees:,} trees"
        self._where = where
        predict = predict_kernel(forest.transform).address
        self._row = lay_out_row(forest, predict)
        kernel = row_kernel()
        self.row_address = kernel.address
        self.row_model = self._row.context.ctypes.data
        self._one = kernel.module.one
        self._blocks = lay_out_blocks(forest, predict, (self.row_address, self.row_model))
        block = block_kernel()
        self.block_address = block.address
        self.block_model = self._blocks.context.ctypes.data
        self._many = block.call
        self._here = threading.local()
        self._pool: tuple[int, ThreadPoolExecutor | None] = (0, None)
        part = _WORTH_A_THREAD // max(1, len(forest.trees.left))
        self._part = max(2, part // BLOCK) * BLOCK

    def many(self, features: NDArray[np.float32], threads: int = 1) -> NDArray[np.float32]:
        """Scores of a block of rows; see `engine.stage.Scorer`.

        Raises
        ------
        ModelError
            Another number of features.
        """
        rows = np.asarray(features, np.float32)
        if not rows.flags.f_contiguous:
            rows = np.ascontiguousarray(rows)
        if rows.ndim != 2 or rows.shape[1] != self.n_features:
            raise ModelError(f"{self._where} takes {self.n_features} features, not shape {rows.shape}")
        scores = np.empty((len(rows), self.n_outputs), np.float32)
        parts = min(threads, len(rows) // self._part)
        if parts <= 1:
            self._block(rows, scores)
            return scores
        edges = (np.linspace(0, len(rows) // self._part, parts + 1).astype(int) * self._part).tolist()
        edges[-1] = len(rows)
        helpers = self._helpers()
        running = [
            helpers.submit(self._block, rows[edges[i] : edges[i + 1]], scores[edges[i] : edges[i + 1]])
            for i in range(1, parts)
        ]
        self._block(rows[: edges[1]], scores[: edges[1]])
        for part in running:
            part.result()
        return scores

    def _helpers(self) -> ThreadPoolExecutor:
        """Threads that stay, because each has memory of its own for blocks; a forked process has none yet."""
        process, pool = self._pool
        if pool is None or process != os.getpid():
            pool = ThreadPoolExecutor(max(1, len(os.sched_getaffinity(0)) - 1), thread_name_prefix="score")
            self._pool = os.getpid(), pool
        return pool

    def one(self, features: NDArray[np.float32], scores: NDArray[np.float32]) -> None:
        """Score one row in place; see `engine.stage.Scorer`.

        Raises
        ------
        ModelError
            An array of another size.
        """
        if len(features) != self.n_features or len(scores) != self.n_outputs:
            raise ModelError(
                f"{self._where} takes {self.n_features} features for {self.n_outputs} scores, "
                f"not {len(features)} for {len(scores)}"
            )
        self._one(features, scores, self.row_address, self.row_model)

    def fold(
        self, features: Mapping[int, tuple[str, Expr]], vocabularies: Mapping[str, Sequence[str]]
    ) -> tuple[Sequence[tuple[str, Expr]], NativeScorer, str] | None:
        """Preparation folded into the model; see `engine.stage.Scorer`."""
        folded = fold_forest(self.forest, features, vocabularies)
        if folded is None:
            return None
        try:
            scorer = NativeScorer(folded.forest, self._where)
        except UnsupportedError:  # its sets take too much memory
            return None
        scorer.note = self.note
        return folded.features, scorer, folded.note

    def new_work(self) -> NDArray[np.uint8]:
        """Memory in which one thread scores blocks."""
        return self._blocks.new_work()

    def _block(self, rows: NDArray[np.float32], scores: NDArray[np.float32]) -> None:
        work = getattr(self._here, "work", None)
        if work is None:
            work = self._here.work = self.new_work()
        steps = np.array([*rows.strides, *scores.strides], np.int64) // 4
        self._many(
            len(rows), rows.ctypes.data, scores.ctypes.data, self.block_model, work.ctypes.data,
            steps.ctypes.data,
        )  # fmt: skip
