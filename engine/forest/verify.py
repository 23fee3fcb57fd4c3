"""Compare a scorer with the installed XGBoost, on rows around the model's own thresholds."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import tempfile
from collections.abc import Callable
from functools import cache
from importlib import metadata
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.forest.forest import Forest, Version
from engine.scorer import Scorer

ROWS = 384
"""Rows that are compared, at most."""
_ONE_BY_ONE = 48
_VALUES = 4_000_000
"""Values of all rows together, at most."""
_POOL = 48
_GREATEST = float(np.finfo(np.float32).max)


@cache
def xgboost_version() -> str:
    """The installed XGBoost's version, without importing it."""
    for name in ("xgboost", "xgboost-cpu"):
        try:
            return metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    import xgboost

    return str(xgboost.__version__)


def release(text: str) -> Version:
    """The release of a version: ``(3, 2)`` of ``3.2.1``."""
    major, minor = text.split(".")[:2]
    return int(major), int(minor)


def rows_around(forest: Forest, rows: int = ROWS, seed: int = 0) -> NDArray[np.float32]:
    """Rows that are hard for this model: its thresholds, one ulp beside, NaN, infinities, zeros, odd codes.

    Parameters
    ----------
    forest : Forest
    rows : int
        How many at most; fewer where there are very many features.
    seed : int

    Returns
    -------
    float32 array, shape (rows, n_features)
    """
    rng = np.random.default_rng(seed)
    trees = forest.trees
    rows = max(1, min(rows, _VALUES // max(1, forest.n_features)))
    out = np.full((rows, forest.n_features), np.nan, np.float32)
    inner = np.flatnonzero(trees.left >= 0)
    inner = inner[np.argsort(trees.feature[inner], kind="stable")]
    edges = np.searchsorted(trees.feature[inner], np.arange(forest.n_features + 1))
    least = -_GREATEST if forest.dart else -np.inf
    odd = np.array([0.0, -0.0, 1e-45, -1e-45, least, -least, 1.0, -1.0], np.float32)
    out[:, forest.first_given :] = (3 * rng.normal(size=(rows, forest.given))).astype(np.float32)
    for feature in sorted(forest.used - set(range(forest.first_given, forest.n_features))):
        nodes = inner[edges[feature] : edges[feature + 1]]
        chosen = rng.choice(nodes, _POOL) if len(nodes) > _POOL else nodes
        exact = trees.threshold[chosen][trees.category[chosen] < 0]
        with np.errstate(over="ignore", under="ignore"):
            near = [exact, *(np.nextafter(exact, np.float32(side)) for side in (np.inf, -np.inf))]
        codes = [trees.sets[number][:8] for number in np.unique(trees.category[chosen]) if number >= 0][:8]
        listed = np.concatenate([np.zeros(0), *codes, *([np.array([0.5, 2.0**24])] if codes else [])])
        beside = (listed[:, None] + [0.0, 1.0, -1.0, 0.25]).ravel()
        pool = np.concatenate([*near, beside]).astype(np.float32)
        if forest.dart:
            pool = np.clip(pool, -_GREATEST, _GREATEST)
        drawn = rng.choice(pool, rows)
        kind = rng.random(rows)
        drawn = np.where(kind < 0.12, rng.choice(odd, rows), drawn)
        out[:, feature] = np.where(kind > 0.86, np.float32(np.nan), drawn)
    return out


def difference(scorer: Scorer, rows: NDArray[np.float32], predicted: NDArray[np.float32]) -> str | None:
    """How a scorer differs from XGBoost on some rows; None: in no bit.

    Parameters
    ----------
    scorer : Scorer
    rows : float32 array, shape (n, n_features)
    predicted : float32 array
        XGBoost's predictions for them, in whatever shape.
    """
    if predicted.size != len(rows) * scorer.n_outputs:
        return f"XGBoost gives {predicted.size} predictions for {len(rows)} rows, not {scorer.n_outputs} each"
    wanted = predicted.reshape(len(rows), scorer.n_outputs)
    for found, way in (
        (scorer.many(rows.copy()), "a block"),
        (scorer.many(rows.copy("F")), "a block of columns"),
        (_one_by_one(scorer, rows), "one row"),
    ):
        part = wanted[: min(len(rows), _ONE_BY_ONE)] if way == "one row" else wanted
        if found.shape != part.shape or found.dtype != np.float32:
            return f"in {way} it gave {found.dtype} of shape {found.shape}, not float32 of {part.shape}"
        differs = found.view(np.uint32) != part.view(np.uint32)
        if differs.any():
            row, column = np.argwhere(differs)[0]
            return f"in {way} it gave {found[row, column]!r} where XGBoost gives {part[row, column]!r}"
    return None


def _one_by_one(scorer: Scorer, rows: NDArray[np.float32]) -> NDArray[np.float32]:
    found = np.empty((min(len(rows), _ONE_BY_ONE), scorer.n_outputs), np.float32)
    for row, scores in zip(rows, found, strict=False):
        scorer.one(row, scores)
    return found


# -- what was found out, kept in the cache folder


def checks_folder() -> Path:
    """Where answers are kept."""
    from engine.jit.folder import cache_folder

    return cache_folder() / "checks"


def remembered(data: bytes, question: str, find_out: Callable[[], str | None]) -> str | None:
    """The answer to a question about a model, found out once for these packages and this processor.

    Parameters
    ----------
    data : bytes
        The model.
    question : str
        Such as ``native``.
    find_out : callable
        Called where the answer isn't known; a text, or None for "nothing is wrong".
    """
    key = {"model": hashlib.sha256(data).hexdigest(), "question": question, **_here()}
    name = hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()[:32]
    path = checks_folder() / f"{name}.json"
    try:
        stored = json.loads(path.read_text())
        if stored["key"] == key and isinstance(stored["answer"], str | None):
            return stored["answer"]
    except (OSError, ValueError, KeyError, TypeError):
        pass
    answer = find_out()
    # A folder that can't be written costs the next load a check, no more.
    with contextlib.suppress(OSError):
        path.parent.mkdir(mode=0o700, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, suffix=".tmp")
        with os.fdopen(handle, "w") as file:
            json.dump({"key": key, "answer": answer}, file)
        Path(temporary).replace(path)
    return answer


def _here() -> dict[str, str]:
    import llvmlite.binding as llvm

    from engine.expr import libm
    from engine.jit.target import level

    return {
        "engine": sources_digest(Path(__file__).parents[1]),
        "xgboost": xgboost_version(),
        "processor": f"{llvm.get_host_cpu_name()} {level()}",
        "libm": libm.fingerprint(),
        **_packages(),
    }


@cache
def sources_digest(root: Path) -> str:
    """Sixteen hex digits that change with what scores: the forest, compilation, the C library's binding."""
    digest = hashlib.sha256()
    for pattern in ("forest/*.py", "jit/*.py", "expr/libm.py"):
        for path in sorted(root.glob(pattern)):
            digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


@cache
def _packages() -> dict[str, str]:
    return {package: metadata.version(package) for package in ("numba", "llvmlite", "numpy")}
