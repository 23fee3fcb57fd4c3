"""What a model takes and gives, as the Open Inference Protocol tells it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

from engine.errors import did_you_mean
from engine.runtime.serve.call import Refusal
from engine.schema import Kind

if TYPE_CHECKING:
    from engine.answer.live import Live
    from engine.pipeline import Pipeline

SERVER = "engine"
"""The server's name, and the platform of its models."""
EXTENSIONS = ("binary_tensor_data",)

INPUT_DATATYPES: Mapping[Kind, str] = MappingProxyType(
    {Kind.NUMBER: "FP64", Kind.CATEGORY: "BYTES", Kind.TEXT: "BYTES", Kind.TIMESTAMP: "INT64"}
)
"""What metadata says of an input; a number may come in any numeric datatype."""

OUTPUT_DATATYPES: Mapping[str, str] = MappingProxyType(
    {
        "float32": "FP32",
        "float64": "FP64",
        "int64": "INT64",
        "bool": "BOOL",
        "string": "BYTES",
        "timestamp[us, UTC]": "INT64",
    }
)
"""By the dtype of an output column."""


@dataclass(frozen=True, slots=True)
class TensorMetadata:
    """What metadata says of one tensor.

    Parameters
    ----------
    name : str
    datatype : str
    shape : tuple of int
        ``(-1,)``: as many values as a request has rows.
    """

    name: str
    datatype: str
    shape: tuple[int, ...] = (-1,)


def inputs(pipeline: Pipeline) -> list[TensorMetadata]:
    """The input tensors: the pipeline's inputs, in order.

    Examples
    --------
    >>> from engine.api import build
    >>> from engine.config.config import Config
    >>> stages = {"late": {"use": "expr", "value": "delay > 15"}}
    >>> pipeline = build(Config({"name": "late", "inputs": {"delay": "number"}, "stages": stages}))
    >>> inputs(pipeline)
    [TensorMetadata(name='delay', datatype='FP64', shape=(-1,))]
    """
    return [TensorMetadata(item.name, INPUT_DATATYPES[item.kind]) for item in pipeline.plan.inputs]


def outputs(pipeline: Pipeline) -> list[TensorMetadata]:
    """The output tensors, in order.

    A kept column that is no input has whatever datatype it is sent in, and isn't among them.
    """
    kinds = {item.name: item.kind for item in pipeline.plan.inputs}
    kept = [
        TensorMetadata(name, INPUT_DATATYPES[kinds[name]]) for name in pipeline.plan.keep if name in kinds
    ]
    made = [TensorMetadata(c.name, OUTPUT_DATATYPES[c.dtype]) for c, _ in pipeline.trace.outputs]
    return kept + made


def check_model(live: Live, name: str, version: str = "") -> None:
    """Refuse a model, or a version of it, that isn't served.

    Raises
    ------
    Refusal
        404.
    """
    if name != live.name:
        raise Refusal(
            404,
            f"there is no model {name!r:.80}.{did_you_mean(name[:80], [live.name])} "
            f"The model here is {live.name!r}",
            "not_found",
        )
    if version and version != live.version:
        raise Refusal(
            404,
            f"model {name!r} has no version {version!r:.80}.{did_you_mean(version[:80], [live.version])} "
            f"The version here is {live.version!r}",
            "not_found",
        )
