"""How good scores are: what they are of, which metrics fit, and what these say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from types import MappingProxyType

import numpy as np

from engine.errors import DataError, UserError, fault, listing
from engine.forest.predictions import predictions
from engine.metric import MetricPlugin, Objective, Scored, Task
from engine.pipeline import Pipeline
from engine.registry import Registry
from engine.schema import Kind
from engine.stage import NOTHING, ScoreStage
from engine.values import FloatArray

METRICS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "binary": (
            "auc", "average_precision", "log_loss", "brier", "ece", "accuracy", "precision", "recall", "f1",
        ),
        "margin": ("auc", "average_precision", "accuracy", "precision", "recall", "f1"),
        "decision": ("accuracy", "precision", "recall", "f1"),
        "classes": ("log_loss", "accuracy", "f1_macro", "auc_ovr", "brier", "ece"),
        "class": ("accuracy", "f1_macro"),
        "number": ("rmse", "mae", "mape", "r2"),
        "quantiles": ("pinball", "below", "coverage"),
        "counts": ("poisson_deviance", "rmse", "mae", "r2"),
        "gamma": ("gamma_deviance", "rmse", "mae", "mape", "r2"),
        "tweedie": ("tweedie_deviance", "rmse", "mae", "r2"),
        "ranking": ("ndcg", "map"),
        "survival": ("concordance",),
    }
)  # fmt: skip
"""The metrics of each task, the one that says most first."""

OF_FIT: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        **METRICS,
        "binary": ("auc", "average_precision", "log_loss", "brier"),
        "classes": ("log_loss", "accuracy"),
        "number": ("rmse", "mae", "r2"),
    }
)
"""Those that a fit reports, and a bundle keeps."""

_BY_OBJECTIVE = {
    "binary:logistic": "binary",
    "binary:logitraw": "margin",
    "binary:hinge": "decision",
    "multi:softprob": "classes",
    "multi:softmax": "class",
    "reg:quantileerror": "quantiles",
    "count:poisson": "counts",
    "reg:gamma": "gamma",
    "reg:tweedie": "tweedie",
    "rank:ndcg": "ranking",
    "rank:map": "ranking",
    "rank:pairwise": "ranking",
    "survival:cox": "survival",
    "survival:aft": "survival",
}


def task_of(pipeline: Pipeline, y: FloatArray) -> Task:
    """What the last model's scores are of.

    Parameters
    ----------
    pipeline : Pipeline
    y : float64 array, shape (n,), or (n, k) of several targets, or (n, 2) of bounds
        The targets: a probability of what is neither 0 nor 1 is taken as a number.

    Raises
    ------
    DataError
        There are other targets than score columns.
    """
    point = pipeline.trace.scores[-1]
    stage, learned = pipeline.plan.stage(point.label).stage, pipeline.learned.get(point.label, NOTHING)
    assert isinstance(stage, ScoreStage)
    objective = stage.trained_for(learned)
    columns = tuple(column.name for column in point.columns)
    targets = pipeline.plan.target.columns if pipeline.plan.target is not None else ()
    if targets and len(targets) != len(columns):
        raise DataError(
            f"target.columns: names {listing(targets)}, but the model has {listing(columns)}; "
            "expected a target for each score column"
        )
    if y.ndim == 2 and not targets:  # a hazard grows as times shrink
        return Task("survival", columns, reversed=objective.name != "survival:cox")
    by_kind = {Kind.BOOLEAN: "binary", Kind.CATEGORY: "classes" if len(columns) > 1 else "class"}
    kind = _BY_OBJECTIVE.get(objective.name) or by_kind.get(stage.predicts(learned), "number")
    if kind in ("binary", "margin", "decision") and not ((y == 0) | (y == 1)).all():
        kind = "number"
    if kind == "class" and len(columns) > 1:  # margins, which become probabilities
        kind = "classes"
    thresholds = [_threshold(pipeline, point.label, objective, name, kind) for name in columns]
    return Task(
        kind,
        columns,
        classes=() if targets else tuple(learned.get("classes", ())),
        alphas=objective.alphas,
        power=objective.power,
        threshold=thresholds[0],
        reversed=objective.name == "survival:aft",
        thresholds=tuple(thresholds) if targets else (),
    )


def as_predictions(pipeline: Pipeline, scores: FloatArray) -> FloatArray:
    """The last model's scores (float64 ``(n, k)``) as `task_of` has them: margins as what they stand for."""
    label = pipeline.trace.scores[-1].label
    stage = pipeline.plan.stage(label).stage
    assert isinstance(stage, ScoreStage)
    objective = stage.trained_for(pipeline.learned.get(label, NOTHING))
    return predictions(objective.name, scores) if objective.margin else scores


def _threshold(pipeline: Pipeline, model: str, objective: Objective, column: str, kind: str) -> float:
    """Where the first ``threshold`` stage behind a model decides on its score."""
    default = 0.0 if kind == "margin" else 0.5
    if objective.margin and kind == "decision":
        return default
    behind = False
    for planned in pipeline.plan.stages:
        chosen = planned.columns and all(fnmatchcase(column, pattern) for pattern in planned.columns)
        if behind and planned.stage.use == "threshold" and chosen:
            at = float(getattr(planned.stage, "at", default))
            return float(predictions(objective.name, np.array([[at]]))[0, 0]) if objective.margin else at
        behind = behind or planned.label == model
    return default


def load_metrics(names: Sequence[str], registry: Registry | None = None) -> list[MetricPlugin]:
    """The metrics of these names.

    Raises
    ------
    PluginError
        There is none of a name, or it can't be imported.

    Examples
    --------
    >>> load_metrics(["auc", "brier"])
    [AUC(), Brier()]
    """
    registry = registry or Registry()
    return [registry.load(name, "metric")() for name in names]


def measure(rows: Scored, metrics: Sequence[MetricPlugin]) -> dict[str, float]:
    """What metrics say of some rows, by name; NaN where the rows don't define it.

    Rows of weight 0 are left out. Where a score is not finite, as that of a model that overflows, each value
    is NaN. A metric of each column is called ``rmse_score_q0.1`` where there are several; of several targets,
    each metric is.

    Examples
    --------
    >>> rows = Scored(Task("number"), np.array([1.0, 2.0]), np.array([[1.0], [4.0]]))
    >>> measure(rows, load_metrics(["mae", "r2"]))
    {'mae': 1.0, 'r2': -7.0}
    """
    if rows.weight is not None and not rows.weight.all():
        rows = rows.take(rows.weight > 0)
    found: dict[str, float] = {}
    for metric in metrics:
        names = names_of(metric, rows.task)
        apart = names != [metric.use]
        for place, name in enumerate(names):
            found[name] = _value(metric, rows.column(place) if apart else rows)
    return found


def names_of(metric: MetricPlugin, task: Task) -> list[str]:
    """What the values of a metric are called: by its own name, or one for each score column.

    >>> names_of(load_metrics(["mae"])[0], Task("number", ("score_a", "score_b")))
    ['mae_score_a', 'mae_score_b']
    """
    if task.several or (metric.by_column and len(task.columns) > 1):
        return [f"{metric.use}_{column}" for column in task.columns]
    return [metric.use]


def _value(metric: MetricPlugin, rows: Scored) -> float:
    if not len(rows) or not rows.finite.all():
        return np.nan
    try:
        return float(metric.measure(rows))
    except Exception as error:
        if metric.use in _BUILT_IN:
            raise  # a bug of the engine's, which is told as one
        raise UserError(f"the metric {metric.use!r} fails: {fault(error)}") from error


_BUILT_IN = frozenset(name for names in METRICS.values() for name in names)
