"""Give columns other names."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from engine.errors import did_you_mean, listing
from engine.schema import Column
from engine.stage import SchemaStage, option, stage


@stage("rename")
class Rename(SchemaStage):
    """Give columns other names; they keep their places, and two may exchange their names.

    Examples
    --------
    >>> from engine.testing import run_stage
    >>> run_stage("rename", {"dep_delay": [1.0], "distance": [2.0]}, names={"dep_delay": "delay"})
    {'delay': [1.0], 'distance': [2.0]}
    """

    selects = False

    names: dict[str, str] = option(help="the new name of each old one")

    def check(self, columns: Sequence[Column]) -> Iterable[str]:
        present = [column.name for column in columns]
        for old, new in self.names.items():
            if not any(column.covers(old) for column in columns):
                hint = did_you_mean(old, present)
                yield f"there is no column {old!r}.{hint} Columns here: {listing(present)}"
            if not new:
                yield f"the new name of {old!r} is empty"
        after = [self.names.get(name, name) for name in present]
        for name in sorted({name for name in after if after.count(name) > 1}):
            yield f"two columns would be called {name!r}"

    def arrange(self, columns: Sequence[str], selected: Sequence[str]) -> Mapping[str, str]:
        # an old name that only an open column covers is not among the names yet
        hidden = {new: old for old, new in self.names.items() if old not in columns}
        return {self.names.get(name, name): name for name in columns} | hidden
