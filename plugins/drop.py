"""Leave out some columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from engine.stage import SchemaStage, stage


@stage("drop")
class Drop(SchemaStage):
    """Leave out the selected columns; later stages don't see them.

    Examples
    --------
    >>> from engine.testing import run_stage
    >>> run_stage("drop", {"a": [1.0], "b": [2.0], "c": [3.0]}, columns=["b"])
    {'a': [1.0], 'c': [3.0]}
    """

    def arrange(self, columns: Sequence[str], selected: Sequence[str]) -> Mapping[str, str]:
        return {name: name for name in columns if name not in selected}
