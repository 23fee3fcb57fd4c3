"""What the author of a stage writes: options, what is learned, and the arithmetic.

A stage is a class in a file of its own, decorated with `stage`. Its annotated attributes are its
options; the class becomes a frozen dataclass.

=============  ========================================================================
kind           it
=============  ========================================================================
`ColumnStage`  turns each selected column into another of the same name
`RowStage`     makes new columns out of the selected ones
`SchemaStage`  chooses, drops or renames columns; no arithmetic
`RowFilter`    refuses rows, with a reason
`ArrayStage`   makes new columns by NumPy, outside of kernels
`GroupStage`   the same, from the rows of a group together: a rank, a share
`ScoreStage`   turns the selected columns into a model's scores
=============  ========================================================================

Examples
--------
>>> from engine.stage import ColumnStage, option, stage
>>> @stage("halve")
... class Halve(ColumnStage):
...     '''Divide a number by two, or by another divisor.'''
...
...     by: float = option(2.0, gt=0, help="the divisor", runtime=True)
...
...     def express(self, x, learned):
...         return x / self.by
>>> Halve(by=4.0)
Halve(by=4.0)
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Self, TypeVar, dataclass_transform

import numpy as np
from numpy.typing import NDArray

from engine.declare import Plugin, declare
from engine.declare import option_fields as option_fields
from engine.expr.graph import Expr, as_number
from engine.learning import NOTHING as NOTHING
from engine.learning import FitContext as FitContext
from engine.learning import FitResult as FitResult
from engine.learning import Learned as Learned
from engine.learning import Part as Part
from engine.metric import Objective as Objective
from engine.option import OptionInfo as OptionInfo
from engine.option import option as option
from engine.option import option_info as option_info
from engine.schema import Column, Kind
from engine.scorer import Scorer as Scorer
from engine.values import Values

if TYPE_CHECKING:
    from engine.registry import Registry

COMMON_KEYS = ("use", "enabled", "before", "after", "columns", "drop", "into")
"""Keys that every stage has in a config, besides its options."""


# -- the kinds


class Stage(Plugin):
    """Base of every kind of stage; write one of the kinds below."""

    accepts: ClassVar[tuple[Kind, ...]] = (Kind.NUMBER,)
    """Kinds of column that may be selected."""
    only_named: ClassVar[tuple[Kind, ...]] = ()
    """Accepted kinds that only a column's name, or the kind's own word such as ``categories``, selects."""
    select_all: ClassVar[bool] = False
    """Whether ``columns`` may be left out: it then selects every column of an accepted kind."""
    selects: ClassVar[bool] = True
    """Whether the stage has ``columns`` at all."""

    def check(self, columns: Sequence[Column]) -> Iterable[str]:
        """What is wrong with these options for these columns, a sentence each, without seeing data."""
        return ()

    def told(self, registry: Registry) -> Self:
        """The same stage, which finds in this registry the plugins that its options name."""
        self.__dict__["_registry"] = registry
        return self

    @property
    def registry(self) -> Registry | None:
        """Where the plugins are that its options name; None where nobody said."""
        return self.__dict__.get("_registry")

    def learns(self) -> bool:
        """Whether ``fit`` must see data before the stage can run, with these options."""
        return type(self).fit is not Stage.fit

    def fit(self, columns: Mapping[str, Values], context: FitContext) -> FitResult:
        """Learn from the training rows.

        Parameters
        ----------
        columns : mapping of str to Values
            The selected columns, training rows only (the same as ``context.train.columns``).
        context : FitContext

        Returns
        -------
        Learned
            Numeric arrays and tuples of text by name. In a `ColumnStage` each has one item for each
            column, in their order.
        mapping of str to array, shape (n_rows,), optional
            Behind it, in a tuple: columns that the stage makes, as later stages are to learn from them on the
            training rows. For a stage that learns from the target, and would tell each training row its
            own: what it gives for those is then learned from other rows. Numbers or booleans, by the
            names that ``express`` gives them, in a `ColumnStage` by those that ``fit`` got; an array alone
            for a stage of one column. Columns that are left out are computed as ever.
        """
        raise NotImplementedError

    def prepare(self, columns: Sequence[Column]) -> Learned:
        """What a stage that does not learn has instead: numbers stated for each column, a model from a file.

        Parameters
        ----------
        columns : sequence of Column
            The selected columns.
        """
        return NOTHING


class ColumnStage(Stage):
    """A stage that turns each selected column into another of the same name (or ``into``, for one)."""

    def result(self, kind: Kind) -> Kind:
        """The kind that a column of this kind becomes."""
        return kind

    def express(self, x: Expr, learned: Learned) -> Expr:
        """The new column, given the old one and what was learned for it alone."""
        raise NotImplementedError


class RowStage(Stage):
    """A stage that makes new columns out of the selected ones.

    The originals stay unless the config says ``drop: true``.
    """

    def declare(self, columns: Sequence[Column]) -> Kind | Sequence[Column]:
        """The columns it will make, before data is seen.

        Returns
        -------
        Kind or sequence of Column
            A kind: one column, named by ``into`` (or the stage's label). Columns: these; where names are
            learned, an open one such as ``Column("carrier_*", Kind.NUMBER, open=True)``.
        """
        raise NotImplementedError

    def express(self, columns: Mapping[str, Expr], learned: Learned) -> Expr | Mapping[str, Expr]:
        """The new column, or the new columns by name, as declared."""
        raise NotImplementedError


class SchemaStage(Stage):
    """A stage that chooses, drops or renames columns."""

    accepts: ClassVar[tuple[Kind, ...]] = tuple(Kind)

    def arrange(self, columns: Sequence[str], selected: Sequence[str]) -> Mapping[str, str]:
        """The columns afterwards: new name to old name, in order."""
        raise NotImplementedError


class RowFilter(Stage):
    """A stage that refuses rows, with a reason; it makes no columns.

    A refused row goes where rows go that an input rejects: `predict_one` raises, `predict_many` raises or
    lists it, a batch writes it to the rejects. Later stages don't learn from it, and an `ArrayStage` or
    `GroupStage` behind the filter doesn't get it. The first reason that holds is the one that is given.

    Examples
    --------
    >>> from engine.stage import RowFilter, option, stage
    >>> @stage("at_most")
    ... class AtMost(RowFilter):
    ...     '''Refuse rows in which a column is above a bound; missing passes.'''
    ...
    ...     bound: float = option(runtime=True)
    ...
    ...     def reject(self, columns, learned):
    ...         return {f"{name} is above {self.bound:g}": x > self.bound for name, x in columns.items()}
    >>> from engine.expr.graph import Expr
    >>> from engine.schema import Kind
    >>> AtMost(bound=5.0).reject({"age": Expr.input("age", Kind.NUMBER)}, {})
    {'age is above 5': (age > 5.0)}
    """

    accepts: ClassVar[tuple[Kind, ...]] = (Kind.NUMBER, Kind.BOOLEAN, Kind.CATEGORY, Kind.TIMESTAMP)

    def reject(
        self, columns: Mapping[str, Expr], learned: Learned
    ) -> Expr | Mapping[str, Expr | Mapping[str, Expr]]:
        """Where rows are refused: a boolean expression, or several by the reason that users read.

        A refusal concerns the first column, unless reasons are given by the column that they concern.
        """
        raise NotImplementedError


class ArrayStage(Stage):
    """A stage that makes new columns by NumPy, for what can't be an expression.

    It breaks the fusion: kernels write its columns out, Python calls it, and other kernels read what it made.
    A loop over numbers of one row is better written with `engine.expr.graph.call`, a table with
    `engine.expr.graph.table`.

    Examples
    --------
    >>> import numpy as np
    >>> from engine.schema import Kind
    >>> from engine.stage import ArrayStage, stage
    >>> @stage("hypotenuse")
    ... class Hypotenuse(ArrayStage):
    ...     '''The length of the vector that the selected columns are.'''
    ...
    ...     def declare(self, columns):
    ...         return Kind.NUMBER
    ...
    ...     def compute(self, columns, learned):
    ...         return np.hypot.reduce(list(columns.values()))
    >>> Hypotenuse().compute({"x": np.array([3.0]), "y": np.array([4.0])}, {})
    array([5.])
    """

    accepts: ClassVar[tuple[Kind, ...]] = (Kind.NUMBER, Kind.BOOLEAN, Kind.TIMESTAMP)
    """Numbers, booleans and timestamps alone: a category has no numbers until a stage encodes it."""

    def declare(self, columns: Sequence[Column]) -> Kind | Column | Sequence[Column]:
        """The columns it will make, before data is seen: numbers, booleans or timestamps.

        Returns
        -------
        Kind, Column or sequence of Column
            As of a `RowStage`; a column alone is one that is named as a kind's would be, such as
            ``Column("", Kind.NUMBER, whole=True)``: whole numbers, int64 on output. Where names are learned,
            open ones, and then `outputs` gives the names.
        """
        raise NotImplementedError

    def outputs(self, columns: Sequence[Column], learned: Learned) -> Kind | Column | Sequence[Column]:
        """The columns it makes, once it has learned; as declared, unless names are learned."""
        return self.declare(columns)

    def compute(
        self, columns: Mapping[str, Values], learned: Learned
    ) -> NDArray[Any] | Mapping[str, NDArray[Any]]:
        """The new column, or the new columns by name, as declared.

        Called for blocks of rows and for one row, from several threads at once. What it gives for a row must
        depend on that row alone, to the bit, however many others come with it.

        Parameters
        ----------
        columns : mapping of str to array, shape (n,)
            The selected columns; read only.
        learned : Learned

        Returns
        -------
        array or mapping of str to array, shape (n,)
            float64 for a number, bool for a boolean, int64 (µs since 1970 in UTC, missing
            `engine.values.NAT`) for a timestamp.
        """
        raise NotImplementedError


@dataclass(frozen=True, kw_only=True)
class GroupStage(Stage):
    """A stage that needs the rows of a group together, such as a rank or a share.

    ``by`` names an input: rows that follow each other with the same value of it are a group, missing ones are
    one, too; a value that comes again later is an error. Without ``by``, the rows of one `predict_many` are
    one group, and a batch can't run. The row of `predict_one` is a group of its own.

    Examples
    --------
    >>> import numpy as np
    >>> from engine.schema import Kind
    >>> from engine.stage import GroupStage, stage
    >>> @stage("share")
    ... class Share(GroupStage):
    ...     '''A number over the sum of its group's.'''
    ...
    ...     def declare(self, columns):
    ...         return Kind.NUMBER
    ...
    ...     def compute(self, columns, starts, learned):
    ...         (x,) = columns.values()
    ...         sizes = np.diff(np.append(starts, len(x)))
    ...         return x / np.repeat(np.add.reduceat(x, starts), sizes)
    >>> Share(by="order").compute({"price": np.array([1.0, 3.0, 5.0])}, np.array([0, 2]), {})
    array([0.25, 0.75, 1.  ])
    """

    accepts: ClassVar[tuple[Kind, ...]] = (Kind.NUMBER, Kind.BOOLEAN, Kind.TIMESTAMP)

    by: str | None = option(None, help="the input whose runs of equal values are the groups")

    def declare(self, columns: Sequence[Column]) -> Kind | Column | Sequence[Column]:
        """The columns it will make, as of an `ArrayStage`."""
        raise NotImplementedError

    def outputs(self, columns: Sequence[Column], learned: Learned) -> Kind | Column | Sequence[Column]:
        """The columns it makes, once it has learned; as declared, unless names are learned."""
        return self.declare(columns)

    def compute(
        self, columns: Mapping[str, Values], starts: NDArray[np.int64], learned: Learned
    ) -> NDArray[Any] | Mapping[str, NDArray[Any]]:
        """The new column, or the new columns by name, as declared.

        Called for whole groups, some or many at once, from several threads. What it gives for a row must
        depend on the rows of its group alone, to the bit.

        Parameters
        ----------
        columns : mapping of str to array, shape (n,)
            The selected columns; read only.
        starts : int64 array
            The first row of each group, ascending from 0.
        learned : Learned

        Returns
        -------
        array or mapping of str to array, shape (n,)
            As of an `ArrayStage`.
        """
        raise NotImplementedError


class ScoreStage(Stage):
    """A stage that turns the selected columns into a model's scores."""

    accepts: ClassVar[tuple[Kind, ...]] = (Kind.NUMBER, Kind.BOOLEAN)

    def declare(
        self, columns: Sequence[Column], target: Kind | None, classes: Sequence[str] = ()
    ) -> Sequence[str] | None:
        """Suffixes of the score columns: ``("",)`` for one; None when they are not known yet.

        Parameters
        ----------
        columns : sequence of Column
            The selected columns.
        target : Kind or None
            The target's kind, where it is known.
        classes : sequence of str
            The target's classes, where they are known; the names of the targets, where there are several.
        """
        raise NotImplementedError

    def outputs(self, learned: Learned) -> Sequence[str]:
        """Suffixes of the score columns of what was learned, such as ``("_a", "_b")``; ``("",)`` for one."""
        raise NotImplementedError

    def prepare(self, columns: Sequence[Column]) -> Learned:
        """What a stage that does not learn has instead, such as a model read from a file.

        Raises
        ------
        ModelError
            The file is no model, or doesn't fit the features.
        """
        raise NotImplementedError

    def besides(self) -> Mapping[str, Sequence[str]]:
        """Columns that it reads besides those that ``columns`` selects, by the option that names them."""
        return {}

    def features(self, columns: Sequence[str], learned: Learned) -> Sequence[str]:
        """The columns in the order in which the model takes them."""
        return columns

    def feature(self, name: str, x: Expr, learned: Learned) -> Expr:
        """A column as the model takes it: a number. A boolean becomes 0 or 1."""
        return as_number(x)

    def adds(self, columns: Sequence[Column]) -> Sequence[Column]:
        """Columns that it makes besides its scores; behind ``into``, if that is given.

        Parameters
        ----------
        columns : sequence of Column
            The selected columns.
        """
        return ()

    def express(
        self, outputs: Sequence[Expr], features: Sequence[tuple[str, Sequence[str]]], learned: Learned
    ) -> Mapping[str, Expr]:
        """The columns that `adds` promises, by name.

        Parameters
        ----------
        outputs : sequence of Expr
            What the scorer gives behind the scores: `added_outputs` numbers.
        features : sequence of (str, sequence of str)
            The name of each feature, in the model's order, and the inputs that it comes from.
        learned : Learned
        """
        return {}

    def added_outputs(self) -> int:
        """How many numbers the scorer gives behind the scores, for `express`."""
        return 0

    def predicts(self, learned: Learned) -> Kind:
        """What the scores are of, so that fitting metrics are chosen.

        ``boolean``: one probability; ``category``: a probability for each class, or the class's index;
        ``number``: the value itself.
        """
        return Kind.NUMBER

    def trained_for(self, learned: Learned) -> Objective:
        """What the model was trained for, where its metrics follow from more than `predicts`."""
        return Objective()

    def make_scorer(self, learned: Learned) -> Scorer:
        """The model, ready to score."""
        raise NotImplementedError


# -- the decorator


_S = TypeVar("_S", bound=Stage)


@dataclass_transform(frozen_default=True, field_specifiers=(option, field))
def stage(name: str, *, version: int = 1) -> Callable[[type[_S]], type[_S]]:
    """Make a class a stage that configs call ``name``.

    Parameters
    ----------
    name : str
        What ``use:`` says; the file is named after it.
    version : int
        Raise it when the same options and learned values give other answers than before.
    """
    return declare(name, version)
