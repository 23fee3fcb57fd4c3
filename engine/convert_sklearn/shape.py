"""PowerTransformer, QuantileTransformer, KBinsDiscretizer and FunctionTransformer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from engine.convert_sklearn.draft import Draft, Feature, Path, literal, quoted
from engine.convert_sklearn.refuse import Refused
from engine.schema import Kind
from engine.training.categories import stacked


def power_transformer(draft: Draft, path: Path, step: Any, features: Sequence[Feature]) -> list[Feature]:
    """``power``."""
    own = draft.numbers(path, features)
    learned = {"power": np.array(step.lambdas_, np.float64)}
    if step.standardize:
        # no public attribute holds these
        learned |= {"mean": np.array(step._scaler.mean_), "deviation": np.array(step._scaler.scale_)}
    method = step.method.replace("-", "_")
    names = [feature.name for feature in own]
    standardize = None if step.standardize else False
    draft.stage(path, "power", names, learned=learned, method=method, standardize=standardize)
    return own


def quantile_transformer(draft: Draft, path: Path, step: Any, features: Sequence[Feature]) -> list[Feature]:
    """``quantile_transform``."""
    if step.ignore_implicit_zeros:
        raise Refused("ignore_implicit_zeros=True: zeros are numbers here", "fit on dense data without it")
    own = draft.numbers(path, features)
    quantiles = np.array(step.quantiles_, np.float64).T
    for feature, row in zip(own, quantiles, strict=True):
        if np.isnan(row).any():
            raise Refused(f"no training row has {feature.name!r}, so it has no quantiles", "leave it out")
    draft.stage(
        path, "quantile_transform", [feature.name for feature in own], learned={"quantiles": quantiles},
        n_quantiles=int(step.n_quantiles), output_distribution=step.output_distribution,
    )  # fmt: skip
    return own


def k_bins(draft: Draft, path: Path, step: Any, features: Sequence[Feature]) -> list[Feature]:
    """``bin``; for one-hot bins, an ``expr`` for each behind it."""
    own = draft.numbers(path, features)
    inner = [np.asarray(edges, np.float64)[1:-1] for edges in step.bin_edges_]
    asked = np.broadcast_to(step.n_bins, len(own)).tolist()
    if step.strategy in ("quantile", "uniform") and len(set(asked)) == 1:
        found = stacked(inner)
        learned = {
            "edges": found if found.shape[1] else np.zeros((len(inner), 1)),
            "count": np.array([len(edges) for edges in inner], np.int64),
        }
        names = [feature.name for feature in own]
        draft.stage(path, "bin", names, learned=learned, strategy=step.strategy, n_bins=int(asked[0]))
    else:
        for i, (feature, edges) in enumerate(zip(own, inner, strict=True)):
            if len(edges):
                draft.stage((*path, feature.name), "bin", [feature.name], edges=edges.tolist())
            else:  # one bin: 0 wherever there is a number
                own[i] = draft.expr(path, f"{feature.name}_bin", f"0 * sqrt(abs({quoted(feature.name)}))")
    if step.encode == "ordinal":
        return own
    return [
        draft.expr(path, f"{feature.name}_{k}", f"{quoted(feature.name)} == {literal(k)}", Kind.BOOLEAN)
        for feature, bins in zip(own, step.n_bins_, strict=True)
        for k in range(int(bins))
    ]


def function_transformer(draft: Draft, path: Path, step: Any, features: Sequence[Feature]) -> list[Feature]:
    """``log1p``, or nothing for the identity."""
    if step.kw_args:
        raise Refused(f"kw_args={step.kw_args!r} of FunctionTransformer can't be converted")
    if step.func is None:
        return list(features)
    if step.func is np.log1p:
        own = draft.numbers(path, features)
        draft.stage(path, "log1p", [feature.name for feature in own])
        return own
    name = getattr(step.func, "__qualname__", getattr(step.func, "__name__", repr(step.func)))
    raise Refused(
        f"FunctionTransformer of {name}: any function but np.log1p is code, which no config holds",
        "write it as an expression (stage 'expr') or a stage of your own, in front of the converted ones",
    )
