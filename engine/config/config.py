"""A composed config: plain values, and who set them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

PIPELINE_KEYS = (
    "name", "inputs", "target", "group", "weight", "keep", "outputs", "stages", "split", "seed", "golden",
)  # fmt: skip
"""Root keys that make up a pipeline, and that a bundle stores."""

RUN_KEYS = (
    "plugins", "bundle", "source", "sink", "rejects", "executor", "server", "sweep", "experiment", "tracking",
    "resume",
)  # fmt: skip
"""Root keys that say where and how a verb runs."""

VERB_KEYS = ("kernel", "profile", "by", "metrics", "report", "row", "version", "kind", "a", "b", "gate")
"""Root keys of single verbs."""

ROOT_KEYS = PIPELINE_KEYS + RUN_KEYS + VERB_KEYS


@dataclass(frozen=True)
class Config:
    """What a verb was asked to do.

    Parameters
    ----------
    data : mapping
        Every root key with its plain value (dicts, lists, text, numbers, booleans, None).
    overrides : tuple of str
        The overrides as typed.
    files : mapping of str to str
        The file that each config group was read from, for messages:
        ``{"pipeline": "conf/pipeline/flights.yaml"}``.
    """

    data: Mapping[str, Any]
    overrides: tuple[str, ...] = ()
    files: Mapping[str, str] = field(default_factory=dict)

    def __getitem__(self, key: str) -> Any:
        return self.data[key]

    def set_by(self, key: str) -> str:
        """Who set a key such as ``stages.squeeze.hi``: ``command line``, or a file."""
        for override in self.overrides:
            name = override.split("=", 1)[0].lstrip("+~")
            above = key.startswith(name + ".") and "." in name
            if name == key or above or name.startswith(key + "."):
                return "command line"
        group = key.split(".", 1)[0]
        return self.files.get(group) or self.files.get("pipeline") or "the config"
