"""What is scored: the flights' pipeline as a bundle, and flights many times over as files."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq

from benchmarks.flights import fit_flights
from engine.demo import read_flights
from engine.runtime.io import open_source

_GROUP_ROWS = 1 << 18


@dataclass(frozen=True)
class Case:
    """Files that are there.

    Parameters
    ----------
    folder : Path
    bundle : Path
    reference : Path
        The output of all flights once, scored in one piece.
    rows : int
        Flights.
    """

    folder: Path
    bundle: Path
    reference: Path
    rows: int

    def parquet(self, times: int) -> dict[str, Any]:
        """A source of the flights so many times: ten are one file, and more are links to it."""
        if times <= 10:
            return {"path": str(self._file(times))}
        folder = self.folder / f"flights-{times}"
        if not folder.exists():
            folder.mkdir()
            for number in range(times // 10):
                (folder / f"{number:04d}.parquet").hardlink_to(self._file(10))
        return {"path": str(folder)}

    def text(self, kind: str, times: int) -> dict[str, Any]:
        """A source of lines, cut in pieces where lines begin."""
        file = self.folder / f"flights-{times}.{kind}"
        if not file.exists():
            table = self._flights()
            with file.open("wb") as handle:
                for number in range(times):
                    if kind == "csv":
                        options = pacsv.WriteOptions(include_header=not number)
                        pacsv.write_csv(table, handle, options)
                    else:
                        for batch in table.to_batches(1 << 14):
                            handle.write(_lines(batch))
        return {"path": str(file), **({"multiline": False} if kind == "csv" else {})}

    def _flights(self) -> pa.Table:
        return pq.read_table(self._file(1))

    def _file(self, times: int) -> Path:
        file = self.folder / f"flights-{times}.parquet"
        if not file.exists():
            table = self._flights()
            with pq.ParquetWriter(file, table.schema) as writer:
                for _ in range(times):
                    writer.write_table(table, row_group_size=_GROUP_ROWS)
        return file


def make_case(folder: Path, rows: int | None, overrides: Sequence[str]) -> Case:
    """Fit, and write what all measurements share; what is there of an earlier run is taken.

    Parameters
    ----------
    folder : Path
    rows : int or None
        Of the flights so many; None: all.
    overrides : sequence of str
        Of the pipeline's config.
    """
    folder.mkdir(parents=True, exist_ok=True)
    made = {"rows": rows, "overrides": list(overrides)}
    bundle, reference, note = folder / "bundle", folder / "reference.parquet", folder / "made.json"
    if note.exists() and json.loads(note.read_text()) != made:
        raise SystemExit(f"{folder}: holds another benchmark's files; remove it, or name another folder")
    if not note.exists():
        table = read_flights().slice(0, rows)
        pq.write_table(table, folder / "flights-1.parquet", row_group_size=_GROUP_ROWS)
        pipeline = fit_flights(table, overrides)
        pipeline.save(bundle)
        answer, _ = pipeline.score_batch(table.combine_chunks().to_batches()[0], text=False)
        pq.write_table(pa.table(answer), reference)
        note.write_text(json.dumps(made))
    return Case(folder, bundle, reference, pq.read_metadata(folder / "flights-1.parquet").num_rows)


def check_answers(case: Case, written: Path, times: int) -> None:
    """See that an output holds the reference's rows, so many times, to the bit.

    Raises
    ------
    SystemExit
    """
    reference = pq.read_table(case.reference).combine_chunks()
    source = open_source({"path": str(written)})
    at = 0
    for batch in source.batches(reference.schema.names, 1 << 17):
        left = pa.table(batch)
        while left.num_rows:
            start = at % case.rows
            take = min(left.num_rows, case.rows - start)
            expected = reference.slice(start, take)
            if not left.slice(0, take).cast(expected.schema).equals(expected):
                raise SystemExit(f"{written}: rows from {at:,} on aren't what one piece of work gives")
            left, at = left.slice(take), at + take
    if at != case.rows * times:
        raise SystemExit(f"{written}: {at:,} rows, expected {case.rows * times:,}")


def _lines(batch: pa.RecordBatch) -> bytes:
    from engine.encode_json import json_lines

    return bytes(json_lines(batch))
