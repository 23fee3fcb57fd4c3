"""A model that somebody gives as a file: read, and its features matched with columns."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from engine.errors import ModelError, did_you_mean, listing
from engine.files import read_regular
from engine.forest.model import MOST_BYTES, Model
from engine.forest.ubjson import parse
from engine.schema import Column, Kind


def read_file(path: str) -> Model:
    """The facts of a model file, which XGBoost survives.

    Raises
    ------
    ModelError
        There is no such file, or it is no model, or a damaged one.
    """
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


def variance_power(data: bytes) -> float:
    """Tweedie's variance power in a saved model."""
    stated = parse(data)["learner"]["objective"]["tweedie_regression_param"]
    return float(stated["tweedie_variance_power"])


def match_columns(facts: Model, columns: Sequence[Column], path: str) -> tuple[str, ...]:
    """The columns in the order in which a model takes them: by its feature names, else by their own order.

    Raises
    ------
    ModelError
        They don't fit.
    """
    names = _matched(facts, [column.name for column in columns], path)
    kinds = {column.name: column.kind for column in columns}
    for i, name in enumerate(names):
        if kinds[name] is not Kind.CATEGORY:
            continue
        if not facts.splits_categories(i):
            raise ModelError(f"{path} takes a number as {name!r}, which is a category here: encode it first")
        if not facts.texts or not facts.texts[i]:
            raise ModelError(
                f"{path} was trained on codes of {name!r}, and doesn't say which texts they stand for; "
                "give it the codes as numbers, such as by: {use: ordinal, categories: [...], unknown: nan}"
            )
    return names


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
