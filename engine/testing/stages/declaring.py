"""Checks of what a stage says of itself: options, columns, their kinds."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

from engine.bundle import read
from engine.config.compose import compose
from engine.config.config import Config
from engine.errors import ConfigError, UserError, listing
from engine.pipeline import Pipeline
from engine.plan.flow import follow
from engine.plan.guard import StageFailedError
from engine.schema import Kind
from engine.stage import COMMON_KEYS, option_fields
from engine.testing.outcome import CheckFailedError, NotCheckedError
from engine.testing.stages.compare import answers, difference
from engine.testing.stages.data import Sample, table
from engine.testing.stages.learning import need_plain
from engine.testing.stages.subject import LABEL, Subject


def fits(subject: Subject) -> None:
    """It can be built, and fitted on ordinary rows."""
    if subject.refusal is not None:
        text = str(subject.refusal) or type(subject.refusal).__name__
        raise CheckFailedError(
            f"it can't be built or fitted with {_shown(subject)}: {text}\nshow options and columns that fit "
            "in an example of its docstring (run_stage), or give them: check_stage(NAME, data, option=…)"
        )


def declared_columns(subject: Subject) -> None:
    """The columns that it makes, and their kinds, are those that it declares before data is seen."""
    pipeline = subject.pipeline
    declared = follow(pipeline.plan)[-1].made
    made = pipeline.trace.steps[-1].made
    for column in made:
        promised = next((c for c in declared if c.covers(column.name)), None)
        if promised is None:
            raise CheckFailedError(
                f"it makes the column {column.name!r}, which it doesn't declare; declared: "
                f"{listing(map(str, declared))}; make both the same"
            )
        if promised.kind is not column.kind:
            raise CheckFailedError(
                f"the column {column.name!r} is declared as a {promised.kind} and made as a {column.kind}; "
                "return from declare() (of a ColumnStage: result()) what express() gives"
            )
    for promised in declared:
        if not promised.open and promised.name not in {column.name for column in made}:
            raise CheckFailedError(
                f"it declares the column {promised.name!r} and doesn't make it; make both the same"
            )


def unknown_option(subject: Subject) -> None:
    """A misspelt option is refused by name, and every option can be told from the keys of every stage."""
    names = [item.name for item in option_fields(subject.cls)]
    for name in names:
        if name in COMMON_KEYS:
            raise CheckFailedError(
                f"its option {name!r} is called like a key of every stage, and can never be set; rename it "
                f"(taken: {listing(COMMON_KEYS)})"
            )
    for name in [f"{name}x" for name in names] or ["optionx"]:
        try:
            subject.plan(subject.config(options={name: 1}))
        except ConfigError as error:
            text = str(error)
            if name in text and (not names or "Did you mean" in text):
                continue
        raise CheckFailedError(
            f"the option {name!r}, which it doesn't have, is not refused by name; declare options as "
            "annotated attributes alone"
        )


def wrong_kinds(subject: Subject) -> None:
    """A column of a kind that it doesn't accept is refused by name; one of a kind that it does works."""
    name = "another"
    for kind in Kind:
        sample = Sample(name, kind)
        if kind not in subject.cls.accepts:
            text = _refusal(subject, sample, [*subject.selected, name])
            if text is None or name not in text:
                raise CheckFailedError(
                    f"a {kind} column is not refused, and it accepts {listing(subject.cls.accepts)}"
                    + (f"; the message doesn't name the column: {text}" if text else "")
                )
        elif kind not in {item.kind for item in subject.case.samples}:
            text = _refusal(subject, sample, [name])
            if text is not None and name not in text:
                raise CheckFailedError(
                    f"it accepts a {kind}, and given one it fails: {text}\ntake the kind out of 'accepts', "
                    "or yield a sentence from check() that names the column"
                )


def _refusal(subject: Subject, sample: Sample, select: list[str]) -> str | None:
    """What is said of a column that is selected; None: it works."""
    config = subject.config(extra=[sample], select=select)
    rows = table((*subject.case.samples, sample), "ordinary", 2)
    try:
        pipeline = subject.fit(rows, config)
        answers(pipeline, rows.slice(0, 50))
    except StageFailedError as error:
        return str(error).replace(sample.name, "…")  # it names the place, and not what is wrong
    except UserError as error:
        return str(error)
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return None


def options_round_trip(subject: Subject) -> None:
    """Through a YAML file and through a saved bundle its options, and so its answers, stay the same."""
    need_plain(subject)
    if any(item.name in COMMON_KEYS for item in option_fields(subject.cls)):
        raise NotCheckedError("see 'unknown_option'")
    pipeline, rows = subject.pipeline, subject.hard
    remedy = "keep options as they are given: don't change them in __post_init__; use types that JSON has"
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "conf" / "pipeline" / "kit.yaml"
        file.parent.mkdir(parents=True)
        file.write_text(f"# @package _global_\n{json.dumps(subject.config(), ensure_ascii=False)}\n")
        composed = subject.plan(compose(["pipeline=kit"], str(file.parents[1])).data)
        wanted = subject.plan()
        if composed.config != wanted.config:
            a, b = wanted.config["stages"][LABEL], composed.config["stages"][LABEL]
            names = [name for name in a if a[name] != b.get(name)]
            raise CheckFailedError(f"through a YAML file, {listing(names)} doesn't stay the same; {remedy}")
        saved = read(pipeline.save(Path(folder) / "bundle"))
    config = Config(saved.config)
    again = Pipeline(subject.plan(config.data), saved.learned)
    found = difference(rows, list(pipeline.outputs), answers(pipeline, rows), answers(again, rows))
    if found is not None:
        place, a, b = found
        raise CheckFailedError(f"{place} is {a!r}, and {b!r} from a saved bundle; {remedy}")
    if again.digest != pipeline.digest:
        raise CheckFailedError(f"a saved bundle has another version when it is loaded; {remedy}")


def _shown(subject: Subject) -> str:
    options = ", ".join(f"{name}={value!r}" for name, value in subject.case.options.items())
    columns = listing(f"{s.name}: {s.kind}" for s in subject.case.samples)
    return f"{options or 'its defaults'} and the columns {columns}"
