"""The functions that ``import engine`` offers."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import pyarrow as pa

from engine.config.config import Config
from engine.errors import BundleError
from engine.pipeline import Fitted, Pipeline, prepared


def fit(
    config: Config,
    table: pa.Table,
    *,
    text: bool = False,
    progress: Callable[[int, int, str], None] = lambda done, total, what: None,
) -> Pipeline:
    """Fit a pipeline.

    Parameters
    ----------
    config : Config
        From `compose`.
    table : pyarrow.Table
        Labelled rows.
    text : bool
        Every column is text to parse, as a CSV file's are.
    progress : callable
        ``progress(done, total, what)``.

    Raises
    ------
    ConfigError, DataError
    """
    from engine.plan.build import build_plan
    from engine.training.fit import fit_plan

    return fit_plan(build_plan(config), table, text=text, overrides=config.overrides, progress=progress)


def build(config: Config) -> Pipeline:
    """A pipeline that has nothing to learn: every stage states its numbers and its model.

    Raises
    ------
    ConfigError
        A stage would have to learn.
    ModelError
        A model can't be read, or doesn't fit its features.
    """
    from engine.plan.build import build_plan

    plan = build_plan(config)
    return Pipeline(plan, prepared(plan), None, config.overrides)


def load(path: str | os.PathLike[str], *, check: bool = True) -> Pipeline:
    """Load a bundle: its folder (the version in use) or the folder of a version.

    Parameters
    ----------
    path : path
    check : bool
        Score the golden rows and compare: the same bits on the kind of machine that wrote the bundle.

    Raises
    ------
    BundleError
        It is damaged, unsafe or of another format, or answers its golden rows otherwise.
    """
    from engine.bundle import read

    pipeline = _from_contents(read(path))
    if check:
        check_golden(pipeline, str(path))
    return pipeline


def _from_contents(contents: Any) -> Pipeline:
    from engine.plan.build import build_plan

    plan = build_plan(Config(contents.config, (), {"pipeline": "the bundle"}))
    fitted = Fitted(contents.metrics, {}, contents.golden, contents.profile, contents.data, contents.libm)
    return Pipeline(plan, contents.learned, fitted, contents.overrides)


def check_golden(pipeline: Pipeline, where: str) -> None:
    """Score a bundle's golden rows and compare them with their answers.

    On the kind of machine that wrote the bundle the bits must be the same; on another, scores may differ by
    1e-6 relative.

    Raises
    ------
    BundleError
        An answer differs.
    """
    from engine.expr.libm import fingerprint
    from engine.golden import first_difference

    golden = pipeline.fitted.golden if pipeline.fitted else None
    if golden is None or not golden.num_rows:
        return
    same_machine = pipeline.fitted is not None and pipeline.fitted.libm in ("", fingerprint())
    found = first_difference(pipeline, golden, exact=same_machine)
    if found:
        raise BundleError(
            f"{where}: answers a golden row otherwise than when it was fitted\n  {found}\n"
            "  The model, a stage or a package changed what it computes; fit again on this machine"
        )
