"""Score with an XGBoost model, trained here or loaded from a file."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from engine.errors import ModelError, UserError, did_you_mean, listing
from engine.files import read_regular
from engine.forest import parameters, ubjson
from engine.forest.model import MOST_BYTES, Model, read_model
from engine.registry import Registry
from engine.schema import Column, Kind
from engine.stage import FitContext, Learned, Objective, Scorer, ScoreStage, option, stage
from engine.values import FloatArray, Values

_BY_TARGET = {
    Kind.BOOLEAN: "binary:logistic",
    Kind.CATEGORY: "multi:softprob",
    Kind.NUMBER: "reg:squarederror",
}
_SAME_MEANING = {"reg:linear": "reg:squarederror"}
_OWN_SCORERS = ("auto", "native", "xgboost")
"""Those that compare with XGBoost by themselves."""


@stage("xgboost")
class XGBoost(ScoreStage):
    """Score with an XGBoost model: trained by ``fit``, or loaded from a file saved by XGBoost.

    Scores are predictions: a probability for ``binary:logistic``, one for each class for ``multi:softprob``,
    the class's index for ``multi:softmax``, else the value. Their column is called ``score``, or ``into``;
    several are ``score_<class>`` or ``score_q<alpha>``. Missing numbers go in as they are. Categories need
    ``onehot`` or ``ordinal`` before.

    With ``objective: auto`` a boolean target is learned as ``binary:logistic``, a text as
    ``multi:softprob`` and a number as ``reg:squarederror``. The columns of a loaded model are matched by
    its feature names, if it has any, else by their order.

    Examples
    --------
    >>> import engine, pyarrow
    >>> config = engine.Config({"name": "toy", "inputs": {"x": "number"}, "target": {"column": "y"},
    ...                         "stages": {"model": {"use": "xgboost", "rounds": 5}}})
    >>> pipeline = engine.fit(config, pyarrow.table({"x": [0.0, 1.0] * 50, "y": [False, True] * 50}))
    >>> pipeline.predict_one({"x": 1.0})["score"] > 0.5
    True
    """

    objective: str = option("auto", help="what is learned; auto: by the target's kind")
    rounds: int = option(100, ge=1, help="boosting rounds, at most")
    params: dict[str, Any] = option({}, help="XGBoost's own parameters, such as {max_depth: 6, eta: 0.1}")
    early_stopping: int | None = option(
        None, ge=1, help="stop after so many rounds without gain on the valid part"
    )
    model: str | None = option(None, help="a saved model (.ubj or .json) to load instead of training one")
    scorer: str = option(
        "auto",
        runtime=True,
        help="who scores: auto, native, xgboost or a plugin; auto: the fastest that gives XGBoost's own bits",
    )

    select_all = True

    def check(self, columns: Sequence[Column]) -> Iterable[str]:
        yield from self._scorer_mistakes()
        if self.model is not None:
            for name in ("params", "early_stopping"):
                if getattr(self, name):
                    yield f"{name}: has no effect on a model that is loaded; remove it, or 'model'"
            return
        if mistake := parameters.objective_mistake(self.objective):
            yield mistake
        yield from parameters.mistakes(self.params)
        for objective, name in (
            ("reg:quantileerror", "quantile_alpha"),
            ("reg:expectileerror", "expectile_alpha"),
        ):
            if self.objective == objective:
                yield from _alpha_mistakes(name, self.params.get(name))

    def learns(self) -> bool:
        return self.model is None

    def declare(
        self, columns: Sequence[Column], target: Kind | None, classes: Sequence[str] = ()
    ) -> Sequence[str] | None:
        if self.model is not None:
            try:
                return _suffixes(_read(self.model), ())
            except ModelError:
                return None
        objective = self._objective(target)
        if objective is None:
            return None
        if objective == "multi:softprob" and classes:
            return _class_suffixes(classes)
        if objective == "multi:softprob":
            known = self.params.get("num_class")
            return None if target is Kind.CATEGORY or not known else _class_suffixes(_numbered(int(known)))
        return _alpha_suffixes(objective, parameters.alphas(objective, self.params)) or ("",)

    def fit(self, columns: Mapping[str, Values], context: FitContext) -> Learned:
        from engine.forest.train import train

        objective = self._objective(context.target) or "reg:squarederror"
        y = _checked_target(context.train.y, objective, "training")
        params = dict(self.params)
        classes: tuple[str, ...] = ()
        if objective.startswith("multi:"):
            classes = _classes(context, params, y)
            params["num_class"] = len(classes)
        if self.early_stopping is not None:
            if context.valid is None or not context.valid.rows:
                raise UserError(
                    f"early_stopping: {self.early_stopping} needs rows to watch, but the split has no valid "
                    "part; set split.valid, or early_stopping: null"
                )
            _checked_target(context.valid.y, "", "valid")
        saved = train(
            context.train,
            context.valid,
            objective=objective,
            params=params,
            rounds=self.rounds,
            early_stopping=self.early_stopping,
            seed=context.seed,
            progress=context.progress,
        )
        # trained here, so XGBoost may read it in this process; what comes of the comparison is kept
        self._scorer(saved, "the trained model", trusted=True)
        return _learned(read_model(saved, "the trained model"), classes, tuple(columns))

    def prepare(self, columns: Sequence[Column]) -> Learned:
        from engine.forest.xgb import refuse_unscorable

        assert self.model is not None
        facts = _read(self.model)
        refuse_unscorable(facts, self.model)
        wanted = _SAME_MEANING.get(self.objective, self.objective)
        if wanted not in ("auto", _SAME_MEANING.get(facts.objective, facts.objective)):
            raise ModelError(
                f"{self.model} was trained for {facts.objective!r}, but 'objective' says {self.objective!r}; "
                "remove 'objective'"
            )
        features = _matched(facts, [column.name for column in columns], self.model)
        classes = _numbered(facts.num_class) if facts.num_class > 1 else ()
        return _learned(facts, classes, features)

    def outputs(self, learned: Learned) -> Sequence[str]:
        return tuple(learned["suffixes"])

    def features(self, columns: Sequence[str], learned: Learned) -> Sequence[str]:
        wanted: tuple[str, ...] = learned["features"]
        lacking = [name for name in wanted if name not in columns]
        if lacking:
            raise ModelError(f"the model's features are not among the columns: {listing(lacking)}")
        return wanted

    def predicts(self, learned: Learned) -> Kind:
        objective = learned["objective"][0]
        if objective.startswith("multi:"):
            return Kind.CATEGORY
        return Kind.BOOLEAN if objective == "binary:logistic" else Kind.NUMBER

    def trained_for(self, learned: Learned) -> Objective:
        name = learned["objective"][0]
        if name not in ("reg:quantileerror", "reg:tweedie"):
            return Objective(name)
        saved = np.asarray(learned["model"], np.uint8).tobytes()
        if name == "reg:quantileerror":
            return Objective(name, alphas=read_model(saved, "the model").alphas)
        stated = ubjson.parse(saved)["learner"]["objective"]["tweedie_regression_param"]
        return Objective(name, power=float(stated["tweedie_variance_power"]))

    def make_scorer(self, learned: Learned) -> Scorer:
        return self._scorer(np.asarray(learned["model"], np.uint8).tobytes(), "the model")

    def _objective(self, target: Kind | None) -> str | None:
        if self.objective != "auto":
            return self.objective
        return _BY_TARGET.get(target) if target is not None else None

    def _scorer_mistakes(self) -> Iterable[str]:
        if self.scorer in _OWN_SCORERS:
            return
        name, known = self.scorer, ("auto", *self._known().names("scorer"))
        if name not in known:
            hint = did_you_mean(name, known)
            yield f"scorer: there is no scorer {name!r}.{hint} There are: {listing(known)}"

    def _scorer(self, model: bytes, where: str, trusted: bool = False) -> Scorer:
        if self.scorer in _OWN_SCORERS:
            from engine.forest.choose import choose_scorer

            return choose_scorer(model, where, self.scorer, trusted=trusted)
        from engine.forest.by_plugin import scorer_by

        return scorer_by(self._known().load(self.scorer, "scorer")(), model, where, trusted=trusted)

    def _known(self) -> Registry:
        return self.registry or Registry()


# -- reading and matching a file


def _read(path: str) -> Model:
    file = Path(path).expanduser()
    try:
        data = read_regular(file, MOST_BYTES, ModelError)
    except FileNotFoundError:
        folder = file.parent
        beside = sorted(item.name for item in folder.iterdir()) if folder.is_dir() else []
        there = f"{folder} holds: {listing(beside)}" if folder.is_dir() else f"there is no folder {folder}"
        raise ModelError(
            f"there is no model file {path}.{did_you_mean(file.name, beside)}\n  {there}"
        ) from None
    except OSError as error:
        raise ModelError(f"the model file {path} can't be read: {error.strerror or error}") from error
    from engine.forest.choose import read_checked

    return read_checked(data, path)


def _matched(facts: Model, columns: Sequence[str], path: str) -> tuple[str, ...]:
    if not facts.feature_names:
        if len(columns) != facts.n_features:
            raise ModelError(
                f"{path} takes {facts.n_features:,} features, but {len(columns):,} columns are selected: "
                f"{listing(columns)}\n  the model has no feature names, so columns are matched by their order"
            )
        return tuple(columns)
    names = facts.feature_names
    missing = [name for name in names if name not in columns]
    if missing:
        extra = [name for name in columns if name not in names]
        lines = [f"    {name!r}: no such column.{did_you_mean(name, extra)}" for name in missing[:12]]
        more = f"\n    and {len(missing) - 12:,} more" if len(missing) > 12 else ""
        raise ModelError(
            f"{path} takes {len(names):,} features by name, of which {len(missing):,} are not selected:\n"
            + "\n".join(lines)
            + more
            + f"\n  selected, but not taken by the model: {listing(extra)}"
        )
    return names


# -- names of scores


def _learned(facts: Model, classes: tuple[str, ...], features: tuple[str, ...]) -> Learned:
    return {
        "model": np.frombuffer(facts.ubj, np.uint8),
        "classes": classes,
        "objective": (facts.objective,),
        "features": features,
        "suffixes": _suffixes(facts, classes),
    }


def _suffixes(facts: Model, classes: tuple[str, ...]) -> tuple[str, ...]:
    if facts.objective == "multi:softprob":
        return _class_suffixes(classes or _numbered(facts.num_class))
    if facts.alphas:
        return _alpha_suffixes(facts.objective, facts.alphas)
    return ("",) if facts.n_outputs == 1 else _class_suffixes(_numbered(facts.n_outputs))


def _class_suffixes(classes: Sequence[str]) -> tuple[str, ...]:
    return tuple(f"_{name}" for name in classes)


def _alpha_suffixes(objective: str, values: Sequence[float]) -> tuple[str, ...]:
    letter = "e" if objective == "reg:expectileerror" else "q"
    return tuple(f"_{letter}{value:g}" for value in values)


def _numbered(count: int) -> tuple[str, ...]:
    return tuple(map(str, range(count)))


# -- the target


def _checked_target(y: FloatArray | None, objective: str, part: str) -> FloatArray:
    if y is None or not len(y):
        raise UserError(f"the {part} part has no target values; set 'target', or load a model with 'model'")
    lacking = int(np.count_nonzero(~np.isfinite(y)))
    if lacking:
        raise UserError(f"the target is missing or infinite in {lacking:,} of {len(y):,} {part} rows")
    if objective and not objective.startswith("rank:") and (y == y[0]).all():
        raise UserError(
            f"the target is {y[0]:g} in all {len(y):,} {part} rows: there is nothing to learn; "
            "see that 'target' and 'split' say what they should"
        )
    return y


def _classes(context: FitContext, params: Mapping[str, Any], y: FloatArray) -> tuple[str, ...]:
    given = params.get("num_class")
    if context.classes:
        if given is not None and int(given) != len(context.classes):
            raise UserError(
                f"params.num_class is {given}, but the target has {len(context.classes)} classes: "
                f"{listing(context.classes)}; remove it"
            )
        return context.classes
    if (y < 0).any() or (y != np.floor(y)).any():
        raise UserError(
            "a multi: objective takes classes numbered 0, 1, 2 ...; the target holds other numbers. "
            "Make the target a category, or use a reg: objective"
        )
    highest = int(y.max())
    if given is not None and highest >= int(given):
        raise UserError(f"params.num_class is {given}, but the target goes up to class {highest}")
    return _numbered(int(given) if given is not None else highest + 1)


def _alpha_mistakes(name: str, given: Any) -> Iterable[str]:
    values = given if isinstance(given, list | tuple) else [given]
    if given is None:
        yield f"params.{name}: this objective needs it, such as {name}: [0.1, 0.5, 0.9]"
    elif not values or not all(
        isinstance(value, int | float) and not math.isnan(value) and 0 < value < 1 for value in values
    ):
        yield f"params.{name}: {given!r} is not a number between 0 and 1, or a list of such"
