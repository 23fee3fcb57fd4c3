"""Follows column names and kinds through the stages of a plan, before any data is seen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from engine.errors import UserError, listing
from engine.plan.guard import in_stage
from engine.plan.plan import Plan, PlannedStage
from engine.plan.points import DTYPES
from engine.plan.select import select
from engine.schema import Column, Kind
from engine.stage import ArrayStage, ColumnStage, GroupStage, RowFilter, RowStage, SchemaStage, ScoreStage


@dataclass(frozen=True, slots=True)
class Step:
    """What one stage does to the columns.

    Parameters
    ----------
    label : str
    selected : tuple of Column
        What it reads.
    made : tuple of Column
        What it makes or changes.
    columns : tuple of Column
        All columns after it.
    """

    label: str
    selected: tuple[Column, ...]
    made: tuple[Column, ...]
    columns: tuple[Column, ...]


class StageError(UserError):
    """What is wrong with one stage: sentences, each with the key it concerns."""

    def __init__(self, found: Sequence[tuple[str, str]]) -> None:
        super().__init__("; ".join(text for _, text in found))
        self.found = tuple(found)


def selected_by(planned: PlannedStage, columns: Sequence[Column]) -> list[Column]:
    """The columns that a stage reads.

    Raises
    ------
    StageError
        A selector fits nothing, or a column of another kind.
    """
    if not planned.stage.selects:
        if planned.columns:
            raise StageError([("columns", f"{planned.stage.use!r} takes no columns")])
        if planned.drop:
            raise StageError([("drop", f"{planned.stage.use!r} finds its columns by name, and drops none")])
        return list(columns)
    if not planned.columns and not planned.stage.select_all:
        raise StageError(
            [("columns", f"{planned.stage.use!r} needs columns: names, globs (temp_*) or kinds (numbers)")]
        )
    chosen, problems = select(planned.columns, columns, planned.stage.accepts, planned.stage.only_named)
    if problems:
        raise StageError([("columns", problem) for problem in problems])
    if not chosen:
        raise StageError([("columns", f"selects no column; columns here: {listing(map(str, columns))}")])
    if isinstance(planned.stage, ScoreStage):
        return _with_besides(planned.stage, chosen, columns)
    return chosen


def _with_besides(stage: ScoreStage, chosen: list[Column], columns: Sequence[Column]) -> list[Column]:
    found = {column.name: column for column in chosen}
    wrong: list[tuple[str, str]] = []
    for key, names in stage.besides().items():
        for name in names:
            more, problems = select([name], columns, stage.accepts)
            wrong += [(key, problem) for problem in problems]
            found |= {column.name: column for column in more}
    if wrong:
        raise StageError(wrong)
    return list(found.values())


def merge(
    planned: PlannedStage, columns: Sequence[Column], selected: Sequence[Column], made: Sequence[Column]
) -> tuple[Column, ...]:
    """All columns after a stage: changed ones keep their place, new ones follow, dropped ones go.

    Raises
    ------
    StageError
        A new column has the name of one that is there.
    """
    replaces = isinstance(planned.stage, ColumnStage) and not planned.into
    gone = {c.name for c in selected} if planned.drop else set()
    after = {c.name: c for c in columns if c.name not in gone}
    for column in made:
        there = after.get(column.name)
        # what two stages will learn under one pattern, such as carrier_*, is told apart once they have
        same_pattern = there is not None and there.open and there == column
        if there is not None and not replaces and not same_pattern:
            raise StageError(
                [
                    (
                        "into",
                        f"makes a column {column.name!r}, and there is one already: give another name",
                    )
                ]
            )
        after[column.name] = column
    return tuple(after.values())


def column_names(planned: PlannedStage, selected: Sequence[Column]) -> list[str]:
    """The names that a `ColumnStage` gives the columns it makes."""
    if not planned.into:
        if planned.drop:
            raise StageError([("drop", "the stage changes its columns in place; drop needs into")])
        return [c.name for c in selected]
    if len(selected) != 1:
        raise StageError(
            [
                (
                    "into",
                    f"names one column; {len(selected)} are selected: {listing(c.name for c in selected)}",
                )
            ]
        )
    return [planned.into]


def advance(
    planned: PlannedStage, columns: Sequence[Column], target: Kind | None, classes: Sequence[str] = ()
) -> Step:
    """What a stage will do to these columns.

    Parameters
    ----------
    planned : PlannedStage
    columns : sequence of Column
    target : Kind or None
        The target's kind, and its classes, where they are known.
    classes : sequence of str

    Raises
    ------
    StageError
    """
    with in_stage(planned):
        return _advance(planned, columns, target, classes)


def _advance(
    planned: PlannedStage, columns: Sequence[Column], target: Kind | None, classes: Sequence[str]
) -> Step:
    stage = planned.stage
    selected = selected_by(planned, columns)
    problems = list(stage.check(selected))
    if problems:
        raise StageError([("", problem) for problem in problems])
    if isinstance(stage, SchemaStage):
        for key in ("drop", "into"):
            if getattr(planned, key):
                raise StageError([(key, f"{stage.use!r} makes no columns; it has no {key!r}")])
        arranged = stage.arrange([c.name for c in columns], [c.name for c in selected])
        after = tuple(_renamed(_named(old, (*selected, *columns)), new) for new, old in arranged.items())
        made_here = tuple(c for c, old in zip(after, arranged.values(), strict=True) if c.name != old)
        return Step(planned.label, tuple(selected), made_here, after)
    made: list[Column]
    if isinstance(stage, ColumnStage):
        names = column_names(planned, selected)
        made = [Column(n, stage.result(c.kind), open=c.open) for n, c in zip(names, selected, strict=True)]
    elif isinstance(stage, RowStage):
        made = declared(planned, stage.declare(selected))
    elif isinstance(stage, ArrayStage | GroupStage):
        made = declared(planned, stage.declare(selected))
        _check_arrays(planned, selected, made)
    elif isinstance(stage, RowFilter):
        for key in ("drop", "into"):
            if getattr(planned, key):
                raise StageError(
                    [(key, f"{stage.use!r} refuses rows and makes no columns; it has no {key!r}")]
                )
        made = []
    elif isinstance(stage, ScoreStage):
        made = score_columns(planned, stage.declare(selected, target, classes))
        made += [added(planned, column) for column in stage.adds(selected)]
    else:
        raise StageError(
            [
                (
                    "use",
                    f"{stage.use!r} is a {type(stage).__mro__[1].__name__}, which pipelines can't hold",
                )
            ]
        )
    return Step(planned.label, tuple(selected), tuple(made), merge(planned, columns, selected, made))


def declared(planned: PlannedStage, found: Kind | Column | Sequence[Column]) -> list[Column]:
    """The columns that a stage says it makes."""
    if isinstance(found, Kind):
        found = Column("", found)
    if isinstance(found, Column):
        return [replace(found, name=planned.into or planned.label)]
    if planned.into:
        raise StageError([("into", f"names one column, and {planned.stage.use!r} makes several")])
    return list(found)


def _check_arrays(planned: PlannedStage, selected: Sequence[Column], made: Sequence[Column]) -> None:
    """Refuse what a stage that computes with NumPy can't take or make."""
    taken = [c for c in selected if c.kind not in DTYPES]
    if taken:
        message = f"{taken[0].name!r} is a {taken[0].kind}, and {planned.stage.use!r} computes with NumPy: "
        raise StageError([("columns", message + "encode it as numbers first, such as by ordinal or onehot")])
    wrong = [c for c in made if c.kind not in DTYPES]
    if wrong:
        kinds = "numbers, booleans and timestamps"
        message = (
            f"declares {wrong[0].name!r} as a {wrong[0].kind}; a stage that computes with NumPy makes {kinds}"
        )
        raise StageError([("use", message)])


def added(planned: PlannedStage, column: Column) -> Column:
    """A column that a score stage makes besides its scores."""
    return replace(column, name=f"{planned.into}_{column.name}") if planned.into else column


def score_columns(planned: PlannedStage, suffixes: Sequence[str] | None) -> list[Column]:
    """The columns that a score stage makes; an open one while its classes are unknown."""
    base = planned.into or "score"
    if suffixes is None:
        return [Column(f"{base}*", Kind.NUMBER, single=True, open=True)]
    return [Column(base + suffix, Kind.NUMBER, single=True) for suffix in suffixes]


def _named(name: str, columns: Sequence[Column]) -> Column:
    """The column of this name, or one that an open column may turn out to have."""
    found = next((c for c in columns if c.name == name), None)
    if found:
        return found
    pattern = next(c for c in columns if c.open and c.covers(name))
    return replace(pattern, name=name, open=False)


def _renamed(column: Column, name: str) -> Column:
    return replace(column, name=name)


def grouping(plan: Plan) -> list[tuple[PlannedStage, str | None]]:
    """The stages that need the rows of a group together, and the input that says which they are."""
    return [(planned, planned.stage.by) for planned in plan.stages if isinstance(planned.stage, GroupStage)]


def input_columns(plan: Plan) -> tuple[Column, ...]:
    """The columns before the first stage."""
    return tuple(Column(i.name, i.kind) for i in plan.inputs)


def follow(plan: Plan) -> list[Step]:
    """The steps of a plan that `engine.plan.check.check` finds no mistake in."""
    columns, steps = input_columns(plan), []
    for planned in plan.stages:
        steps.append(advance(planned, columns, target_kind(plan), target_names(plan)))
        columns = steps[-1].columns
    return steps


def output_columns(plan: Plan, steps: Sequence[Step]) -> list[Column]:
    """The output columns behind ``keep``: those asked for, else scores and decisions, in stage order.

    A pipeline without a score stage gives every column that a stage made or changed.
    """
    final = {c.name: c for c in (steps[-1].columns if steps else input_columns(plan))}
    if plan.outputs is not None:
        return select(plan.outputs, list(final.values()), tuple(Kind))[0] if plan.outputs else []
    scoring = [isinstance(planned.stage, ScoreStage) for planned in plan.stages]
    first = scoring.index(True) if any(scoring) else 0
    made: dict[str, None] = {}
    for step in steps[first:]:
        made |= dict.fromkeys(c.name for c in step.made)
    return [final[name] for name in made if name in final]


def target_names(plan: Plan) -> tuple[str, ...]:
    """The names of the targets, where there are several."""
    return plan.target.columns if plan.target is not None else ()


def target_kind(plan: Plan, columns: Mapping[str, Kind] | None = None) -> Kind | None:
    """The kind of the target as far as it can be told without data."""
    from engine.expr.graph import Expr
    from engine.expr.language import ExpressionError, names, parse

    if plan.target is None:
        return None
    known = {i.name: i.kind for i in plan.inputs} | dict(columns or {})
    if plan.target.lower:
        return Kind.NUMBER
    if not plan.target.value:
        return known.get(plan.target.reads[0])
    read = {name: Expr.input(name, known.get(name, Kind.NUMBER)) for name in names(plan.target.value)}
    try:
        return parse(plan.target.value, read).kind
    except ExpressionError:
        return None
