"""A sink on the bench: rows to write, a fresh place for each check, and how they are read back."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow as pa

from engine.runtime.io.options import bind_sink, open_source
from engine.sink import Sink, SinkPlugin, Writer
from engine.testing.options import SectionBench
from engine.testing.outcome import CheckFailedError, NotCheckedError, described, running
from engine.testing.rows import difference, held
from engine.testing.samples import ordinary, unusual

Read = Callable[[Path], pa.Table]
"""Reads what was written to a path."""

WRITE = "what check_columns() lets pass can be written, from any thread, in any batches"


@dataclass(eq=False)
class SinkBench(SectionBench):
    """A sink under test.

    Parameters
    ----------
    given : pyarrow.Table, optional
        The author's own rows.
    reader : callable or str, optional
        How they are read back, or the source that does; left out: the source of the same name.
    """

    section = "sink"
    taken = ("use", "format")
    binder = staticmethod(bind_sink)

    cls: type[SinkPlugin]
    given: pa.Table | None = None
    reader: Read | str | None = None

    @property
    def usual(self) -> Mapping[str, Any]:
        """The section that the checks of options begin with."""
        return self.stated(path=str(self.folder / "options" / self.file))

    @property
    def file(self) -> str:
        """The name of a file of its first extension."""
        return f"out{next(iter(self.cls.extensions), '')}"

    @cached_property
    def rows(self) -> pa.Table:
        """The rows to write: the author's, or generated ones, of columns that the sink can hold."""
        return self.held(ordinary()) if self.given is None else self.given

    @cached_property
    def unusual(self) -> pa.Table:
        """Rows at the edges of what a pipeline makes, of columns that the sink can hold."""
        return self.held(unusual())

    def held(self, rows: pa.Table) -> pa.Table:
        """The columns that the sink doesn't refuse."""
        return held(self.sink(self.fresh("held") / self.file).check_columns, rows)

    def fresh(self, name: str) -> Path:
        """An empty folder."""
        folder = self.folder / name
        number = 0
        while folder.exists():
            number += 1
            folder = self.folder / f"{name} {number}"
        folder.mkdir()
        return folder

    @cached_property
    def refusal(self) -> str | None:
        """Why it can't be written to; None: it can."""
        if "path" not in self.names:
            return "it has no option 'path'; rejected rows go beside what it names, and the kit writes there"
        if mistake := self.extension_mistake():
            return mistake
        try:
            sink = self.sink(self.fresh("opened") / self.file)
        except Exception as error:
            return f"it can't be opened: {described(error)}"
        wanted = {"path": Path, "extension": str, "is_folder": bool, "takes_coded": bool}
        for name, kind in wanted.items():
            if not isinstance(found := getattr(sink, name, None), kind):
                return f"what open() gives has {found!r} as {name!r}; it must be {kind.__name__}"
        if getattr(sink, "mode", None) not in ("error", "replace"):
            return "what open() gives must have 'error' or 'replace' as its mode"
        if not callable(getattr(sink, "check_columns", None)):
            return "what open() gives must have check_columns, a function of a pyarrow.Schema"
        if not self.rows.num_columns:
            return "check_columns() refuses numbers, text and times; let pass what it can hold"
        return None

    def sink(self, path: Path, **options: Any) -> Sink:
        """The sink at a path."""
        opened: Sink = self.bound(self.stated(path=str(path), **options)).open()
        return opened

    def need_open(self) -> None:
        """Leave a check where the sink can't be opened.

        Raises
        ------
        NotCheckedError
        """
        if self.refusal is not None:
            raise NotCheckedError("see 'opens'")

    def write(self, path: Path, rows: pa.Table, how: str = "given rows", **options: Any) -> Writer:
        """Write rows in one batch; an exception is a failure."""
        return self.write_batches(path, rows.schema, rows.combine_chunks().to_batches(), how, **options)

    def write_batches(
        self, path: Path, schema: pa.Schema, batches: Iterable[pa.RecordBatch], how: str, **options: Any
    ) -> Writer:
        """Write batches; an exception is a failure."""
        with running(how, WRITE):
            sink = self.sink(path, **options)
            sink.check()
            with sink.open(schema) as writer:
                for batch in batches:
                    writer.write(batch)
        return writer

    @cached_property
    def misread(self) -> str | None:
        """Why rows that are written in one batch don't read back equal; None: they do."""
        if not self.is_read:
            return (
                "there is nobody to read what it writes; give read=…, a function of the path that gives a "
                "pyarrow.Table, or the name of a source"
            )
        path = self.fresh("reads back") / self.file
        try:
            self.write(path, self.rows)
            self._same([path], self.rows, "written", "write every value of every row, in order")
        except CheckFailedError as failed:
            return str(failed)
        return None

    def same(self, path: Path | Sequence[Path], wanted: pa.Table, how: str, remedy: str) -> None:
        """Fail where what is read back, of a file or of the parts of a folder, isn't what was written.

        Raises
        ------
        NotCheckedError
            Not even rows that are written in one batch read back.
        """
        if self.misread is not None:
            raise NotCheckedError("see 'reads_back'")
        self._same([path] if isinstance(path, Path) else path, wanted, how, remedy)

    def _same(self, files: Sequence[Path], wanted: pa.Table, how: str, remedy: str) -> None:
        with running(f"{how}, read back", "what was written can be read"):
            parts = [self.read(file) for file in files]
            found = pa.concat_tables([table for table, _ in parts], promote_options="permissive")
        said = difference(found, wanted, text=parts[0][1])
        if said is not None:
            raise CheckFailedError(f"{how} and read back, {said}; {remedy}")

    def read(self, path: Path) -> tuple[pa.Table, bool]:
        """What lies at a path, and whether it is text to parse."""
        if callable(self.reader):
            return self.reader(path), False
        section = self.shared("source", self.reader or "")
        if section is None:
            raise NotCheckedError("there is nobody to read it")
        source = open_source({**section, "path": str(path)}, self.registry)
        batches = list(source.batches(None, 1000))
        found = pa.Table.from_batches(batches) if batches else source.schema.empty_table()
        return found, source.text

    @property
    def is_read(self) -> bool:
        """Whether somebody can read what it writes."""
        return callable(self.reader) or self.shared("source", self.reader or "") is not None


def contents(folder: Path) -> dict[str, str]:
    """Every file and folder below a folder, with the hash of what a file holds."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
        for path in sorted(folder.rglob("*"))
    }


def visible(folder: Path) -> list[str]:
    """What lies in a folder for readers: they skip names that begin with ``_`` or ``.``."""
    return sorted(path.name for path in folder.iterdir() if not path.name.startswith(("_", ".")))
