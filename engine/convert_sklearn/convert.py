"""The way from a fitted scikit-learn pipeline to one of the engine's."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from engine.config.config import Config
from engine.convert_sklearn.difference import (
    Difference,
    compare,
    expected_features,
    expected_scores,
    is_sparse,
)
from engine.convert_sklearn.draft import Draft, Feature
from engine.convert_sklearn.model import check_model, convert_model
from engine.convert_sklearn.refuse import ConversionError, Refused
from engine.convert_sklearn.sample import as_frame, as_table, columns_of, kind_of, kinds_of
from engine.convert_sklearn.structure import walk
from engine.errors import UserError, listing
from engine.expr.language import names
from engine.fitted import Fitted
from engine.golden import golden_rows
from engine.pipeline import Pipeline
from engine.plan.build import build_plan
from engine.plan.select import KIND_WORDS
from engine.plan.trace import State, initial, selected, trace_stage
from engine.schema import Kind
from engine.stage import Learned


@dataclass(frozen=True)
class Converted:
    """A scikit-learn pipeline as one of the engine's.

    Parameters
    ----------
    pipeline : Pipeline
        Answers as scikit-learn does; `Pipeline.save` writes it as a bundle, with rows of the sample as its
        golden rows.
    config : mapping
        The same as plain values, to be written as YAML or given to `engine.Config`. With a ``target``,
        ``engine fit`` learns it anew.
    differences : tuple of Difference
        The rows of the sample whose predictions differ, because one rounding put a feature on the other
        side of a split: at most 0.1 % of them.
    """

    pipeline: Pipeline
    config: Mapping[str, Any]
    differences: tuple[Difference, ...] = ()


def from_sklearn(
    fitted: Any, *, sample: Any, inputs: Mapping[str, Any] | None = None, name: str = "converted"
) -> Converted:
    """Turn a fitted scikit-learn pipeline that ends in XGBoost into a pipeline of the engine.

    What the steps learned is taken over as it is, and both pipelines score the sample: their predictions
    have to be equal to 1e-6. Rows with categories that scikit-learn refuses, by ``handle_unknown="error"``,
    are rejected. Numbers that its transformers refuse are computed with: infinite ones, missing ones in a
    KBinsDiscretizer, and such as aren't positive in a Box-Cox transformation (they become missing).

    Converted are ``Pipeline``, ``ColumnTransformer`` and ``FeatureUnion``, within each other, of
    SimpleImputer, MissingIndicator, StandardScaler, MinMaxScaler, RobustScaler, MaxAbsScaler,
    PowerTransformer, QuantileTransformer, KBinsDiscretizer, OneHotEncoder, OrdinalEncoder, TargetEncoder, and
    FunctionTransformer of ``np.log1p`` or nothing; and XGBClassifier and XGBRegressor.

    Parameters
    ----------
    fitted : sklearn.pipeline.Pipeline
        It is only read.
    sample : pandas.DataFrame or pyarrow.Table
        Rows such as it was fitted on, some thousand at best, to compare predictions on. Their first types
        tell the kinds of the inputs.
    inputs : mapping of str to str, optional
        The kind of each input as a config states it, where the sample's types don't tell.
    name : str
        The pipeline's.

    Returns
    -------
    Converted

    Raises
    ------
    ConversionError
        With every step that can't be converted; or predictions differ.
    TypeError
        The arguments are something else.

    Examples
    --------
    >>> import numpy as np, pandas
    >>> from sklearn.compose import ColumnTransformer
    >>> from sklearn.impute import SimpleImputer
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import OneHotEncoder
    >>> from xgboost import XGBClassifier
    >>> import engine
    >>> columns = {"delay": [5.0, np.nan, 40.0, 2.0] * 9, "carrier": ["UA", "AA", "UA", "B6"] * 9}
    >>> frame = pandas.DataFrame(columns)
    >>> parts = [("fill", SimpleImputer(), ["delay"]), ("code", OneHotEncoder(), ["carrier"])]
    >>> prepare = ColumnTransformer(parts)
    >>> fitted = make_pipeline(prepare, XGBClassifier(n_estimators=3)).fit(frame, [0, 0, 1, 0] * 9)
    >>> converted = engine.from_sklearn(fitted, sample=frame)
    >>> converted.config["inputs"]["delay"], list(converted.config["stages"])
    ('number', ['columntransformer_fill', 'columntransformer_code', 'xgbclassifier'])
    >>> score = converted.pipeline.predict_one({"delay": 40.0, "carrier": "UA"})["score"]
    >>> bool(score == fitted.predict_proba(frame)[2, 1])
    True
    """
    steps = _steps(fitted)
    if inputs is not None and not isinstance(inputs, Mapping):
        raise TypeError(f"inputs is a mapping such as {{'dep_delay': 'number'}}, not {type(inputs).__name__}")
    table = as_table(sample)
    draft = Draft(table.column_names)
    last, estimator = steps[-1]
    try:
        check_model(estimator)
    except Refused as refused:
        draft.refuse((last,), refused)
    kinds, features = _inputs(draft, fitted, inputs, table)
    for step_name, step in steps[:-1]:
        features = walk(draft, (step_name,), step, features)
    if draft.mistakes or features is None:
        raise ConversionError(draft.mistakes)
    try:
        return _finished(draft, fitted, sample, table, kinds, inputs, features, name)
    except Refused as refused:
        draft.refuse((), refused)
        raise ConversionError(draft.mistakes) from None


def _steps(fitted: Any) -> list[tuple[str, Any]]:
    from sklearn.pipeline import Pipeline as Steps

    if isinstance(fitted, Steps):
        return list(fitted.steps)
    raise TypeError(
        f"from_sklearn takes a fitted sklearn.pipeline.Pipeline whose last step is XGBoost's estimator, not "
        f"{type(fitted).__name__}; make_pipeline(transformer, estimator) makes one"
    )


def _inputs(
    draft: Draft, fitted: Any, inputs: Mapping[str, Any] | None, table: pa.Table
) -> tuple[dict[str, Any], list[Feature] | None]:
    try:
        columns = columns_of(fitted, table)
    except Refused as refused:
        draft.refuse(("sample",), refused)
        return {}, None
    kinds, wrong = kinds_of(inputs, columns, table)
    for found in wrong:
        draft.refuse(("inputs",), found)
    odd = [column for column in columns if column in KIND_WORDS or not column or column != column.strip()]
    if odd:
        draft.refuse(
            ("inputs",), Refused(f"columns can't be called {listing(map(repr, odd))}", "rename them, and fit")
        )
    # a column whose kind isn't known may be one that nothing takes; a step that does will say so
    features = [Feature(c, kind_of(kinds[c]) if c in kinds else Kind.TEXT, source=c) for c in columns]
    return kinds, features


def _finished(
    draft: Draft,
    fitted: Any,
    sample: Any,
    table: pa.Table,
    kinds: Mapping[str, Any],
    inputs: Mapping[str, Any] | None,
    features: list[Feature],
    name: str,
) -> Converted:
    last, estimator = fitted.steps[-1]
    made = as_frame(sample, columns_of(fitted, table))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of unknown categories, and of names where it was fitted on arrays
        try:
            for _, step in fitted.steps[:-1]:
                made = made if step is None or isinstance(step, str) else step.transform(made)
            scores = expected_scores(estimator, made)
        except (ValueError, TypeError) as error:
            raise Refused(
                f"scikit-learn itself can't score the sample: {error}",
                "give a sample that it can: with the types that it was fitted on, and known categories",
            ) from error
    try:
        convert_model(draft, (last,), estimator, features, sparse=is_sparse(made))
    except Refused as refused:
        draft.refuse((last,), refused)
        raise ConversionError(draft.mistakes) from None
    config = _config(draft, kinds, inputs, name)
    try:
        pipeline = _pipeline(draft, config)
        _check_rejects(draft, pipeline)
        # interpreted: the same bits, and nothing is compiled to be compared once
        asked = Pipeline(pipeline.plan, pipeline.learned, interpreted=True)
        differences = compare(asked, table, expected_features(made, estimator.missing), scores)
        golden = golden_rows(asked, _golden(table, pipeline))
    except UserError as error:
        raise Refused(f"what the steps became can't be put together: {error}") from error
    return Converted(Pipeline(pipeline.plan, pipeline.learned, Fitted(golden=golden)), config, differences)


def _config(
    draft: Draft, kinds: Mapping[str, Any], inputs: Mapping[str, Any] | None, name: str
) -> dict[str, Any]:
    """The pipeline's keys; of the inputs those that are stated, or that a stage reads."""
    read = {column for learned in draft.learned.values() for column in learned.get("features", ())}
    for stage in draft.stages.values():
        read |= set(stage.get("columns", ()))
        if stage["use"] == "expr":
            read |= set(names(stage["value"]))
    kept: dict[str, Any] = {}
    for column, given in kinds.items():
        if column in read or column in (inputs or {}):
            policy = draft.policies.get(column)
            long = dict(given) if isinstance(given, Mapping) else {"kind": str(given)}
            kept[column] = policy | long if policy else given
    return {"name": name, "inputs": kept, "stages": draft.stages}


def _pipeline(draft: Draft, config: Mapping[str, Any]) -> Pipeline:
    plan = build_plan(Config(copy.deepcopy(dict(config)), (), {"pipeline": "the converted pipeline"}))
    learned: dict[str, Learned] = {}
    state: State = initial(plan)
    for planned in plan.stages:
        found = draft.learned.get(planned.label) or planned.stage.prepare(selected(planned, state))
        if found:
            learned[planned.label] = found
        state, _, _ = trace_stage(planned, found, state)
    return Pipeline(plan, learned)


def _check_rejects(draft: Draft, pipeline: Pipeline) -> None:
    """An input rejects what no stage knows: that must be what the encoder refuses."""
    for column, known in draft.known.items():
        if set(pipeline.layout.vocabularies.get(column, ())) != known:
            raise Refused(
                f"handle_unknown='error' of {column!r}: other steps know other categories of it, so the "
                "engine wouldn't reject the same rows",
                "fit with handle_unknown='ignore', or 'use_encoded_value' of an OrdinalEncoder",
            )


def _golden(table: pa.Table, pipeline: Pipeline) -> pa.RecordBatch:
    """Rows spread over the sample, with the inputs alone."""
    count = min(pipeline.plan.golden, table.num_rows)
    rows = np.unique(np.linspace(0, table.num_rows - 1, count).astype(np.int64))
    columns = {}
    for column in pipeline.plan.inputs:
        found = table.column(column.name).take(pa.array(rows)).combine_chunks()
        columns[column.name] = found.cast(pa.string()) if column.kind is Kind.CATEGORY else found
    return pa.RecordBatch.from_pydict(columns)
