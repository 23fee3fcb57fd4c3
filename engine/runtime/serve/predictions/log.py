"""The queue of the prediction log, and the thread that empties it."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from hashlib import blake2b
from pathlib import Path
from time import sleep, time_ns
from typing import Any

import pyarrow as pa

from engine.errors import ConfigError, Mistake
from engine.runtime.serve.predictions.entries import RowEntry, TableEntry
from engine.runtime.serve.predictions.files import Files
from engine.runtime.serve.predictions.outage import QUIET, Counts, Outage, Report, tolerant
from engine.runtime.serve.predictions.settings import KEY, PredictionLog
from engine.runtime.serve.predictions.writer import Writer
from engine.values import BadValue

_EVERY = 0.1
"""Seconds between two looks at the queue, if it doesn't fill up before."""
_ROWS_AT_A_TIME = 64
"""Rows that become columns together, in less than a millisecond in which no other thread may run."""
_CELLS_AT_A_TIME = 4096
"""The same of requests that came as columns, most of whose conversion holds up nobody."""
_PAUSE = 0.0002
"""Seconds between two such turns. Who lets go of the interpreter's lock without sleeping has it again before
the thread that answers wakes up, which then waits for the whole of `sys.getswitchinterval`: 5 ms."""


class Log:
    """Takes what was asked and answered, from any thread; made by `open_log`.

    Whatever happens to the files, no call raises or waits: what there is no room for is dropped and counted.
    Each row that it is given is counted once: as written, as dropped because too many waited, or as failed
    because its file couldn't be written.
    """

    def __init__(
        self, settings: PredictionLog, folder: Path, worker: int, counts: Counts, report: Report
    ) -> None:
        self._settings = settings
        # the thread outlives what goes wrong in a logger, such as a closed pipe
        self._counts, report = tolerant(counts), tolerant(report)
        self._writer = Writer(settings, Files(folder, worker, settings.keep_files), self._counts, report)
        self._below = None if settings.share >= 1 else int(settings.share * 2**64).to_bytes(8, "big")
        self._lock = threading.Lock()
        self._waiting: deque[RowEntry | TableEntry] = deque()
        self._rows = self._bytes = self._dropped = 0
        self._most_rows, self._most_bytes = settings.queue, settings.queue_bytes
        self._half = max(settings.queue // 2, 1)
        self._wake = threading.Event()
        self._closing = False
        self._drops = Outage(report, "predictions.dropped")
        self._thread = threading.Thread(target=self._run, name="predictions", daemon=True)

    def begin(self, version: str, inputs: Mapping[str, str], outputs: Mapping[str, str]) -> None:
        """A version will answer from now on, besides those there are: its rows have files of their own.

        Parameters
        ----------
        version : str
        inputs, outputs : mapping of str to str
            `Pipeline.inputs` and `Pipeline.outputs`.

        Raises
        ------
        ConfigError
            A column to omit or hash isn't there: under another name it would be written as it is.
        """
        self._writer.begin(version, inputs, outputs)

    def row(
        self,
        request: str,
        version: str,
        protocol: str,
        row: Mapping[str, Any],
        answer: Mapping[str, Any],
        size: int = 0,
    ) -> None:
        """One row of JSON that was answered.

        Parameters
        ----------
        request : str
            The request's id, by which it is sampled.
        version, protocol : str
        row, answer : mapping of str to object
            The log keeps both: they must not change any more.
        size : int
            Bytes that the row came in, which hold it in memory.
        """
        if self._below is not None and _place(request) >= self._below:
            return
        entry = RowEntry(time_ns(), request, version, protocol, row, answer, size)
        with self._lock:
            if self._rows >= self._most_rows or self._bytes >= self._most_bytes:
                self._dropped += 1
                return
            self._rows += 1
            self._bytes += size
            self._waiting.append(entry)
            wake = self._rows == self._half
        if wake:
            self._wake.set()

    def table(
        self,
        request: str,
        version: str,
        protocol: str,
        asked: pa.RecordBatch,
        answered: pa.RecordBatch,
        bad: Sequence[BadValue] = (),
    ) -> None:
        """The columns of a request and their answer, as `Pipeline.score_batch` has them.

        Of a request with more rows than there is room for, the first are taken.

        Parameters
        ----------
        request, version, protocol : str
        asked, answered : pyarrow.RecordBatch
        bad : sequence of BadValue
            Why rows of ``asked`` have none in ``answered``.
        """
        if self._below is not None and _place(request) >= self._below:
            return
        refused = frozenset(value.row for value in bad)
        size = asked.get_total_buffer_size() + answered.get_total_buffer_size()
        given = answered.num_rows
        now = time_ns()
        with self._lock:
            room = 0 if self._bytes >= self._most_bytes else max(self._most_rows - self._rows, 0)
            taken = min(given, room)
            self._dropped += given - taken
            if not taken:
                return
            before = self._rows
            self._rows += taken
            self._bytes += size
            self._waiting.append(
                TableEntry(now, request, version, protocol, asked, answered, refused, taken, size)
            )
            wake = before < self._half <= self._rows
        if wake:
            self._wake.set()

    def close(self, timeout: float) -> bool:
        """Write what waits; rows that are given later are dropped.

        Parameters
        ----------
        timeout : float
            Seconds this may take; rows that still wait then are dropped.

        Returns
        -------
        bool
            Whether all of it was in time.
        """
        with self._lock:
            self._most_rows = 0
            self._closing = True
        self._wake.set()
        self._thread.join(timeout)
        with self._lock:
            for entry in self._waiting:
                self._dropped += entry.rows
            self._waiting.clear()
        self._count_dropped()
        return not self._thread.is_alive()

    def _start(self) -> None:
        self._writer.remove_leftovers()
        self._thread.start()

    # -- the thread

    def _run(self) -> None:
        while not self._closing:
            self._wake.wait(min(_EVERY, self._settings.seconds))
            self._wake.clear()
            self._empty()
        self._empty()
        self._writer.write_all()
        self._count_dropped()

    def _empty(self) -> None:
        """Take what waits, in turns, and write what is due."""
        with self._lock:
            waiting, self._waiting = self._waiting, deque()
        for entries in _alike(waiting):
            self._writer.take(entries)
            with self._lock:
                self._rows -= sum(entry.rows for entry in entries)
                self._bytes -= sum(entry.size for entry in entries)
            self._writer.write_due()
            sleep(_PAUSE)
        self._writer.write_due()
        self._count_dropped()

    def _count_dropped(self) -> None:
        with self._lock:
            dropped, self._dropped = self._dropped, 0
        if dropped:
            self._drops.lost(dropped, {"queue": self._settings.queue})
            self._counts("dropped", dropped)
        else:
            self._drops.end(QUIET)


def open_log(
    settings: PredictionLog,
    version: str,
    inputs: Mapping[str, str],
    outputs: Mapping[str, str],
    worker: int,
    counts: Counts,
    report: Report,
) -> Log | None:
    """The log of one worker's process; None where none is asked for.

    A folder that can't be written to is reported as it would be later: requests are answered all the same.

    Parameters
    ----------
    settings : PredictionLog
    version : str
        Of the pipeline that answers first; `Log.begin` names others.
    inputs, outputs : mapping of str to str
        `Pipeline.inputs` and `Pipeline.outputs`.
    worker : int
        The worker's number, which is in the files' names.
    counts : callable
        Takes ``written``, ``dropped`` or ``failed`` and a number of rows; called from the log's thread.
    report : callable
        Takes an event and what is known of it, once when rows begin to be lost and once when that is over.

    Raises
    ------
    ConfigError
        A column isn't there, the key can't be read, the path is no folder.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> inputs, outputs = {"distance": "number"}, {"score": "float32"}
    >>> with TemporaryDirectory() as folder:
    ...     log = open_log(PredictionLog(folder), "1f2e3d", inputs, outputs, 0, print, print)
    ...     log.row("request-7", "1f2e3d", "predict", {"distance": 200}, {"score": 0.25})
    ...     log.close(timeout=10.0)
    written 1
    True
    """
    if settings.path is None:
        return None
    folder = Path(settings.path)
    if folder.exists() and not folder.is_dir():
        raise ConfigError([Mistake(f"{KEY}.path", f"{folder} is no folder")])
    log = Log(settings, folder, worker, counts, report)
    log.begin(version, inputs, outputs)
    log._start()
    return log


def _alike(waiting: deque[RowEntry | TableEntry]) -> Iterator[Any]:
    """Neighbours that become columns together: of one version, and as tables of the same columns."""
    while waiting:
        first = waiting.popleft()
        found, rows = [first], first.rows
        most = _ROWS_AT_A_TIME if isinstance(first, RowEntry) else _CELLS_AT_A_TIME
        while waiting and rows < most and _is_alike(first, waiting[0]):
            rows += waiting[0].rows
            found.append(waiting.popleft())
        yield found


def _is_alike(one: RowEntry | TableEntry, other: RowEntry | TableEntry) -> bool:
    if type(one) is not type(other) or one.version != other.version:
        return False
    if isinstance(one, TableEntry) and isinstance(other, TableEntry):
        pairs = ((one.asked, other.asked), (one.answered, other.answered))
        return all(a.schema.equals(b.schema, check_metadata=True) for a, b in pairs)
    return True


def _place(request: str) -> bytes:
    """Where in [0, 2⁶⁴) a request's id falls, big end first."""
    return blake2b(request.encode(errors="replace"), digest_size=8).digest()
