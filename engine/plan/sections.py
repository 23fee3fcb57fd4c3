"""The parts of a config around the stages: inputs, target, split, and single values."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from engine.config.bind import Place, bind
from engine.config.convert import Misfit, convert, shown
from engine.errors import Mistake, did_you_mean, listing
from engine.plan.plan import Split, Target
from engine.schema import INPUT_KINDS, Input, Kind

_T = TypeVar("_T")

_OTHER_NAMES = (
    ("number", ("float", "double", "int", "integer", "bool", "boolean", "decimal", "numeric")),
    ("category", ("str", "string", "categorical", "dictionary", "enum")),
    ("timestamp", ("date", "datetime", "time")),
)


@dataclasses.dataclass
class Reader:
    """Reads parts of a config and gathers what is wrong with them.

    Parameters
    ----------
    data : mapping
        A config's root keys.
    set_by : callable
        Who set a key.
    mistakes : list of Mistake
        Grows as parts are read.
    """

    data: Mapping[str, Any]
    set_by: Callable[[str], str]
    mistakes: list[Mistake] = dataclasses.field(default_factory=list)

    def wrong(self, where: str, message: str, *notes: str, key: str = "") -> None:
        """Note a mistake; ``key`` is asked for who set it, where that is not ``where``."""
        self.mistakes.append(Mistake(where, message, (*notes, f"set by: {self.set_by(key or where)}")))

    def value(self, where: str, value: Any, kind: Any, otherwise: _T) -> Any | _T:
        """A value as the type, or ``otherwise`` where it doesn't fit."""
        try:
            return convert(value, kind)
        except Misfit as misfit:
            self.wrong(where + misfit.place, misfit.message)
            return otherwise

    def name(self) -> str:
        """The pipeline's name: part of paths and addresses."""
        found = self.data.get("name")
        if found is None:
            self.wrong("name", "a pipeline needs a name")
            return ""
        name: str = self.value("name", found, str, "")
        if name and not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]*", name):
            self.wrong("name", f"{name!r} can't name a folder; use letters, digits, '_', '-' and '.'")
        return name

    def column(self, key: str) -> str:
        """A root key that names one column, or none."""
        found: str | None = self.value(key, self.data.get(key), str | None, None)
        return found or ""

    def columns(self, key: str) -> tuple[str, ...] | None:
        """A root key that lists columns."""
        found = self.data.get(key)
        if found is None:
            return None
        names: list[str] = self.value(key, [found] if isinstance(found, str) else found, list[str], [])
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            self.wrong(key, f"{listing(map(repr, twice))} stands in it twice")
        return tuple(names)

    def count(self, key: str, default: int) -> int:
        """A root key that holds a whole number from 0."""
        found = self.data.get(key)
        number: int = default if found is None else self.value(key, found, int, default)
        if number < 0:
            self.wrong(key, f"must be at least 0, not {number}")
        return number

    def inputs(self) -> tuple[Input, ...]:
        """The raw columns."""
        found = self.data.get("inputs")
        if not isinstance(found, Mapping):
            self.wrong("inputs", f"must be a mapping from column to kind, not {shown(found)}")
            return ()
        if not found:
            self.wrong("inputs", "a pipeline needs an input at least", "such as: inputs.distance=number")
        read = [self._input(name, declared) for name, declared in found.items()]
        return tuple(column for column in read if column is not None)

    def _input(self, name: Any, declared: Any) -> Input | None:
        where = f"inputs.{name}"
        if not isinstance(name, str):
            self.wrong(where, f"a column's name {_not_text(name)}")
            return None
        if isinstance(declared, Mapping):
            # YAML's null is the policy of that name.
            long = {key: "null" if value is None else value for key, value in declared.items()}
            kind = self._kind(f"{where}.kind", long.pop("kind")) if "kind" in long else None
            if "kind" not in declared:
                self.wrong(f"{where}.kind", f"the input needs a kind: {', '.join(INPUT_KINDS)}", key=where)
            place = Place(where, "input", self.set_by, first=("kind (required)",), keys=("kind",))
            stated = any(policy in long for policy in ("missing", "invalid", "unknown"))
            bound = bind(Input, long, place, {"name": name, "kind": kind or Kind.NUMBER, "checked": stated})
            self.mistakes.extend(bound.mistakes)
            return bound.value if kind is not None else None
        kind = self._kind(where, declared)
        return Input(name, kind) if kind is not None else None

    def _kind(self, where: str, found: Any) -> Kind | None:
        if found in INPUT_KINDS:
            return Kind(found)
        meant = [kind for kind, others in _OTHER_NAMES if isinstance(found, str) and found.lower() in others]
        hint = f" Did you mean {meant[0]!r}?" if meant else did_you_mean(str(found), map(str, INPUT_KINDS))
        self.wrong(where, f"there is no kind {shown(found)}.{hint}", f"kinds: {', '.join(INPUT_KINDS)}")
        return None

    def target(self) -> Target | None:
        """What is learned."""
        found = self.data.get("target")
        if found is None:
            return None
        if not isinstance(found, Mapping):
            form = (
                f"{{column: {found}}}" if isinstance(found, str) and found.isidentifier() else '{value: "…"}'
            )
            self.wrong(
                "target",
                f"must be {{column: NAME}} or {{value: EXPRESSION}}, not {shown(found)}",
                f"write: {form}",
            )
            return None
        given = {key: value for key, value in found.items() if value is not None and value not in ("", [])}
        bound = bind(Target, given, Place("target", "target", self.set_by))
        self.mistakes.extend(bound.mistakes)
        if bound.value is None:
            return None
        target = bound.value
        forms = [
            name
            for name, there in (
                ("column", target.column),
                ("value", target.value),
                ("columns", target.columns),
                ("lower and upper", target.lower or target.upper),
            )
            if there
        ]
        if forms == ["column", "value"]:
            remedy = "to learn the column: target.value=null; to learn the expression: target.column=null"
            self.wrong("target", "has both column and value; it needs one of them", remedy)
            return None
        if not forms:
            self.wrong("target", "has neither column nor value; it needs one of them")
            return None
        if len(forms) > 1:
            self.wrong("target", f"has {listing(forms)}; it needs one of them")
            return None
        if bool(target.lower) != bool(target.upper):
            lacking = "upper" if target.lower else "lower"
            self.wrong("target", f"has no {lacking}; bounds are two columns: {{lower: NAME, upper: NAME}}")
            return None
        twice = sorted({name for name in target.columns if target.columns.count(name) > 1})
        if twice:
            self.wrong("target.columns", f"{listing(map(repr, twice))} stands in it twice")
        if bound.value.value:
            self._expression("target.value", bound.value.value)
        return bound.value

    def _expression(self, where: str, text: str) -> None:
        from engine.expr.language import ExpressionError, check_syntax

        try:
            check_syntax(text)
        except ExpressionError as error:
            self.wrong(where, "is no expression", *str(error).splitlines())

    def split(self) -> Split:
        """How labelled rows are parted."""
        found = self.data.get("split")
        if found is None:
            return Split()
        if not isinstance(found, Mapping):
            self.wrong("split", f"must be a mapping such as {{kind: time, column: NAME}}, not {shown(found)}")
            return Split()
        # Texts may be null: a pipeline that inherits a split takes its column away so.
        given = {k: v for k, v in found.items() if v is not None or k not in ("column", "part")}
        bound = bind(Split, given, Place("split", "split", self.set_by))
        self.mistakes.extend(bound.mistakes)
        if bound.value is None:
            return Split()
        self._check_split(bound.value)
        return bound.value

    def _check_split(self, split: Split) -> None:
        if split.kind in ("time", "group") and not split.column:
            what = "the time to sort by" if split.kind == "time" else "the group"
            self.wrong(
                "split.column",
                f"a split by {split.kind} needs the column that holds {what}",
                key="split.kind",
            )
        for key in ("valid", "test"):
            if not 0 <= getattr(split, key) < 1:
                self.wrong(f"split.{key}", f"must be a share from 0 to below 1, not {getattr(split, key):g}")
                return
        if split.valid + split.test >= 1:
            total = split.valid + split.test
            self.wrong(
                "split",
                f"valid and test are {total:g} of the rows together, so none is left for train",
                key="split.valid",
            )
        if split.seed is not None and split.seed < 0:
            self.wrong("split.seed", f"must be at least 0, not {split.seed}")
        if not split.gap >= 0:
            self.wrong("split.gap", f"must be at least 0, not {split.gap:g}")


def _not_text(name: Any) -> str:
    try:
        convert(name, str)
    except Misfit as misfit:
        return misfit.message
    return ""
