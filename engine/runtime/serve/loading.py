"""A version, from its folder to a pipeline that answers without compiling anything."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from dataclasses import dataclass

from engine.config.config import Config
from engine.errors import EngineError, fault
from engine.pipeline import Pipeline
from engine.runtime.serve.holder import warm
from engine.runtime.serve.predictions.settings import PredictionLog

Load = Callable[[Config, str | None], Pipeline]
"""Makes a pipeline of a composed config and the folder of a bundle's version, which it checks."""


@dataclass(frozen=True)
class Loaded:
    """What came of it.

    Parameters
    ----------
    pipeline : Pipeline or None
        Warm; None: it can't be had.
    why : str
        Why it can't.
    code : int
        The exit code that goes with it.
    """

    pipeline: Pipeline | None
    why: str = ""
    code: int = 0


def load_version(load: Load, config: Config, folder: str | None, predictions: PredictionLog) -> Loaded:
    """Load a version, see that its columns can be logged, and warm it; whatever is wrong is said."""
    try:
        pipeline = load(config, folder)
        if predictions.path is not None:
            predictions.check([*dict.fromkeys((*pipeline.inputs, *pipeline.outputs))])
        warm(pipeline)
    except EngineError as error:
        return Loaded(None, str(error), error.exit_code)
    except MemoryError:
        return Loaded(None, "there isn't enough memory for it", 2)
    except (Exception, SystemExit) as error:  # a plugin that exits ends a thread without a word
        return Loaded(None, f"loading it failed: {fault(error)}", 1)
    return Loaded(pipeline)


def step_aside() -> None:
    """Let the processes that answer go first."""
    with contextlib.suppress(OSError):
        os.nice(5)
