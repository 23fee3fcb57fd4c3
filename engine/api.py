"""The functions that ``import engine`` offers."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import pyarrow as pa

from engine.config.config import Config
from engine.errors import BundleError
from engine.fitted import Fitted
from engine.pipeline import Pipeline
from engine.plan.prepare import prepared
from engine.registry import Registry

if TYPE_CHECKING:
    from engine.bundle import Contents


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

    _expect_config(config)
    if not isinstance(table, pa.Table):
        raise TypeError(
            f"fit takes a pyarrow.Table, not {type(table).__name__}: "
            "pyarrow.table(columns), or pyarrow.Table.from_pandas(frame), makes one"
        )
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

    _expect_config(config)
    plan = build_plan(config)
    return Pipeline(plan, prepared(plan), None, config.overrides)


def load(
    path: str | os.PathLike[str], *, plugins: Sequence[str | os.PathLike[str]] = (), check: bool = True
) -> Pipeline:
    """Load a bundle: its folder (the version in use) or the folder of a version.

    Parameters
    ----------
    path : path
    plugins : sequence of path
        Folders with plugins of your own. A bundle never names any itself.
    check : bool
        Score the golden rows and compare: the same bits on the kind of machine that wrote the bundle.

    Raises
    ------
    BundleError
        It is damaged, unsafe, of another format or of other plugins, or answers its golden rows otherwise.
    """
    from engine.bundle import read

    return load_contents(read(path), str(path), plugins=plugins, check=check)


def load_contents(
    contents: Contents, where: str, *, plugins: Sequence[str | os.PathLike[str]] = (), check: bool = True
) -> Pipeline:
    """The pipeline of a bundle that was read already; ``where`` is what messages call it.

    Raises
    ------
    BundleError
        It is of other plugins, or answers its golden rows otherwise.
    """
    from engine.bundle import check_plugin_versions
    from engine.plan.build import build_plan

    registry = Registry(plugins)
    names = set(registry.names())
    installed = {use: registry.load(use).version for use in contents.plugin_versions if use in names}
    check_plugin_versions(contents.plugin_versions, installed, where)
    plan = build_plan(Config(contents.config, (), {"pipeline": "the bundle"}), registry)
    fitted = Fitted(contents.metrics, {}, contents.golden, contents.profile, contents.data, contents.origin)
    pipeline = Pipeline(plan, contents.learned, fitted, contents.overrides)
    if check:
        check_golden(pipeline, where)
    return pipeline


def check_golden(pipeline: Pipeline, where: str) -> None:
    """Score a bundle's golden rows and compare them with their answers.

    On the kind of machine that wrote the bundle the bits must be the same; on another, scores may differ by
    1e-6 relative.

    Raises
    ------
    BundleError
        An answer differs.
    """
    from engine.bundle import this_origin
    from engine.golden import first_difference

    golden = pipeline.fitted.golden if pipeline.fitted else None
    if golden is None or not golden.num_rows:
        return
    origin = pipeline.fitted.origin if pipeline.fitted else {}
    found = first_difference(pipeline, golden, exact=origin in ({}, this_origin()))
    if found:
        raise BundleError(
            f"{where}: answers a golden row otherwise than when it was fitted\n  {found}\n"
            "  The model, a stage or a package changed what it computes; fit again on this machine"
        )


def _expect_config(config: object) -> None:
    if not isinstance(config, Config):
        raise TypeError(
            f"expected a Config, not {type(config).__name__}: engine.compose(['pipeline=NAME']) makes one"
        )
