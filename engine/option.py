"""Options of plugins: annotated attributes that say what they mean and which values they take."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class OptionInfo:
    """What binding and documentation know of one option, besides its name, type and default."""

    help: str = ""
    runtime: bool = False
    ge: float | None = None
    gt: float | None = None
    le: float | None = None
    lt: float | None = None
    choices: tuple[Any, ...] | None = None


_REQUIRED: Any = dataclasses.MISSING


def option(
    default: Any = _REQUIRED,
    *,
    help: str = "",
    runtime: bool = False,
    ge: float | None = None,
    gt: float | None = None,
    le: float | None = None,
    lt: float | None = None,
    choices: Sequence[Any] | None = None,
) -> Any:
    """An option of a stage, with what it means and which values it takes.

    Parameters
    ----------
    default : object
        Left out: the option is required. Lists and dicts are copied for each stage.
    help : str
        One line for `engine stages NAME`.
    runtime : bool
        Changing it needs no refit: it may be overridden on a saved bundle.
    ge, gt, le, lt : float
        Bounds of a number.
    choices : sequence
        The values allowed.
    """
    info = OptionInfo(help, runtime, ge, gt, le, lt, tuple(choices) if choices is not None else None)
    metadata = {"option": info}
    if isinstance(default, list | dict):
        return field(default_factory=default.copy, metadata=metadata)
    return field(default=default, metadata=metadata)


def option_info(item: dataclasses.Field[Any]) -> OptionInfo:
    """What is known of an option, given its dataclass field."""
    info: OptionInfo = item.metadata.get("option", OptionInfo())
    return info
