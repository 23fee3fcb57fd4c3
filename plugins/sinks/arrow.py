"""Arrow IPC files to write."""

from __future__ import annotations

from collections.abc import Iterable

from engine.sink import Mode, Sink, SinkPlugin, option, sink


@sink("arrow")
class ArrowSink(SinkPlugin):
    """An Arrow IPC file (Feather version 2), or a folder of them, there only when it is complete.

    Examples
    --------
    >>> ArrowSink(path="scores.arrow")
    ArrowSink(path='scores.arrow', mode='error', storage={})
    """

    extensions = (".arrow", ".feather")

    path: str = option(help="a path or URL (s3://…): with an ending one file, without one a folder of parts")
    mode: Mode = option("error", help="what happens to what is already there; append: to a folder")
    storage: dict[str, str | bool] = option(
        {}, help="how a store is reached: endpoint, region, anonymous; keys come from the environment"
    )

    def check(self) -> Iterable[str]:
        from engine.runtime.io.formats import storage_mistakes

        return storage_mistakes(self.storage)

    def open(self) -> Sink:
        from engine.runtime.io.formats import arrow_output, files_sink

        output = arrow_output()
        return files_sink(self.path, self.mode, output, self.storage)
