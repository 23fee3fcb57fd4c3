"""Keep some columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from engine.stage import SchemaStage, stage


@stage("select")
class Select(SchemaStage):
    """Keep the selected columns, in the order in which they are selected; later stages see no others.

    The pipeline's ``keep`` columns reach the output all the same.

    Examples
    --------
    >>> from engine.testing import run_stage
    >>> run_stage("select", {"a": [1.0], "b": [2.0], "c": [3.0]}, columns=["c", "a"])
    {'c': [3.0], 'a': [1.0]}
    """

    def arrange(self, columns: Sequence[str], selected: Sequence[str]) -> Mapping[str, str]:
        return {name: name for name in selected}
