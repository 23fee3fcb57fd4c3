"""What is said of steps that can't be converted."""

from __future__ import annotations

from collections.abc import Sequence

from engine.errors import Mistake, UserError


class ConversionError(UserError):
    """All that keeps a scikit-learn pipeline from being converted.

    Attributes
    ----------
    mistakes : tuple of Mistake
        ``where`` is the path of the step, such as ``preprocess.num.scale``.
    """

    def __init__(self, mistakes: Sequence[Mistake]) -> None:
        self.mistakes = tuple(mistakes)
        count = len(self.mistakes)
        head = f"{count} thing{'s' if count > 1 else ''} can't be converted:\n\n"
        super().__init__(head + "\n\n".join(map(str, self.mistakes)))


class Refused(Exception):  # noqa: N818  control flow within a conversion: it becomes a Mistake
    """A step that can't be converted: what was found and why, then what to do."""

    def __init__(self, message: str, *notes: str) -> None:
        super().__init__(message)
        self.message = message
        self.notes = notes
