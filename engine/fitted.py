"""What a fit leaves behind besides what stages learned."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True)
class Fitted:
    """What is known of the data a pipeline was fitted on.

    Parameters
    ----------
    metrics : mapping of str to float
        On the test part (the valid or train part where there is no test).
    rows : mapping of str to int
        Labelled rows by part, without those that filters refuse; ``unlabelled`` ones; ``filtered`` ones, if
        there are any.
    golden : pyarrow.Table or None
        Rows with their answers: struct columns ``row`` and ``answer``.
    profile : pyarrow.Table or None
        Distributions of inputs, features and scores on train.
    data : mapping
        The table's fingerprint.
    origin : mapping of str to str
        Platform and XGBoost where it was fitted (`engine.bundle.this_origin`); empty: here.
    hints : tuple of str
        What the user may not have meant, a sentence each.
    """

    metrics: Mapping[str, float] = field(default_factory=dict)
    rows: Mapping[str, int] = field(default_factory=dict)
    golden: pa.Table | None = None
    profile: pa.Table | None = None
    data: Mapping[str, Any] = field(default_factory=dict)
    origin: Mapping[str, str] = field(default_factory=dict)
    hints: tuple[str, ...] = ()
