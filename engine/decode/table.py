"""Tables and batches to columns in memory."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.types as pt
from numpy.typing import NDArray

from engine.decode import arrow, cells, json_cells, messages
from engine.decode.arrow import Found
from engine.decode.derive import TextReader, by_source
from engine.decode.row import looks_anyway
from engine.errors import DataError, did_you_mean, listing
from engine.expr.derived import Derived, InputKey
from engine.schema import Input, Kind
from engine.values import MISSING, NAT, UNKNOWN, BadValue, Categories, FloatArray, Stored, Values

_FAMILY = {
    Kind.NUMBER: "a number",
    Kind.CATEGORY: "text for a category",
    Kind.TEXT: "text",
    Kind.TIMESTAMP: "a timestamp or a date",
}


@dataclass(frozen=True, slots=True)
class Decoded:
    """A table, decoded.

    Parameters
    ----------
    rows : int
    columns : dict of str to Values
        The needed inputs, in order. Never write into them: they may be the table's own memory.
    bad : list of BadValue
        What the inputs' policies refuse, by row; its places in ``columns`` hold the missing value or,
        for an unknown category, code 1.
    stored : dict of str to Stored
        Needed inputs that are not in ``columns`` because they stay as Arrow stores them.
    derived : dict of Derived to float64 array, shape (n,)
        What is needed of texts.
    """

    rows: int
    columns: dict[str, Values]
    bad: list[BadValue]
    stored: dict[str, Stored] = field(default_factory=dict)
    derived: dict[Derived, FloatArray] = field(default_factory=dict)

    @property
    def inputs(self) -> dict[InputKey, Values | Stored]:
        """What a program takes: all that is needed."""
        found: dict[InputKey, Values | Stored] = {}
        for part in (self.columns, self.stored, self.derived):
            found |= part  # type: ignore[arg-type]
        return found


class TableDecoder:
    """Decodes tables and record batches.

    Parameters
    ----------
    inputs : sequence of Input
    needed : collection of str or Derived, optional
        What is wanted, in order; None is all inputs. Another input is looked at only if its entry
        states a policy that can refuse a row.
    vocabularies : mapping of str to tuple of str, optional
        The texts of each category, in order; one without is all unknown. None, for fitting: the sorted
        texts of each table.
    parse_text : bool
        Every column is text to parse, as a CSV file's are.
    as_stored : collection of str
        Inputs that stay as Arrow stores them, where that takes no conversion.

    Examples
    --------
    >>> decoder = TableDecoder([Input("delay", Kind.NUMBER)], None, {})
    >>> decoder.decode(pa.table({"delay": [1, None]})).columns
    {'delay': array([ 1., nan])}
    """

    def __init__(
        self,
        inputs: Sequence[Input],
        needed: Collection[InputKey] | None = None,
        vocabularies: Mapping[str, tuple[str, ...]] | None = None,
        parse_text: bool = False,
        as_stored: Collection[InputKey] = (),
    ) -> None:
        self._inputs = tuple(inputs)
        self._needed: tuple[InputKey, ...] = (
            tuple(item.name for item in inputs) if needed is None else tuple(needed)
        )
        self._vocabularies = vocabularies
        self._parse_text = parse_text
        self._as_stored = frozenset(as_stored)
        self._texts = {name: TextReader(derived) for name, derived in by_source(self._needed).items()}
        wanted = {*self._needed, *self._texts}
        self._known: pa.Schema | None = None
        self._read = tuple(item for item in inputs if item.name in wanted or looks_anyway(item))
        self._encoders = {name: arrow.Encoder(texts) for name, texts in (vocabularies or {}).items()}

    @property
    def reads(self) -> tuple[str, ...]:
        """The columns of a table that `decode` looks at."""
        return tuple(item.name for item in self._read)

    def check_schema(self, schema: pa.Schema, where: str) -> None:
        """Hold the columns of a whole table against the inputs.

        Parameters
        ----------
        schema : pyarrow.Schema
        where : str
            What the message calls the table.

        Raises
        ------
        DataError
            Columns are absent, twice there, or of another family; all of them at once.
        """
        self._check(self._inputs, schema, where)

    def decode(self, table: pa.RecordBatch | pa.Table) -> Decoded:
        """The needed inputs of a table, and the values that are refused.

        Raises
        ------
        DataError
            A column that is looked at is absent or of another family.
        """
        if table.schema is not self._known and table.schema != self._known:
            self._check(self._read, table.schema, "the table")
            self._known = table.schema  # batches of a source have one
        columns: dict[str, Values] = {}
        derived: dict[Derived, FloatArray] = {}
        refused: list[tuple[int, int, BadValue]] = []
        stored: dict[str, Stored] = {}
        present = set(table.schema.names)
        for place, item in enumerate(self._read):
            chunks = _chunks(table, item.name) if item.name in present else ()
            is_json = item.name in present and json_cells.is_marked(table.schema.field(item.name))
            if item.name in self._texts:
                spelt = [json_cells.texts(chunk)[0] for chunk in chunks] if is_json else chunks
                derived |= self._texts[item.name].columns(spelt, table.num_rows)
            if kept := self._kept(item, chunks):
                stored[item.name] = kept
                continue
            columns[item.name], bad = self._column(item, chunks, table.num_rows, is_json)
            refused.extend((value.row, place, value) for value in bad)
        refused.sort(key=lambda entry: entry[:2])
        needed = {
            name: columns[name] for name in self._needed if isinstance(name, str) and name not in stored
        }
        return Decoded(table.num_rows, needed, [value for _, _, value in refused], stored, derived)

    def _kept(self, item: Input, chunks: Sequence[pa.Array]) -> Stored | None:
        """An array as it is stored, where nothing in it can be refused."""
        if item.name not in self._as_stored or len(chunks) != 1 or item.missing != "null":
            return None
        if item.kind is Kind.NUMBER:
            return arrow.stored(chunks[0])
        coded = item.kind is Kind.CATEGORY and item.unknown == "null"
        return self._encoders[item.name].stored(chunks[0]) if coded and item.name in self._encoders else None

    def _column(
        self, item: Input, chunks: Sequence[pa.Array], rows: int, is_json: bool
    ) -> tuple[Values, Iterator[BadValue]]:
        texts: tuple[str, ...] = ()
        read: Callable[[pa.Array], Found]
        module = json_cells if is_json else cells if self._parse_text else arrow
        if item.kind is Kind.NUMBER:
            read = module.numbers
        elif item.kind is Kind.TIMESTAMP:
            read = module.timestamps
        else:
            spelt = [json_cells.texts(chunk)[0] for chunk in chunks] if is_json else chunks
            if self._vocabularies is None:
                texts = arrow.vocabulary(spelt)
                codes = arrow.Encoder(texts).codes
            else:
                texts = self._vocabularies.get(item.name, ())
                codes = (self._encoders.get(item.name) or arrow.Encoder(())).codes
            read = partial(_json_codes, codes) if is_json else codes
        found = [
            Found(arrow.missing(item.kind, len(chunk))) if pt.is_null(chunk.type) else read(chunk)
            for chunk in chunks
        ]
        if len(found) == 1:
            values = found[0].values
        elif found:
            values = np.concatenate([part.values for part in found])
        else:
            values = arrow.missing(item.kind, rows)
        invalid: dict[int, str] = {}
        start = 0
        for part in found:
            invalid.update({start + row: what for row, what in part.invalid.items()})
            start += len(part.values)
        coded = item.kind in (Kind.CATEGORY, Kind.TEXT)
        return (Categories(values, texts) if coded else values), self._refused(item, values, invalid, chunks)

    def _refused(
        self, item: Input, values: NDArray[Any], invalid: Mapping[int, str], chunks: Sequence[pa.Array]
    ) -> Iterator[BadValue]:
        if item.invalid != "null":
            fatal = item.invalid == "fail"
            for row, found in invalid.items():
                yield BadValue(row, item.name, "invalid", messages.invalid(item, found), fatal)
        if item.missing != "null":
            counted = invalid if item.invalid != "null" else ()
            fatal = item.missing == "fail"
            for row in np.flatnonzero(_is_missing(item.kind, values)).tolist():
                if row not in counted:
                    yield BadValue(row, item.name, "missing", messages.missing(item), fatal)
        known = self._vocabularies is not None and item.name in self._vocabularies
        if item.unknown != "null" and known and item.kind in (Kind.CATEGORY, Kind.TEXT):
            fatal = item.unknown == "fail"
            for row in np.flatnonzero(values == UNKNOWN).tolist():
                yield BadValue(row, item.name, "unknown", messages.unknown(item, _cell(chunks, row)), fatal)

    def _check(self, inputs: Sequence[Input], schema: pa.Schema, where: str) -> None:
        problems = []
        names = schema.names
        absent = False
        for item in inputs:
            places = schema.get_all_field_indices(item.name)
            if len(places) > 1:
                problems.append(f"{item.name}: {len(places)} columns have this name")
            elif places:
                found = schema.field(places[0]).type
                by_cell = self._parse_text or json_cells.is_marked(schema.field(places[0]))
                if not (by_cell or arrow.fits(item.kind, found)):
                    problems.append(f"{item.name}: expected {_FAMILY[item.kind]}, found {found}")
            elif not item.optional:
                absent = True
                problems.append(f"{item.name}: no such column.{did_you_mean(item.name, names)}")
        if not problems:
            return
        if absent:
            problems.append(f"columns there: {listing(names)}")
            parts = next((mark for mark in ";\t|" if len(names) == 1 and mark in names[0]), "")
            if parts:
                given = "source.delimiter=tab" if parts == "\t" else f"'source.delimiter=\"{parts}\"'"
                problems.append(f"the file seems to be parted by {parts!r}: {given}")
            problems.append("if it may be absent: 'inputs.NAME={kind: …, optional: true}'")
        raise DataError("\n  ".join((f"{where}: the columns don't fit the pipeline's inputs", *problems)))


def _json_codes(codes: Callable[[pa.Array], Found], array: pa.Array) -> Found:
    texts, invalid = json_cells.texts(array)
    found = codes(texts)
    return Found(found.values, {**found.invalid, **invalid})


def _chunks(table: pa.RecordBatch | pa.Table, name: str) -> Sequence[pa.Array]:
    column = table.column(name)
    chunks = column.chunks if isinstance(column, pa.ChunkedArray) else (column,)
    return [arrow.plain(chunk) for chunk in chunks]


def _cell(chunks: Sequence[pa.Array], row: int) -> str:
    for chunk in chunks:
        if row < len(chunk):
            return str(chunk[row].as_py())
        row -= len(chunk)
    raise IndexError(row)


def _is_missing(kind: Kind, values: NDArray[Any]) -> NDArray[Any]:
    gone: NDArray[Any]
    if kind is Kind.NUMBER:
        gone = np.isnan(values)
    else:
        gone = values == (NAT if kind is Kind.TIMESTAMP else MISSING)
    return gone
