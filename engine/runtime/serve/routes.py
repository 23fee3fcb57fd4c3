"""Which handler a path has, and what is asked of a request before it gets there."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from engine.errors import did_you_mean
from engine.runtime.serve.call import Answer, Call, Refusal

Handler = Callable[[Call], Answer]


@dataclass(frozen=True, slots=True)
class Route:
    """What answers a path.

    Parameters
    ----------
    name : str
        What the metrics call it.
    handler : callable
    methods : tuple of str
    open : bool
        Whether it is answered without a key.
    loaded : bool
        Whether it needs a version that is loaded.
    predicts : bool
        Whether it takes a place among those in flight.
    """

    name: str
    handler: Handler
    methods: tuple[str, ...] = ("GET", "HEAD")
    open: bool = False
    loaded: bool = True
    predicts: bool = False


class Routes:
    """All routes.

    Parameters
    ----------
    exact : mapping of str to Route
        By path.
    models : mapping of str to Route
        By what follows ``/v2/models/NAME`` or ``/v2/models/NAME/versions/VERSION``: ``""``, ``"ready"``,
        ``"infer"``.
    """

    def __init__(self, exact: Mapping[str, Route], models: Mapping[str, Route]) -> None:
        self._exact = dict(exact)
        self._models = dict(models)

    def find(self, path: str) -> Route | None:
        """The route of a path."""
        return self._exact.get(path) or self._of_model(path)

    def _of_model(self, path: str) -> Route | None:
        if not path.startswith("/v2/models/"):
            return None
        rest = path.split("/")[4:]
        if rest[:1] == ["versions"] and len(rest) > 1:
            rest = rest[2:]
        return self._models.get("/".join(rest))

    def unknown(self, path: str) -> Refusal:
        """The refusal of a path that has none."""
        shown = path if len(path) <= 100 else f"{path[:100]}…"
        hint = did_you_mean(path[:100], self._exact)
        return Refusal(
            404, f"there is no {ascii(shown)[1:-1]}.{hint} /openapi.json lists what there is", "not_found"
        )
