"""A plan: stages bound to typed options, in order, checked column by column; no data seen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from engine.expr.graph import Expr
from engine.schema import Input
from engine.stage import Stage

SplitKind = Literal["time", "random", "group", "kfold"]


@dataclass(frozen=True, slots=True)
class Target:
    """What a model learns to predict; read by fit and evaluate only.

    Parameters
    ----------
    column : str
        A column of the training table; empty when ``value`` is given.
    value : str
        An expression over columns of the training table; empty when ``column`` is given.
    columns : tuple of str
        Several columns, each a target of its own.
    lower, upper : str
        Columns between which the target lies, such as a time that is not over yet: there, ``upper`` is
        missing.
    """

    column: str = ""
    value: str = ""
    columns: tuple[str, ...] = ()
    lower: str = ""
    upper: str = ""

    @property
    def reads(self) -> tuple[str, ...]:
        """The columns that it is made of."""
        from engine.expr.language import names

        if self.value:
            return tuple(names(self.value))
        return tuple(name for name in (self.column, *self.columns, self.lower, self.upper) if name)

    @property
    def text(self) -> str:
        """What it is, for messages."""
        return self.value or ", ".join(self.reads)


@dataclass(frozen=True, slots=True)
class Split:
    """How labelled rows are parted into train, valid and test.

    Parameters
    ----------
    kind : {"time", "random", "group", "kfold"}
    column : str
        The timestamp (or number) to sort by, or the group's column.
    valid, test : float
        Shares of the rows; by time, test is the latest and valid comes before it.
    gap : float
        By time: how much lies between two parts, in seconds for a timestamp, else in the column's own unit.
    seed : int or None
        None: the config's seed.
    part : {"", "train", "valid", "test"}
        What ``evaluate`` uses; empty: all labelled rows of its source.
    """

    kind: SplitKind = "random"
    column: str = ""
    valid: float = 0.15
    test: float = 0.15
    gap: float = 0.0
    seed: int | None = None
    part: Literal["", "train", "valid", "test"] = ""


@dataclass(frozen=True, slots=True)
class PlannedStage:
    """One labelled stage of a plan.

    Parameters
    ----------
    label : str
    stage : Stage
        The plugin with its options bound.
    columns : tuple of str
        Selectors as written: names, globs, kinds (``numbers``); empty: all that the stage accepts.
    into : str
        Empty: the stage's own naming.
    drop : bool
        Whether the selected columns go.
    defined : str
        Where the stage is defined, for messages.
    """

    label: str
    stage: Stage
    columns: tuple[str, ...] = ()
    into: str = ""
    drop: bool = False
    defined: str = ""


@dataclass(frozen=True)
class Plan:
    """What a pipeline will do.

    Parameters
    ----------
    name : str
    inputs : tuple of Input
    stages : tuple of PlannedStage
        In the order in which they run, without those switched off.
    keep : tuple of str
        Columns of the source carried to the output untouched.
    outputs : tuple of str or None
        The output columns behind ``keep``; None: scores, then decisions.
    target, split, weight, group, seed, golden
        Read by fit and evaluate only.
    config : mapping
        The pipeline's keys as plain JSON values: what a bundle stores, and what binds to this plan again.
    """

    name: str
    inputs: tuple[Input, ...]
    stages: tuple[PlannedStage, ...]
    keep: tuple[str, ...] = ()
    outputs: tuple[str, ...] | None = None
    target: Target | None = None
    target_expr: Expr | None = None
    split: Split = field(default_factory=Split)
    weight: str = ""
    group: str = ""
    seed: int = 0
    golden: int = 64
    config: Mapping[str, Any] = field(default_factory=dict)

    def stage(self, label: str) -> PlannedStage:
        """The stage of this label."""
        return next(planned for planned in self.stages if planned.label == label)
