"""A pipeline explained, as a query planner explains a query."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from engine.expr.derived import Derived, InputKey, source_of
from engine.plan.flow import Step, follow, output_columns
from engine.plan.plan import Plan
from engine.schema import Column
from engine.stage import NOTHING, Learned, RowFilter

if TYPE_CHECKING:
    from engine.compile.kernel import KernelPlan
    from engine.compile.layout import Segment
    from engine.pipeline import Pipeline
    from engine.plan.points import ComputePoint

_WIDTH = 110


def explain(pipeline: Pipeline, *, kernel: bool = False) -> str:
    """Stages with what they learned, features and inputs that were pruned, fused groups, outputs.

    Parameters
    ----------
    pipeline : Pipeline
    kernel : bool
        Append the emitted source of every kernel.
    """
    from engine.compile.kernel import plan_kernel
    from engine.jit.cache import why_not

    plan, layout = pipeline.plan, pipeline.layout
    kernels = [plan_kernel(s.roots, s.width, layout.vocabularies) for s in layout.segments]
    lines = [f"pipeline {plan.name}, version {pipeline.version}", ""]
    lines += _inputs(plan, layout.reads)
    lines += _stages(plan, pipeline.trace.steps, pipeline.learned)
    for number, (segment, item) in enumerate(zip(layout.segments, kernels, strict=True)):
        if segment.point:
            label = segment.point.label
            width = len(segment.point.features)
            head = f"kernel {number}: {len(segment.roots)} of {width} features of {label!r}"
            if segment.folded:
                head = (
                    f"kernel {number}: {_count(len(segment.roots), 'feature')} for the {width} of {label!r}"
                )
        else:
            head = f"kernel {number}: {_written(segment)}"
        lines += _kernel(head, item)
        if segment.compute:
            if lines[-1] == "":
                lines.pop()
            lines += [f"  then {segment.compute.label!r}: {_called(segment.compute)}", ""]
        if segment.point:
            if segment.folded:
                lines += _wrapped("  folded: ", [segment.folded])
            lines.append(f"  then {segment.point.label!r}: {pipeline.scorers[segment.point.label].note}")
            lines.append("")
    if pipeline.program.interpreted:
        lines += [f"interpreted, not compiled: {why_not() or 'as it was asked for'}", ""]
    if layout.pruned:
        head = f"pruned: {_count(len(layout.pruned), 'feature')} that no split uses: "
        lines += _wrapped(head, list(layout.pruned))
        lines.append("")
    lines += _outputs(plan, [column for column, _ in pipeline.trace.outputs])
    if kernel:
        for number, item in enumerate(kernels):
            lines += ["", f"# kernel {number}", *_legend(item), item.source.rstrip()]
    return "\n".join(lines)


def explain_plan(plan: Plan) -> str:
    """The stages of a plan that has not been fitted; ``carrier_*`` stands for names yet to be learned."""
    steps = follow(plan)
    lines = [f"pipeline {plan.name}, not fitted: nothing is learned or compiled yet", ""]
    lines += _inputs(plan, None)
    lines += _stages(plan, steps, {})
    lines += _outputs(plan, output_columns(plan, steps))
    return "\n".join(lines)


def _written(segment: Segment) -> str:
    """What a kernel writes for the output, for stages and of filters, in words."""
    taken = [root for root in segment.roots if segment.compute and root.stage == segment.compute.label]
    outputs = [root for root in segment.roots if not root.stage]
    conditions = len(segment.roots) - len(taken) - len(outputs)
    said = [_count(len(taken), "column") + f" for {taken[0].stage!r}"] if taken else []
    said += [_count(len(outputs), "output column")] if outputs else []
    said += [_count(conditions, "condition") + " of filters"] if conditions else []
    return " and ".join(said)


def _called(point: ComputePoint) -> str:
    """How a stage that computes with NumPy runs."""
    text = "NumPy, called from Python: it breaks the fusion"
    if point.grouped:
        text += f"; groups by {point.by!r}" if point.by else "; the rows of a call are one group"
    return text


def _count(number: int, what: str) -> str:
    return f"{number} {what}" + ("s" if number != 1 else "")


def _inputs(plan: Plan, reads: Sequence[InputKey] | None) -> list[str]:
    by_kind: dict[str, list[str]] = {}
    for item in plan.inputs:
        by_kind.setdefault(str(item.kind), []).append(item.name)
    lines = [f"inputs: {len(plan.inputs)}"]
    for kind, names in by_kind.items():
        lines += _wrapped(f"  {kind}: ", names)
    if reads is not None:
        derived = [str(key) for key in reads if isinstance(key, Derived)]
        if derived:
            lines += _wrapped("  derived, once for each text: ", derived)
        read = set(map(source_of, reads))
        idle = [item.name for item in plan.inputs if item.name not in read]
        if idle:
            lines += _wrapped("  pruned, not read: ", idle)
    return [*lines, ""]


def _stages(plan: Plan, steps: Sequence[Step], learned: Mapping[str, Learned]) -> list[str]:
    lines = ["stages"]
    width = max((len(planned.label) for planned in plan.stages), default=0)
    uses = max((len(planned.stage.use) for planned in plan.stages), default=0)
    for planned, step in zip(plan.stages, steps, strict=True):
        head = f"  {planned.label:<{width}}  {planned.stage.use:<{uses}}  "
        reads = _columns(step.selected) if planned.stage.selects else "by name"
        made = _columns(step.made) if step.made else f"{len(step.columns)} columns"
        if isinstance(planned.stage, RowFilter):
            made = "refuses rows"
        same = [c.name for c in step.made] == [c.name for c in step.selected]
        lines.append(f"{head}{reads} → {'changed in place' if same else made}")
        found = _learned(learned.get(planned.label, NOTHING), [c.name for c in step.selected])
        lines += [f"  {'':<{width}}  {'':<{uses}}  learned {text}" for text in found]
    return [*lines, ""]


def _columns(columns: Sequence[Column], most: int = 4) -> str:
    shown = [f"{c.name}: {c.dtype if c.single else c.kind}" for c in columns[:most]]
    more = f", … ({len(columns)} in all)" if len(columns) > most else ""
    return ", ".join(shown) + more


def _learned(learned: Learned, columns: Sequence[str]) -> list[str]:
    lines = []
    for name, value in learned.items():
        if isinstance(value, np.ndarray) and value.dtype == np.uint8:
            lines.append(f"{name}: {value.nbytes:,} bytes")
        elif isinstance(value, np.ndarray):
            keys = columns if len(columns) == value.size else [""] * value.size
            shown = [
                f"{key}={v:.6g}" if key else f"{v:.6g}" for key, v in zip(keys, value.ravel(), strict=False)
            ]
            lines.append(f"{name}: {_short(shown)}")
        elif any(value):
            lines.append(f"{name}: {_short([_text(item) for item in value])}")
    return lines


def _text(item: Any) -> str:
    return item if isinstance(item, str) else f"({_short(list(item))})"


def _short(items: Sequence[str], most: int = 6) -> str:
    more = f", … ({len(items)} in all)" if len(items) > most else ""
    return ", ".join(items[:most]) + more


def _kernel(head: str, kernel: KernelPlan) -> list[str]:
    from engine.compile.emit import formula

    lines = [f"{head}, {_count(len(kernel.groups), 'fused group')}"]
    for group in kernel.groups:
        what = formula(group.shape)
        names = [member.root.name or f"shared {member.root.slot}" for member in group.members]
        lines.append(f"  {len(names):>5} × {textwrap.shorten(what, 80, placeholder='…')}: {_short(names, 4)}")
    return [*lines, ""] if not kernel.width else lines


def _legend(kernel: KernelPlan) -> list[str]:
    """Whose columns and numbers the groups of an emitted source are."""
    lines = []
    for number, group in enumerate(kernel.groups):
        first = group.members[0]
        columns = ", ".join(f"x{i} = {leaf!r}" for i, leaf in enumerate(first.leaves))
        numbers = ", ".join(f"a{i} = {value:.6g}" for i, value in enumerate(first.constants))
        name = first.root.name or f"shared {first.root.slot}"
        text = f"# group {number}, first of {len(group.members)}: {name}; {columns}; {numbers}"
        lines.append(textwrap.shorten(text.rstrip("; "), 160, placeholder="…"))
    return lines


def _outputs(plan: Plan, columns: Sequence[Column]) -> list[str]:
    shown = [f"{name} (kept)" for name in plan.keep] + [f"{c.name}: {c.dtype}" for c in columns]
    return _wrapped("outputs: ", shown)


def _wrapped(head: str, names: Sequence[str]) -> list[str]:
    text = head + ", ".join(names)
    return textwrap.wrap(
        text, _WIDTH, subsequent_indent="    ", break_long_words=False, break_on_hyphens=False
    )
