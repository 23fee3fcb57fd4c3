"""Checks of scores: XGBoost's own, to the bit, however they are asked for."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from engine.errors import ModelError
from engine.testing.outcome import CheckFailedError, NotCheckedError, described
from engine.testing.scorers.bench import Case, Floats, ScorerBench, Subject, case_of
from engine.testing.scorers.models import others

_ALONE = 64
_THREADS = 4


def need(bench: ScorerBench, *checks: Callable[[ScorerBench], None]) -> None:
    """Leave a check that has nothing to say where others fail.

    Raises
    ------
    NotCheckedError
    """
    for check in checks:
        try:
            check(bench)
        except CheckFailedError:
            raise NotCheckedError(f"see {check.__name__!r}") from None


def makes(bench: ScorerBench) -> None:
    """Of a model it makes a scorer, which says what it takes and gives, or a reason why it can't."""
    reasons = []
    for case, made in bench.made:
        if isinstance(made, str):
            reasons.append(f"{case.label}: {made}")
            if not made.strip():
                raise CheckFailedError(f"given {case.label}, make() gives an empty text; say why it can't")
        else:
            _told(case, made)
    if len(reasons) == len(bench.made):
        raise CheckFailedError(
            "it scores none of the models; give some that it does: check_scorer(NAME, {LABEL: booster})\n"
            + "\n".join(reasons)
        )


def _told(case: Case, made: Any) -> None:
    wanted = {"n_features": case.rows.shape[1], "n_outputs": case.wanted.shape[1]}
    for name, number in wanted.items():
        if getattr(made, name, None) != number:
            raise CheckFailedError(
                f"of {case.label}, {name} is {getattr(made, name, None)!r}; it must be {number}"
            )
    used = getattr(made, "used", None)
    if not isinstance(used, frozenset) or not used <= set(range(wanted["n_features"])):
        raise CheckFailedError(
            f"of {case.label}, used is {used!r}; give a frozenset of the numbers of features, from 0"
        )
    note = getattr(made, "note", None)
    if not isinstance(note, str) or not note or "\n" in note:
        raise CheckFailedError(f"of {case.label}, note is {note!r}; give a line for 'engine explain'")


def equals_xgboost(bench: ScorerBench) -> None:
    """Scores are XGBoost's own bits, at thresholds and one ulp beside, missing and infinite."""
    for subject in bench.subjects:
        found = subject.many(subject.case.rows, "given hard rows")
        subject.same(
            found, subject.case.wanted, ("here", "as XGBoost predicts it"),
            "splits compare float32 by '<' and sums are float32, from the base margin on, tree by tree",
        )  # fmt: skip


def one_equals_many(bench: ScorerBench) -> None:
    """One row has the bits that it has in a block, in arrays that are filled anew and in others."""
    remedy = "one() must give the bits of many(), and read its arrays each time that it is called"
    for subject in bench.subjects:
        rows = subject.case.rows[:_ALONE]
        whole = subject.many(rows, "in a block")
        others = np.stack([subject.one(row.copy(), "given a row") for row in rows])
        subject.same(others, whole, ("alone", "in a block"), remedy)
        kept, scores = np.empty(rows.shape[1], np.float32), np.empty(whole.shape[1], np.float32)
        again = np.empty_like(whole)
        for row, found in zip(rows, again, strict=True):
            kept[:] = row
            subject.scorer.one(kept, scores)
            found[:] = scores
        subject.same(again, whole, ("alone, in arrays that are used again,", "in a block"), remedy)


def chunkings(bench: ScorerBench) -> None:
    """A block cut anywhere, or turned round, has the same scores."""
    remedy = "score a row by its own features, not by the rows beside it"
    for subject in bench.subjects:
        rows = subject.case.rows
        whole = subject.many(rows, "in one block")
        for size in (1, 3, 64, 65):
            part = rows[:_ALONE] if size == 1 else rows
            blocks = [part[start : start + size] for start in range(0, len(part), size)]
            found = np.concatenate([subject.many(block, f"in blocks of {size}") for block in blocks])
            subject.same(found, whole[: len(part)], (f"in blocks of {size}", "in one block"), remedy)
        turned = subject.many(np.ascontiguousarray(rows[::-1]), "turned round")[::-1]
        subject.same(turned, whole, ("with the order reversed", "in order"), remedy)


def layouts(bench: ScorerBench) -> None:
    """Features that lie in rows, in columns, or with gaps between them have the same scores."""
    remedy = "features come in rows or in columns, and not always side by side: see np.ascontiguousarray"
    for subject in bench.subjects:
        rows = subject.case.rows
        whole = subject.many(rows, "in rows")
        wide = np.full((rows.shape[1], len(rows) + 5), np.float32(7))
        wide[:, : len(rows)] = rows.T
        for how, laid_out in (
            ("in columns", np.asfortranarray(rows)),
            ("in columns with gaps", wide[:, : len(rows)].T),
            ("in memory of its own", rows.copy()),
        ):
            subject.same(subject.many(laid_out, how), whole, (how, "in rows"), remedy)


def empty(bench: ScorerBench) -> None:
    """No rows have no scores, of as many outputs."""
    for subject in bench.subjects:
        subject.many(subject.case.rows[:0], "given no rows")


def threads(bench: ScorerBench) -> None:
    """Several threads at once, also the first that ever ask, get the scores of one."""
    remedy = "share no memory between calls; what is made on the first call must be made once"
    for first in bench.subjects:
        whole = first.many(first.case.rows, "in one thread")
        made = bench.make(first.case)
        assert not isinstance(made, str)
        subject = Subject(first.case, made)

        def score(subject: Subject = subject) -> tuple[Floats, Floats]:
            rows = subject.case.rows
            block = subject.many(rows, f"in {_THREADS} threads")
            alone = [subject.one(row.copy(), f"in {_THREADS} threads") for row in rows[: _ALONE // 4]]
            return block, np.stack(alone)

        with ThreadPoolExecutor(_THREADS) as pool:
            running = [pool.submit(score) for _ in range(2 * _THREADS)]
            for block, alone in (done.result() for done in running):
                said = (f"in {_THREADS} threads", "in one")
                subject.same(block, whole, said, remedy)
                subject.same(alone, whole[: len(alone)], said, remedy)
        tall = np.tile(subject.case.rows, (8, 1))
        found = subject.many(tall, f"with threads={_THREADS}", _THREADS)
        subject.same(found, np.tile(whole, (8, 1)), (f"with threads={_THREADS}", "with one"), remedy)


def inputs_untouched(bench: ScorerBench) -> None:
    """The features that it is given are as before."""
    for subject in bench.subjects:
        for rows in (subject.case.rows.copy(), np.asfortranarray(subject.case.rows)):
            before = rows.tobytes()
            subject.many(rows, "given features")
            if rows.tobytes() != before:
                raise CheckFailedError("many() changes its features; others read the same memory: copy them")
        row = subject.case.rows[0].copy()
        before = row.tobytes()
        subject.one(row, "given a row")
        if row.tobytes() != before:
            raise CheckFailedError("one() changes its features; others read the same memory: copy them")


def used(bench: ScorerBench) -> None:
    """A feature that is not in ``used`` can't change a score."""
    for subject in bench.subjects:
        unused = sorted(set(range(subject.case.rows.shape[1])) - subject.scorer.used)
        whole = subject.many(subject.case.rows, "as it is")
        for value in (np.nan, -1e30, 0.0, 1e30):
            rows = subject.case.rows.copy()
            rows[:, unused] = value
            found = subject.many(rows, "with other values where nothing is used")
            subject.same(
                found, whole, (f"where what is not used is {value:g}", "as it was"),
                f"'used' lacks {unused}; name every feature that splits read, for others aren't computed",
            )  # fmt: skip


def other_models(bench: ScorerBench) -> None:
    """A model of another kind is scored with XGBoost's bits, or refused by a reason or a `ModelError`."""
    need(bench, makes, equals_xgboost)
    for label, data in others().items():
        case = case_of(label, data)
        try:
            made = bench.cls().make(data, label, trusted=True)
        except ModelError:
            continue
        except Exception as error:
            raise CheckFailedError(
                f"given {label}, make() raises {described(error)}; give a reason, a text, why it can't be"
            ) from error
        if isinstance(made, str):
            continue
        _told(case, made)
        subject = Subject(case, made)
        alone = np.stack([subject.one(row.copy(), "given a row") for row in case.rows[: _ALONE // 4]])
        for found in (subject.many(case.rows, "given hard rows"), alone):
            remedy = "give a reason, a text, where a model is of a kind that it doesn't know"
            subject.same(found, case.wanted[: len(found)], ("here", "as XGBoost predicts it"), remedy)


def damaged(bench: ScorerBench) -> None:
    """What is no model, or a part of one, is a reason or a `ModelError`."""
    whole = bench.cases[0].model.ubj
    for label, data in (  # none that is empty: XGBoost ends the process, and the engine lets none through
        ("a text", b"this is no model"),
        ("half a model", whole[: len(whole) // 2]),
        ("a model without its end", whole[:-1]),
    ):
        try:
            made = bench.cls().make(data, label)
        except ModelError:
            continue
        except Exception as error:
            raise CheckFailedError(
                f"given {label}, make() raises {described(error)}; give a reason or raise ModelError"
            ) from error
        if not isinstance(made, str):
            raise CheckFailedError(f"given {label}, make() gives a scorer; give a reason or raise ModelError")


def addresses(bench: ScorerBench) -> None:
    """What compiled code calls, where it offers that, gives the bits of ``many`` and ``one``."""
    remedy = "see Scorer in engine/scorer.py for what each argument is"
    for subject in bench.subjects:
        rows = subject.case.rows
        scorer: Any = subject.scorer
        whole = subject.many(rows, "in a block")
        for name in ("block_address", "row_address"):
            other = {"block_address": ("block_model", "new_work"), "row_address": ("row_model",)}[name]
            lacking = [item for item in other if hasattr(scorer, name) and not hasattr(scorer, item)]
            if lacking:
                raise CheckFailedError(f"it has {name} and no {lacking[0]}; {remedy}")
        if hasattr(scorer, "row_address"):
            call, found = _function(scorer.row_address), np.empty_like(whole)
            for row, scores in zip(np.ascontiguousarray(rows), found, strict=True):
                call(row.ctypes.data, scores.ctypes.data, scorer.row_model, 0, 0, 0)
            subject.same(found, whole, ("by row_address", "by many()"), remedy)
        if hasattr(scorer, "block_address"):
            call = _function(scorer.block_address)
            for laid_out in (rows, np.asfortranarray(rows)):
                for scores in (np.empty_like(whole), np.empty(whole.shape, np.float32, "F")):
                    work = scorer.new_work()
                    steps = np.array([*laid_out.strides, *scores.strides], np.int64) // 4
                    call(
                        len(rows), laid_out.ctypes.data, scores.ctypes.data, scorer.block_model,
                        work.ctypes.data, steps.ctypes.data,
                    )  # fmt: skip
                    subject.same(scores, whole, ("by block_address", "by many()"), remedy)


def _function(address: int) -> Callable[..., None]:
    function: Callable[..., None] = ctypes.CFUNCTYPE(None, *[ctypes.c_int64] * 6)(address)
    return function
