"""Score with an XGBoost model, trained here or loaded from a file."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from engine.errors import ModelError, UserError, did_you_mean, listing
from engine.expr.graph import Expr
from engine.forest import labels, mistakes, names, parameters, weights
from engine.forest.categories import code, learn_texts
from engine.forest.constraints import constraint_mistakes, interaction_constraints, monotone_constraints
from engine.forest.explained import Explain
from engine.forest.loaded import match_columns, read_file, variance_power
from engine.forest.model import Model, read_model
from engine.forest.reasons import Reasons
from engine.forest.scoring import PLAIN, Scoring
from engine.registry import Registry
from engine.schema import Column, Kind
from engine.stage import FitContext, Learned, Objective, Part, Scorer, ScoreStage, option, stage
from engine.values import Categories, Values

_BY_TARGET = {
    Kind.BOOLEAN: "binary:logistic",
    Kind.CATEGORY: "multi:softprob",
    Kind.NUMBER: "reg:squarederror",
}
_ONLY_TRAINED = ("params", "early_stopping", "class_weight", "monotone", "interaction")
"""Options that say how a model is trained."""
_OWN_SCORERS = ("auto", "native", "xgboost")
"""Those that compare with XGBoost by themselves."""


@stage("xgboost")
class XGBoost(ScoreStage):
    """Score with an XGBoost model: trained by ``fit``, or loaded from a file saved by XGBoost.

    Scores are predictions: a probability for ``binary:logistic``, one for each class for ``multi:softprob``,
    the class's index for ``multi:softmax``, else the value. Their column is called ``score``, or ``into``;
    several are ``score_<class>``, ``score_<target>`` or ``score_q<alpha>``.

    Missing numbers go in as they are. Categories go in only when ``columns`` names them (``columns: [numbers,
    carrier]``), by XGBoost's splits on sets of categories; a text that no training row has is missing. Else
    encode them by ``onehot`` or ``ordinal``.

    With ``objective: auto`` a boolean target is learned as ``binary:logistic``, a text as
    ``multi:softprob`` and a number as ``reg:squarederror``. Several targets (``target: {columns: [a, b]}``)
    are numbers, or booleans. A ranking takes its groups from the root key ``group``. ``survival:aft`` learns
    bounds (``target: {lower: a, upper: b}``, the upper one missing where it isn't known); ``survival:cox``
    learns those, too, or a time that is negative where it isn't over. The columns of a loaded model are
    matched by its feature names, if it has any, else by their order.

    ``explain: {top: 3}`` adds the strongest reasons of each score: ``reason_1`` is a feature,
    ``reason_1_value`` its value, ``reason_1_contribution`` what it adds to the margin, and
    ``reason_1_inputs`` the input columns behind it. That takes about a millisecond a row.

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
    class_weight: str | dict[str | bool | int | float, float] | None = option(
        None, help="what rows of a class weigh: balanced, or {class: weight}; times the root key 'weight'"
    )
    monotone: dict[str, float] = option(
        {}, help="columns (or globs) on which the score may only rise (1) or only fall (-1)"
    )
    interaction: list[list[str]] = option(
        [], help="lists of columns (or globs): splits on one path are on columns of one list"
    )
    base_margin: str | list[str] | None = option(
        None, help="the column in which each row's margin begins, in place of a base score; one a class"
    )
    output: str = option(
        "prediction",
        choices=("prediction", "margin"),
        runtime=True,
        help="what scores are: predictions, or the sums of leaves that these are made of",
    )
    explain: dict[str, Any] = option(
        {},
        runtime=True,
        help="{top: 3}: the strongest reasons of each score as columns; of: the class or target to explain",
    )
    model: str | None = option(None, help="a saved model (.ubj or .json) to load instead of training one")
    scorer: str = option(
        "auto",
        runtime=True,
        help="who scores: auto, native, xgboost or a plugin; auto: the fastest that gives XGBoost's own bits",
    )

    accepts = (Kind.NUMBER, Kind.BOOLEAN, Kind.CATEGORY)
    only_named = (Kind.CATEGORY,)
    select_all = True

    def check(self, columns: Sequence[Column]) -> Iterable[str]:
        yield from self._scorer_mistakes()
        yield from mistakes.base_margin_mistakes(self._margins, columns)
        yield from Explain.mistakes(self.explain)
        columns = [column for column in columns if column.name not in self._margins]
        if self.model is not None:
            for name in _ONLY_TRAINED:
                if getattr(self, name):
                    yield f"{name}: has no effect on a model that is loaded; remove it, or 'model'"
            return
        if mistake := parameters.objective_mistake(self.objective):
            yield mistake
        yield from parameters.mistakes(self.params)
        yield from mistakes.weight_mistakes(self.class_weight, self.objective)
        yield from mistakes.booster_mistakes(self.params, self.early_stopping, bool(self.explain), columns)
        yield from constraint_mistakes(self.monotone, self.interaction, columns)
        for name in ("monotone", "interaction"):
            if getattr(self, name) and f"{name}_constraints" in self.params:
                yield f"{name}: params.{name}_constraints says so, too; remove one of them"
        yield from mistakes.alpha_mistakes(self.objective, self.params)

    @property
    def _margins(self) -> tuple[str, ...]:
        given = self.base_margin
        return (given,) if isinstance(given, str) else tuple(given or ())

    @property
    def _scoring(self) -> Scoring:
        return Scoring(self.output == "margin", bool(self._margins))

    def besides(self) -> Mapping[str, Sequence[str]]:
        return {"base_margin": self._margins} if self._margins else {}

    def learns(self) -> bool:
        return self.model is None

    def declare(
        self, columns: Sequence[Column], target: Kind | None, classes: Sequence[str] = ()
    ) -> Sequence[str] | None:
        if self.model is not None:
            try:
                return names.suffixes(read_file(self.model), (), self.output == "margin")
            except ModelError:
                return None
        objective = self._objective(target)
        if objective is None:
            return None
        several = objective == "multi:softprob" or (objective == "multi:softmax" and self.output == "margin")
        if several and not classes:
            known = self.params.get("num_class")
            if target is Kind.CATEGORY or not known:
                return None
            return names.of_names(names.numbered(int(known)))
        if several or (classes and target is not Kind.CATEGORY):
            return names.of_names(classes)
        return names.of_alphas(objective, parameters.alphas(objective, self.params)) or ("",)

    def fit(self, columns: Mapping[str, Values], context: FitContext) -> Learned:
        from engine.forest.train import Given, train

        objective = self._objective(context.target) or "reg:squarederror"
        learnt = [labels.learned_by(objective, context.train, context.classes, "training")]
        params = dict(self.params)
        y = learnt[0].y
        assert y is not None
        classes = () if context.target is Kind.CATEGORY else context.classes
        if objective.startswith("multi:"):
            classes = labels.classes_of(context, params, y)
            params["num_class"] = len(classes)
        if self.early_stopping is not None:
            if context.valid is None or not context.valid.rows:
                raise UserError(
                    f"early_stopping: {self.early_stopping} needs rows to watch, but the split has no valid "
                    "part; set split.valid, or early_stopping: null"
                )
            learnt.append(labels.learned_by(objective, context.valid, context.classes, "valid"))
        features = tuple(name for name in columns if name not in self._margins)
        if self.monotone:
            params["monotone_constraints"] = monotone_constraints(self.monotone, features)
        if self.interaction:
            params["interaction_constraints"] = interaction_constraints(self.interaction, features)
        texts = {
            name: learn_texts(name, values)
            for name, values in columns.items()
            if isinstance(values, Categories)
        }
        alphas = names.of_alphas(objective, parameters.alphas(objective, params))
        margins = alphas or names.of_names(classes) or ("",)
        self._check_margins(margins)
        learnt = self._weighted(learnt, context, objective)
        saved = train(
            learnt[0],
            learnt[1] if len(learnt) > 1 else None,
            Given(features, texts, self._margins),
            objective=objective,
            params=params,
            rounds=self.rounds,
            early_stopping=self.early_stopping,
            seed=context.seed,
            progress=context.progress,
        )
        # trained here, so XGBoost may read it in this process; what comes of the comparison is kept
        self._scorer(saved, "the trained model", trusted=True)
        facts = read_model(saved, "the trained model")
        return _learned(facts, classes, features, [texts.get(name, ()) for name in features])

    def _check_margins(self, margins: Sequence[str]) -> None:
        """See that what the options name is there, once it is known which margins the model has."""
        if self._margins and len(self._margins) != len(margins):
            raise UserError(
                f"base_margin: names {len(self._margins)} columns ({listing(self._margins)}), and the model "
                f"has {len(margins)} margins: one for each class, target or quantile"
            )
        if self._explain is not None:
            self._explain.place(margins)

    def _weighted(self, parts: list[Part], context: FitContext, objective: str) -> list[Part]:
        """The rows of train and valid, weighed by their classes."""
        if self.class_weight is None:
            return parts
        y = parts[0].y
        assert y is not None
        if not weights.weighs_classes(objective):
            raise UserError(f"class_weight: {objective!r} learns no classes; use the root key 'weight'")
        by_class = weights.class_weights(self.class_weight, y, context.target, context.classes)
        return [weights.weighted(part, by_class) for part in parts]

    def prepare(self, columns: Sequence[Column]) -> Learned:
        assert self.model is not None
        facts = read_file(self.model)
        same = parameters.SAME_MEANING
        wanted = same.get(self.objective, self.objective)
        if wanted not in ("auto", same.get(facts.objective, facts.objective)):
            raise ModelError(
                f"{self.model} was trained for {facts.objective!r}, but 'objective' says {self.objective!r}; "
                "remove 'objective'"
            )
        self._check_margins(names.suffixes(facts, (), margin=True))
        if self.explain and facts.vector_leaves:
            raise ModelError(
                f"explain: {self.model} has trees of several outputs: XGBoost explains none such"
            )
        features = match_columns(facts, [c for c in columns if c.name not in self._margins], self.model)
        classes = names.numbered(facts.num_class) if facts.num_class > 1 else ()
        kinds = {column.name: column.kind for column in columns}
        texts = [facts.texts[i] if kinds[n] is Kind.CATEGORY else () for i, n in enumerate(features)]
        return _learned(facts, classes, features, texts)

    def outputs(self, learned: Learned) -> Sequence[str]:
        return self._margin_names(learned) if self.output == "margin" else tuple(learned["suffixes"])

    def _margin_names(self, learned: Learned) -> tuple[str, ...]:
        several = learned["objective"][0] == "multi:softmax"
        return names.of_names(learned["classes"]) if several else tuple(learned["suffixes"])

    def adds(self, columns: Sequence[Column]) -> Sequence[Column]:
        return self._explain.columns(_has_categories(columns)) if self._explain else ()

    def added_outputs(self) -> int:
        return 4 * self._explain.top if self._explain else 0

    def express(
        self, outputs: Sequence[Expr], features: Sequence[tuple[str, Sequence[str]]], learned: Learned
    ) -> Mapping[str, Expr]:
        assert self._explain is not None
        own = features[: len(learned["features"])]
        return self._explain.express(outputs, own, learned.get("categories", ()))

    @property
    def _explain(self) -> Explain | None:
        return Explain(**self.explain) if self.explain else None

    def features(self, columns: Sequence[str], learned: Learned) -> Sequence[str]:
        wanted: tuple[str, ...] = (*learned["features"], *self._margins)
        lacking = [name for name in wanted if name not in columns]
        if lacking:
            raise ModelError(f"the model's features are not among the columns: {listing(lacking)}")
        return wanted

    def feature(self, name: str, x: Expr, learned: Learned) -> Expr:
        if x.kind is not Kind.CATEGORY:
            return super().feature(name, x, learned)
        texts = learned["categories"][learned["features"].index(name)] if "categories" in learned else ()
        if not texts:
            raise ModelError(f"the model takes a number as {name!r}, which is a category")
        return code(x, texts)

    def predicts(self, learned: Learned) -> Kind:
        objective = learned["objective"][0]
        if objective.startswith("multi:"):
            return Kind.CATEGORY
        return Kind.BOOLEAN if objective == "binary:logistic" else Kind.NUMBER

    def trained_for(self, learned: Learned) -> Objective:
        name, margin = learned["objective"][0], self.output == "margin"
        if name not in ("reg:quantileerror", "reg:tweedie"):
            return Objective(name, margin=margin)
        saved = np.asarray(learned["model"], np.uint8).tobytes()
        if name == "reg:quantileerror":
            return Objective(name, alphas=read_model(saved, "the model").alphas, margin=margin)
        return Objective(name, power=variance_power(saved), margin=margin)

    def make_scorer(self, learned: Learned) -> Scorer:
        model = np.asarray(learned["model"], np.uint8).tobytes()
        scorer = self._scorer(model, "the model")
        if self._explain is None:
            return scorer
        place = self._explain.place(self._margin_names(learned))
        several = learned["objective"][0].startswith("multi:")
        facts, texts = read_model(model, "the model"), learned.get("categories", ())
        return Reasons(scorer, facts, "the model", self._explain, place, several, texts)

    def _objective(self, target: Kind | None) -> str | None:
        if self.objective != "auto":
            return parameters.SAME_MEANING.get(self.objective, self.objective)
        return _BY_TARGET.get(target) if target is not None else None

    def _scorer_mistakes(self) -> Iterable[str]:
        if self.scorer in _OWN_SCORERS:
            return
        if self._scoring != PLAIN:
            yield f"scorer: {self.scorer!r} gives predictions alone; with output or base_margin, take 'auto'"
        name, known = self.scorer, ("auto", *self._known().names("scorer"))
        if name not in known:
            hint = did_you_mean(name, known)
            yield f"scorer: there is no scorer {name!r}.{hint} There are: {listing(known)}"

    def _scorer(self, model: bytes, where: str, trusted: bool = False) -> Scorer:
        if self.scorer in _OWN_SCORERS:
            from engine.forest.choose import choose_scorer

            return choose_scorer(model, where, self.scorer, trusted=trusted, scoring=self._scoring)
        from engine.forest.by_plugin import scorer_by

        return scorer_by(self._known().load(self.scorer, "scorer")(), model, where, trusted=trusted)

    def _known(self) -> Registry:
        return self.registry or Registry()


# -- what is learned


def _has_categories(columns: Sequence[Column]) -> bool:
    return any(column.kind is Kind.CATEGORY for column in columns)


def _learned(
    facts: Model, classes: tuple[str, ...], features: tuple[str, ...], texts: Sequence[tuple[str, ...]]
) -> Learned:
    found: dict[str, Any] = {
        "model": np.frombuffer(facts.ubj, np.uint8),
        "classes": classes,
        "objective": (facts.objective,),
        "features": features,
        "suffixes": names.suffixes(facts, classes),
    }
    return found | ({"categories": tuple(texts)} if any(texts) else {})
