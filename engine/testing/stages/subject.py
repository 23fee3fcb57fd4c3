"""A stage under test: with each of its examples' options, in a pipeline of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType
from typing import Any

import numpy as np
import pyarrow as pa

from engine.config.config import Config
from engine.config.convert import plain
from engine.errors import UserError
from engine.pipeline import Pipeline, prepared
from engine.plan.build import build_plan
from engine.plan.plan import Plan
from engine.registry import Registry
from engine.schema import INPUT_KINDS, Kind
from engine.stage import GroupStage, Stage
from engine.testing.stages.data import ROWS, Sample, raw_name, table
from engine.testing.stages.run import Call
from engine.testing.stand_in import StandIn

LABEL = "tested"
_TARGETS: tuple[dict[str, str], ...] = (
    {"value": "kit_target > 0"},
    {"column": "kit_target"},
    {"column": "kit_class"},
)
"""Targets of each kind: a stage is fitted with the first that it takes."""


@dataclass(frozen=True)
class Case:
    """Columns and options that a stage is tested with.

    Parameters
    ----------
    samples : tuple of Sample
    columns : tuple of str or None
        Selectors; None: every column of a kind that the stage accepts.
    options : mapping
    into, drop
        As in a config.
    """

    samples: tuple[Sample, ...]
    columns: tuple[str, ...] | None
    options: Mapping[str, Any]
    into: str | None = None
    drop: bool = False

    @staticmethod
    def of(call: Call) -> Case:
        """What a docstring's example shows."""
        samples = tuple(Sample.of(name, values) for name, values in call.data.items())
        return Case(samples, call.columns, call.options, call.into, call.drop)


class Subject:
    """A stage with one case, and the pipelines and tables that the checks share.

    Parameters
    ----------
    cls : type of Stage
    registry : Registry
    case : Case
    """

    def __init__(self, cls: type[Stage], registry: Registry, case: Case) -> None:
        self.cls = cls
        self.registry = registry
        self.case = case

    @property
    def by(self) -> str | None:
        """The column whose rows belong together, of a stage that takes groups."""
        found = self.case.options.get("by")
        return found if issubclass(self.cls, GroupStage) and isinstance(found, str) else None

    @property
    def selected(self) -> list[str]:
        """What the stage is told to select."""
        if self.case.columns is not None:
            return list(self.case.columns)
        return [s.name for s in self.case.samples if s.kind in self.cls.accepts and s.name != self.by]

    def config(
        self,
        *,
        extra: Sequence[Sample] = (),
        select: Sequence[str] | None = None,
        options: Mapping[str, Any] = MappingProxyType({}),
    ) -> dict[str, Any]:
        """A pipeline of the stage alone, in front of it what makes booleans."""
        samples = (*self.case.samples, *extra)
        stages: dict[str, Any] = {
            f"boolean_{i}": {"use": "expr", "value": f"`{raw_name(sample)}` > 0", "into": sample.name}
            for i, sample in enumerate(samples)
            if sample.kind is Kind.BOOLEAN
        }
        tested: dict[str, Any] = {"use": self.cls.use}
        if self.cls.selects:
            tested["columns"] = list(self.selected if select is None else select)
        if self.case.into:
            tested["into"] = self.case.into
        if self.case.drop:
            tested["drop"] = True
        tested |= {name: plain(value) for name, value in {**self.case.options, **options}.items()}
        return {
            "name": "kit",
            "inputs": {raw_name(s): str(s.kind if s.kind in INPUT_KINDS else Kind.NUMBER) for s in samples},
            "outputs": ["*"],
            "stages": {**stages, LABEL: tested},
            "split": {"kind": "random", "valid": 0.2, "test": 0.2},
            "golden": 0,
        }

    def plan(self, config: Mapping[str, Any] | None = None, cls: type[Stage] | None = None) -> Plan:
        """The plan of a config, of the stage's own unless another is given."""
        return build_plan(Config(config or self.config()), StandIn(self.registry, cls or self.cls))

    def fit(
        self,
        rows: pa.Table | None = None,
        config: Mapping[str, Any] | None = None,
        cls: type[Stage] | None = None,
    ) -> Pipeline:
        """The pipeline, fitted on these rows (on ordinary ones) if the stage learns."""
        from engine.training.fit import fit_plan

        config = dict(config or self.config())
        plan = self.plan(config, cls)
        if not any(planned.stage.learns() for planned in plan.stages):
            return Pipeline(plan, prepared(plan))
        labelled = _labelled(self.ordinary if rows is None else rows)
        first: UserError | None = None
        for target in _TARGETS:
            plan = self.plan({**config, "target": target}, cls)
            try:
                fitted = fit_plan(plan, labelled, progress=lambda *_: None)
            except UserError as error:
                first = first or error
            else:
                return Pipeline(plan, fitted.learned)
        assert first is not None
        raise first

    @cached_property
    def pipeline(self) -> Pipeline:
        """The fitted pipeline; `refusal` says why there is none."""
        if isinstance(self._fitted, Exception):
            raise self._fitted
        return self._fitted

    @cached_property
    def _fitted(self) -> Pipeline | Exception:
        try:
            pipeline = self.fit()
            pipeline.trace  # noqa: B018 - a stage's own arithmetic is traced here
            return pipeline
        except Exception as error:
            return error

    @property
    def refusal(self) -> Exception | None:
        """Why there is no fitted pipeline."""
        return self._fitted if isinstance(self._fitted, Exception) else None

    @cached_property
    def oracle(self) -> Pipeline:
        """The same pipeline, interpreted."""
        return Pipeline(self.pipeline.plan, self.pipeline.learned, interpreted=True)

    def table(self, values: str, rows: int = ROWS) -> pa.Table:
        """Generated rows; see `engine.testing.stages.data.table`."""
        found = table(self.case.samples, values, 1, rows)
        if self.by not in found.schema.names:
            return found
        plain = table(self.case.samples, "ordinary", 1, rows)  # groups are told apart by ordinary values
        place = found.schema.get_field_index(self.by)
        return found.set_column(place, self.by, plain[self.by]).sort_by(self.by)

    @cached_property
    def ordinary(self) -> pa.Table:
        """Rows to fit on."""
        return self.table("ordinary")

    @cached_property
    def hard(self) -> pa.Table:
        """Rows at the edges of their kinds, none missing or infinite."""
        return self.table("hard")

    def units(self, rows: pa.Table) -> list[tuple[int, int]]:
        """Where what is answered together starts and ends: each row, or each group."""
        if not issubclass(self.cls, GroupStage):
            return [(i, i + 1) for i in range(rows.num_rows)]
        if self.by is None or self.by not in rows.schema.names:
            return [(0, rows.num_rows)]
        values = rows[self.by].to_pylist()
        starts = [i for i in range(len(values)) if not i or values[i] != values[i - 1]]
        return list(zip(starts, [*starts[1:], len(values)], strict=True))


def _labelled(rows: pa.Table) -> pa.Table:
    rng = np.random.default_rng(7)
    target = rng.normal(size=rows.num_rows)
    for column in rows.columns:
        if pa.types.is_floating(column.type):
            values = np.nan_to_num(column.to_numpy(), posinf=1.0, neginf=-1.0)
            target += (values > np.median(values)) * 1.0
    target -= np.median(target)
    classes = np.array(["low", "middle", "high"])[np.digitize(target, [-0.5, 0.5])]
    return rows.append_column("kit_target", pa.array(target)).append_column("kit_class", pa.array(classes))
