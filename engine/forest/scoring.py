"""What is wanted of a model: predictions or margins, and where these begin."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Scoring:
    """What is wanted of a model, besides that it scores.

    Parameters
    ----------
    margin : bool
        Margins in place of predictions: the sums of leaves.
    base_margin : bool
        Each row brings the margins from which its sums start, behind the features of the model: one for each
        margin. They take the place of the model's base score.
    """

    margin: bool = False
    base_margin: bool = False

    @property
    def name(self) -> str:
        """What tells it from others; empty: plain predictions.

        >>> Scoring(margin=True).name
        ' of margins'
        """
        return (" of margins" if self.margin else "") + (" from base margins" if self.base_margin else "")


PLAIN = Scoring()
"""Predictions, from the model's own base score."""
