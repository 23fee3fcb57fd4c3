"""From the queue's entries to files: what the log's thread does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from engine.runtime.serve.predictions.columns import Columns
from engine.runtime.serve.predictions.entries import RowEntry, TableEntry
from engine.runtime.serve.predictions.files import Files
from engine.runtime.serve.predictions.outage import QUIET, Counts, Outage, Report
from engine.runtime.serve.predictions.pending import Pending
from engine.runtime.serve.predictions.settings import PredictionLog


class Writer:
    """Gathers rows by version and writes their files; never raises for what is wrong with a disk or a row.

    Parameters
    ----------
    settings : PredictionLog
    files : Files
    counts, report : callable

    Raises
    ------
    ConfigError
        The key can't be read.
    """

    def __init__(self, settings: PredictionLog, files: Files, counts: Counts, report: Report) -> None:
        self._settings = settings
        self._key = settings.read_key()
        self._files = files
        self._counts = counts
        self._report = report
        self._versions: dict[str, Columns] = {}
        self._pending: dict[str, Pending] = {}
        self._writes = Outage(report, "predictions.failed")
        self._conversions = Outage(report, "predictions.unreadable")

    def begin(self, version: str, inputs: Mapping[str, str], outputs: Mapping[str, str]) -> None:
        """Know the columns of a version; see `Log.begin`."""
        settings = self._settings
        settings.check([*dict.fromkeys((*inputs, *outputs))])
        self._versions[version] = Columns(inputs, outputs, settings.omit, settings.hash, self._key)

    def remove_leftovers(self) -> None:
        """Remove what killed workers left."""
        try:
            self._files.folder.mkdir(parents=True, exist_ok=True)
            removed = self._files.remove_leftovers()
        except OSError as error:
            self._writes.lost(0, self._known(error))
            return
        if removed:
            self._report("predictions.leftovers_removed", {"files": removed, **self._known()})

    def take(self, entries: Sequence[RowEntry] | Sequence[TableEntry]) -> None:
        """Turn entries that are alike into columns, and write the files that are full."""
        version, rows = entries[0].version, sum(entry.rows for entry in entries)
        try:
            columns = self._versions[version]
            if isinstance(entries[0], RowEntry):
                batch = columns.of_rows(entries)  # type: ignore[arg-type]
            else:
                batch = columns.of_tables(entries)  # type: ignore[arg-type]
        except Exception as error:  # whatever it is, the next rows may do
            said = f"{type(error).__name__}: {error}"
            self._conversions.lost(rows, {"error": said, "version": version})
            self._counts("failed", rows)
            return
        most, start = self._settings.rows, 0
        while start < batch.num_rows:
            pending = self._pending.get(version)
            if pending is None:
                pending = self._pending[version] = Pending(columns.schema, entries[0].time // 1000)
            part = batch.slice(start, most - pending.rows)
            pending.add(part)
            start += part.num_rows
            if pending.rows >= most:
                self._write(version)

    def write_due(self) -> None:
        """Write the files whose time has come."""
        self._conversions.end(QUIET)
        for version, pending in list(self._pending.items()):
            if pending.is_due(self._settings.rows, self._settings.seconds):
                self._write(version)

    def _write(self, version: str) -> None:
        pending = self._pending.pop(version)
        try:
            self._files.write(pending.table(), pending.micros)
        except Exception as error:  # the disk is full, the folder gone: the next file may do
            self._writes.lost(pending.rows, self._known(error))
            self._counts("failed", pending.rows)
        else:
            self._counts("written", pending.rows)
            self._writes.end()

    def write_all(self) -> None:
        """Write what there is."""
        for version in list(self._pending):
            self._write(version)

    def _known(self, error: Exception | None = None) -> dict[str, str]:
        known = {"path": str(self._files.folder)}
        return known if error is None else {**known, "error": f"{type(error).__name__}: {error}"}
