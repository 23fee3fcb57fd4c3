"""What the installed XGBoost predicts, here or in a child process.

XGBoost ends the process on some damaged models, so one that comes from a file is first read by a child. The
child runs this file by itself: it imports nothing of the engine.
"""

from __future__ import annotations

import io
import os
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

_REFUSED = 3
_SECONDS, _SECONDS_A_MEGABYTE = 60.0, 1.0
_BYTES, _TIMES = 16 * 2**30, 64
"""Address space that a child may take, and how much more for each byte that it is sent."""
_QUIET = {
    "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": "",
}  # fmt: skip
"""One thread is enough, and no other processor has a say."""


class RefusedError(Exception):
    """XGBoost can't load or score the model; the text is its reason."""


class CrashedError(Exception):
    """XGBoost ended the child process; the text says how."""


class FailedError(Exception):
    """The child process failed for a reason of its own; the text is the last that it said."""


def predict(
    data: bytes, rows: NDArray[np.float32] | None, margin: bool = False, given: int = 0
) -> NDArray[np.float32]:
    """Predictions of the installed XGBoost, which this imports.

    They are those of ``inplace_predict``, but for DART before XGBoost 3.3, where ``predict`` is right, and
    for linear models, which ``inplace_predict`` refuses.

    Parameters
    ----------
    data : bytes
        The model, UBJSON or JSON.
    rows : float32 array, shape (n, n_features), or None
        None: two rows, zero and missing.
    margin : bool
        Margins in place of predictions.
    given : int
        How many of the last features are base margins.
    """
    import xgboost

    booster = xgboost.Booster({"nthread": 1}, model_file=bytearray(data))
    if rows is None:
        rows = np.zeros((2, booster.num_features()), np.float32)
        rows[1] = np.nan
    features = np.ascontiguousarray(rows[:, : rows.shape[1] - given])
    base = np.ascontiguousarray(rows[:, rows.shape[1] - given :]) if given else None
    major, minor = map(int, xgboost.__version__.split(".")[:2])
    config = booster.save_config().replace(" ", "")
    if '"name":"gblinear"' in config or ((major, minor) < (3, 3) and '"name":"dart"' in config):
        matrix = xgboost.DMatrix(
            features,
            nthread=1,
            base_margin=base,
            feature_types=booster.feature_types,
            enable_categorical=True,
        )
        found: Any = booster.predict(matrix, output_margin=margin, validate_features=False)
    else:
        kind = "margin" if margin else "value"
        found = booster.inplace_predict(
            features, predict_type=kind, base_margin=base, validate_features=False
        )
    return np.asarray(found, np.float32)


def predict_apart(
    data: bytes, rows: NDArray[np.float32] | None, margin: bool = False, given: int = 0
) -> NDArray[np.float32]:
    """The same in a child process.

    Raises
    ------
    RefusedError
    CrashedError
        Or it took too long.
    FailedError
    """
    sent = _bytes(np.zeros((0, 0), np.float32) if rows is None else rows)
    seconds = _SECONDS + _SECONDS_A_MEGABYTE * (len(sent) + len(data)) / 2**20
    environment = {**os.environ, **_QUIET, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    try:
        done = subprocess.run(
            # -P: the files beside this one are no modules of their own.
            [sys.executable, "-P", str(Path(__file__)), str(int(margin)), str(given)],
            input=sent + data,
            capture_output=True,
            timeout=seconds,
            check=False,
            env=environment,
        )
    except subprocess.TimeoutExpired:
        raise CrashedError(f"it takes more than {seconds:,.0f} seconds") from None
    except OSError as error:
        raise FailedError(str(error)) from error
    text = done.stderr.decode("utf-8", "replace")
    if done.returncode == _REFUSED:
        raise RefusedError(text)
    if done.returncode < 0:
        raise CrashedError(f"it ends the process with signal {-done.returncode}")
    if done.returncode:
        raise FailedError(text.strip().rpartition("\n")[2] or f"it ended with status {done.returncode}")
    try:
        found: NDArray[np.float32] = np.load(io.BytesIO(done.stdout), allow_pickle=False)
    except (ValueError, EOFError) as error:
        raise FailedError(f"it gave no array: {error}") from error
    return found


def _bytes(array: NDArray[np.float32]) -> bytes:
    made = io.BytesIO()
    np.save(made, array, allow_pickle=False)
    return made.getvalue()


def _main() -> int:
    sent = sys.stdin.buffer.read()
    most = _BYTES + _TIMES * len(sent)
    hard = resource.getrlimit(resource.RLIMIT_AS)[1]
    resource.setrlimit(resource.RLIMIT_AS, (most if hard < 0 else min(most, hard), hard))
    source = io.BytesIO(sent)
    rows = np.load(source, allow_pickle=False)
    # What XGBoost prints must not get between the numbers.
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    import xgboost

    try:
        margin, given = map(int, sys.argv[1:])
        found = predict(source.read(), rows if rows.shape[1] else None, bool(margin), given)
    except (xgboost.core.XGBoostError, ValueError) as error:
        sys.stderr.write(str(error))
        return _REFUSED
    out.write(_bytes(found))
    out.flush()
    return 0


if __name__ == "__main__":
    sys.exit(_main())
