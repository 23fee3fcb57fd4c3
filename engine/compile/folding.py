"""Preparation folded into the models that take it, where a model can."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from engine.compile.layout import Layout, Segment
from engine.compile.passes import Root
from engine.stage import Scorer


def fold_models(layout: Layout, scorers: Mapping[str, Scorer]) -> tuple[Layout, Mapping[str, Scorer]]:
    """The same program with fewer and simpler features, and the models that take those.

    Inputs and vocabularies stay as they are: what a row's codes mean doesn't depend on folding.

    Parameters
    ----------
    layout : Layout
    scorers : mapping of str to Scorer
        By the label of the score stage. One that has ``fold`` (see `engine.stage.Scorer`) is asked.
    """
    segments: list[Segment] = []
    models = dict(scorers)
    for segment in layout.segments:
        scorer: Any = models.get(segment.point.label) if segment.point else None
        found = None
        if segment.roots and hasattr(scorer, "fold"):
            features = {root.slot: (root.name, root.expr) for root in segment.roots}
            found = scorer.fold(features, layout.vocabularies)
        if found is not None and segment.point:
            named, models[segment.point.label], note = found
            roots = tuple(Root(expr, "feature", i, name) for i, (name, expr) in enumerate(named))
            segment = replace(segment, roots=roots, width=len(roots), folded=note)
        segments.append(segment)
    return replace(layout, segments=tuple(segments)), models
