"""What goes wrong inside a stage that is not built in is its author's to mend, and said as such."""

from __future__ import annotations

import inspect
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from engine.errors import EngineError, UserError
from engine.expr.reached import CallError
from engine.plan.plan import PlannedStage


class StageFailedError(UserError):
    """The code of a stage that is not built in raised an error."""


@contextmanager
def in_stage(planned: PlannedStage) -> Iterator[None]:
    """Turn an error of a stage's own code into one that names the place, for stages of others.

    Raises
    ------
    StageFailedError
        With the file and line. An error of a built-in stage is a bug of the engine, and passes.
    """
    try:
        with calling(planned):
            yield
    except EngineError:
        raise
    except Exception as error:
        file = inspect.getsourcefile(type(planned.stage)) or ""
        if _is_built_in(file):
            raise
        frames = [f for f in traceback.extract_tb(error.__traceback__) if f.filename == file]
        place = f"\n  {file}, line {frames[-1].lineno}: {frames[-1].line}" if frames else f"\n  in {file}"
        raise StageFailedError(
            f"stages.{planned.label}: the stage {planned.stage.use!r} failed: "
            f"{type(error).__name__}: {error}{place}"
        ) from error


@contextmanager
def calling(planned: PlannedStage) -> Iterator[None]:
    """Name the stage whose function can't be called by expressions.

    Raises
    ------
    UserError
    """
    try:
        yield
    except CallError as error:
        raise UserError(f"stages.{planned.label}: {error}") from error


def _is_built_in(file: str) -> bool:
    import engine.plugins

    package = Path(engine.plugins.__file__).parent
    return Path(file).parent in (package, package.parents[1] / "plugins")
