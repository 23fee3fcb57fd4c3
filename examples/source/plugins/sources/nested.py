"""Lines of JSON to read."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from engine.errors import DataError
from engine.source import Source, SourcePlugin, option, source

if TYPE_CHECKING:
    import pyarrow as pa


@source("nested")
class NestedSource(SourcePlugin):
    """Lines of JSON (https://github.com/ndjson/ndjson-spec), an object each; the file is held in memory.

    Objects in objects become columns: ``{"customer": {"age": 41}}`` is the column ``customer_age``.

    Examples
    --------
    >>> NestedSource(path="orders.nested")
    NestedSource(path='orders.nested', separator='_')
    """

    extensions = (".nested",)

    path: str = option(help="the file")
    separator: str = option("_", help="what stands between the names of an object and of what is in it")

    def check(self) -> Iterable[str]:
        if not self.separator:
            yield "separator: is empty"

    def open(self) -> Source:
        import pyarrow.json

        from engine.runtime.io.files import reading

        path = Path(self.path)
        with reading(path, " as lines of JSON"):
            table = _flat(pyarrow.json.read_json(path), self.separator)
        names = table.column_names
        for name in names:
            if names.count(name) > 1:
                raise DataError(
                    f"{path}: {names.count(name)} columns are named {name!r}, once objects are parted by "
                    f"{self.separator!r}; give another source.separator"
                )
        return Lines(path, table)


@dataclass(frozen=True)
class Lines:
    """A file of lines that was read.

    Parameters
    ----------
    path : Path
    table : pyarrow.Table
        A row for each line, no column a struct.
    """

    path: Path
    table: pa.Table
    text: bool = False

    @property
    def schema(self) -> pa.Schema:
        return self.table.schema

    @property
    def rows(self) -> int:
        return self.table.num_rows

    def files(self) -> tuple[Path, ...]:
        return (self.path,)

    def batches(
        self, columns: Sequence[str] | None, batch_rows: int, coded: Collection[str] = ()
    ) -> Iterator[pa.RecordBatch]:
        chosen = self.table if columns is None else self.table.select(list(columns))
        yield from chosen.to_batches(batch_rows)

    def place(self, row: int) -> str:
        return f"{self.path}, row {row}"


def _flat(table: pa.Table, separator: str) -> pa.Table:
    import pyarrow as pa

    while any(pa.types.is_struct(field.type) for field in table.schema):
        names: list[str] = []
        for field in table.schema:
            inner = field.type if pa.types.is_struct(field.type) else None
            names += [field.name] if inner is None else [f"{field.name}{separator}{f.name}" for f in inner]
        table = table.flatten().rename_columns(names)
    return table
