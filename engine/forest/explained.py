"""What a model is asked to tell of its scores: the option, and the columns of the reasons."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from engine.errors import ModelError, did_you_mean, listing
from engine.expr.graph import Expr, table
from engine.schema import Column, Kind

MOST = 100
"""Reasons of a score, at most."""


@dataclass(frozen=True)
class Explain:
    """What is told of a score.

    Parameters
    ----------
    top : int
        How many of the strongest reasons.
    of : str
        The class, target or quantile whose score is explained; empty: the likeliest class of each row, the
        first target.
    """

    top: int = 3
    of: str = ""

    @staticmethod
    def mistakes(given: Mapping[str, Any]) -> list[str]:
        """What is wrong with an option ``explain``, a sentence each.

        >>> Explain.mistakes({"tip": 3})
        ["explain.tip: there is no 'tip'. Did you mean 'top'? There are: top, of"]
        """
        wrong = [
            f"explain.{key}: there is no {key!r}.{did_you_mean(key, ('top', 'of'))} There are: top, of"
            for key in given
            if key not in ("top", "of")
        ]
        top, of = given.get("top", 3), given.get("of", "")
        if isinstance(top, bool) or not isinstance(top, int) or not 1 <= top <= MOST:
            wrong.append(f"explain.top: {top!r} is no whole number from 1 to {MOST}")
        if not isinstance(of, str):
            wrong.append(f"explain.of: {of!r} is no text: a class, target or quantile, such as q0.1")
        return wrong

    def place(self, suffixes: Sequence[str]) -> int | None:
        """Which margin is explained; None: that of the likeliest class.

        Parameters
        ----------
        suffixes : sequence of str
            Of the columns of the margins, such as ``_late``.

        Raises
        ------
        ModelError
            None has this name.
        """
        known = [suffix.removeprefix("_") for suffix in suffixes]
        if not self.of:
            return None
        if self.of not in known or known == [""]:
            there = f"There are: {listing(known)}" if known != [""] else "The model has one score alone"
            raise ModelError(f"explain.of: there is no {self.of!r}.{did_you_mean(self.of, known)} {there}")
        return known.index(self.of)

    def columns(self, categories: bool) -> list[Column]:
        """The columns of the reasons, strongest first.

        Parameters
        ----------
        categories : bool
            Whether some feature is a category.
        """
        made = []
        for i in range(1, self.top + 1):
            made += [
                Column(f"reason_{i}", Kind.CATEGORY),
                Column(f"reason_{i}_value", Kind.NUMBER, single=True),
            ]
            if categories:
                made.append(Column(f"reason_{i}_category", Kind.CATEGORY))
            made.append(Column(f"reason_{i}_contribution", Kind.NUMBER, single=True))
            made.append(Column(f"reason_{i}_inputs", Kind.CATEGORY))
        return made

    def express(
        self,
        outputs: Sequence[Expr],
        features: Sequence[tuple[str, Sequence[str]]],
        texts: Sequence[Sequence[str]],
    ) -> dict[str, Expr]:
        """The columns, given what `Reasons` finds behind the scores.

        Parameters
        ----------
        outputs : sequence of Expr
            Four for each reason.
        features : sequence of (str, sequence of str)
            The name of each, and the inputs that it comes from.
        texts : sequence of sequence of str
            The texts behind each feature's codes; empty: none is a category.
        """
        made: dict[str, Expr] = {}
        names = [name for name, _ in features]
        for i in range(self.top):
            feature, value, contribution, code = outputs[4 * i : 4 * i + 4]
            reason = f"reason_{i + 1}"
            made[reason] = feature.choose(names)
            made[f"{reason}_value"] = value
            made[f"{reason}_category"] = _chosen(code, [text for found in texts for text in found])
            made[f"{reason}_contribution"] = contribution
            made[f"{reason}_inputs"] = _chosen(feature, [", ".join(inputs) for _, inputs in features])
        return made


def _chosen(index: Expr, texts: Sequence[str]) -> Expr:
    """The text at an index, where many are equal."""
    if not texts:
        return index.choose(())
    unique = list(dict.fromkeys(texts))
    place = {text: float(i) for i, text in enumerate(unique)}
    return table([place[text] for text in texts])[index].choose(unique)
