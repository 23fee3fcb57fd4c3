"""The version that answers: loaded beside the one in use, warmed, then put in its place at once."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import pyarrow as pa

from engine.answer.live import Live
from engine.encode_json import json_text
from engine.errors import RowError
from engine.pipeline import Pipeline
from engine.runtime.serve.counts import Counts
from engine.runtime.serve.watch import Watch


class Holder:
    """The version in use; a request takes ``live`` once, and keeps it.

    Parameters
    ----------
    counts : Counts
    name : str, optional
        What the model is called, if not by the pipeline's name.

    Attributes
    ----------
    live : Live or None
        None: nothing is loaded yet.
    watch : Watch or None
    draining : bool
        The server is about to stop.
    """

    def __init__(self, counts: Counts, name: str | None = None) -> None:
        self.live: Live | None = None
        self.watch: Watch | None = None
        self.draining = False
        self._counts = counts
        self._name = name

    @property
    def ready(self) -> bool:
        """Whether requests should come here."""
        return self.live is not None and not self.draining

    def swap(self, pipeline: Pipeline) -> None:
        """Take a version that is warm."""
        watch = Watch(pipeline, self._counts)
        live = pipeline.live(watch)
        live.name = self._name or live.name
        _ask(pipeline.live())  # this thread's own memory
        old, self.watch, self.live = self.watch, watch, live
        if old is not None:
            old.flush()
            self._counts.add("swaps")
        for key in [key for key in self._counts.gauges if key[0] == "version"]:
            del self._counts.gauges[key]
        self._counts.gauge("version", 1, (live.version,))


def warm(pipeline: Pipeline) -> None:
    """Compile everything that a request may need, and score a row each way."""
    live = pipeline.live()
    _ask(live)
    live.many([example_row(pipeline)] * 9)


def _ask(live: Live) -> None:
    with suppress(RowError):  # without golden rows there is none that is known to pass
        live.one(example_row(live.pipeline))


def example_row(pipeline: Pipeline) -> Mapping[str, Any]:
    """A row, as JSON has it: the first golden one; without those, one with nothing in it."""
    golden = pipeline.fitted.golden if pipeline.fitted else None
    if golden is None or not golden.num_rows:
        return {}
    row = pa.Table.from_struct_array(golden.column("row").combine_chunks()).slice(0, 1)
    return {name: _json(row.column(name)) for name in row.column_names}


def _json(column: pa.ChunkedArray) -> Any:
    return json.loads(json_text(column.combine_chunks())[0].as_py())
