"""What a bundle holds, as plain values, and the version that follows from it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from engine.bundle.plain import to_json
from engine.stage import Learned

if TYPE_CHECKING:
    import pyarrow as pa

_MEANING = "engine-pipeline-1"
"""Changes when the same contents come to mean something else."""


@dataclass(frozen=True)
class Contents:
    """All that a bundle keeps of one pipeline.

    Parameters
    ----------
    config : mapping
        The pipeline's keys (`engine.config.config.PIPELINE_KEYS`) as JSON values; floats may be infinite.
    learned : mapping of str to Learned
        By stage label. A label whose Learned has a uint8 array ``model`` gets a file of its own.
    golden, profile : pyarrow.Table or None
        Rows with their answers; distributions on the training data.
    metrics : mapping
        Plain JSON values.
    plugin_versions : mapping of str to int
        By what ``use:`` says.
    overrides : tuple of str
        As typed.
    data : mapping
        Fingerprint of the training data: rows, columns, sha256.
    version : str
        64 hex digits, or empty: `write` computes it.
    origin : mapping of str to str
        Read from the manifest: `engine.bundle.this_origin` where it was written; empty: here.
    """

    config: Mapping[str, Any]
    learned: Mapping[str, Learned]
    golden: pa.Table | None = None
    profile: pa.Table | None = None
    metrics: Mapping[str, Any] = field(default_factory=dict)
    plugin_versions: Mapping[str, int] = field(default_factory=dict)
    overrides: tuple[str, ...] = ()
    data: Mapping[str, Any] = field(default_factory=dict)
    version: str = ""
    origin: Mapping[str, str] = field(default_factory=dict)


def compute_version(
    config: Mapping[str, Any], learned: Mapping[str, Learned], plugin_versions: Mapping[str, int]
) -> str:
    """The version of a pipeline: the sha256 (64 hex digits) of all that can change an answer.

    That is inputs, keep, outputs, stages, what was learned (models among it) and the plugins' versions. The
    order of stages and inputs counts; that of the keys of one stage doesn't. A mapping inside an option
    keeps its order, because only the plugin knows whether it has a meaning.

    Parameters
    ----------
    config : mapping
    learned : mapping of str to Learned
    plugin_versions : mapping of str to int

    Examples
    --------
    >>> one = compute_version({"stages": {"a": {"use": "clip", "lo": 0}}}, {}, {"clip": 1})
    >>> one == compute_version({"stages": {"a": {"lo": 0, "use": "clip"}}}, {}, {"clip": 1})
    True
    >>> len(one)
    64
    """
    covered = {
        "meaning": _MEANING,
        "inputs": _ordered(config.get("inputs")),
        "keep": list(config.get("keep") or ()),
        "outputs": config.get("outputs"),
        "stages": _ordered(config.get("stages")),
        "plugins": sorted(plugin_versions.items()),
        "learned": [
            [label, name, *_identity(learned[label][name])]
            for label in sorted(learned)
            for name in sorted(learned[label])
        ],
    }
    text = json.dumps(to_json(covered), allow_nan=False, ensure_ascii=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def little_endian(array: NDArray[Any]) -> NDArray[Any]:
    """The array C-contiguous and in little-endian bytes, the form that is stored and hashed."""
    return np.ascontiguousarray(array, array.dtype.newbyteorder("<")).reshape(array.shape)


def _ordered(items: Any) -> Any:
    if not isinstance(items, Mapping):
        return items
    return [
        [name, sorted(item.items()) if isinstance(item, Mapping) else item] for name, item in items.items()
    ]


def _identity(value: Any) -> list[Any]:
    if isinstance(value, np.ndarray):
        stored = little_endian(value)
        digest = hashlib.sha256(stored.tobytes()).hexdigest()
        return ["array", stored.dtype.str, list(stored.shape), digest]
    return ["texts", to_json(value)]
