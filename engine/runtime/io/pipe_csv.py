"""CSV that comes in a stream: cut behind the last record that is whole, and read at once."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Sequence
from functools import cached_property

import pyarrow as pa
import pyarrow.csv as pacsv

from engine.errors import DataError
from engine.runtime.io.csv import CsvReader
from engine.runtime.io.csv_text import BLOCK, fault, read_head
from engine.runtime.io.files import reading, reason
from engine.runtime.io.lines import LONGEST, MARK, Block
from engine.runtime.io.storage import StoredFile


class PipedCsvReader(CsvReader):
    """Reads CSV in a stream as text; made for one stream, whose header it remembers.

    Parameters
    ----------
    delimiter : str
    multiline : bool
        Fields may hold line breaks.
    """

    def __init__(self, delimiter: str = ",", multiline: bool = True) -> None:
        super().__init__(delimiter, multiline, block=BLOCK)
        self._first: bytes | None = None
        self._records = _Records(delimiter)

    def _head(self, file: StoredFile) -> tuple[list[str], bool]:
        """The names in the first record; whether a row follows isn't waited for."""
        if self._first is None:
            self._first = self._first_record(file)
        names, _ = read_head(file, io.BytesIO(self._first), self._delimiter)
        return names, True

    def _begin(self, file: StoredFile) -> int:
        assert self._first is not None
        return len(self._first)

    def _first_record(self, file: StoredFile) -> bytes:
        content: bytes = b""
        with reading(file), file.stream() as stream:
            while more := stream.read(1 << 16):
                content += more
                if end := self._records.first(content):
                    return content[:end]
                if len(content) > LONGEST:
                    raise DataError(f"{file}, line 1: is longer than {LONGEST >> 20} MB")
        if not content:
            raise DataError(f"{file}: is empty (0 bytes); expected a line with the names of the columns")
        return content

    def _whole(
        self, file: StoredFile, header: Sequence[str], asked: Sequence[str]
    ) -> Iterator[pa.RecordBatch]:
        for block in self._blocks(file):
            # Arrow takes blank lines for no rows, if there are several columns
            if len(header) > 1 and not block.content.strip(b"\r\n"):
                continue
            options = self._options(len(block.content) + 1, header, asked)
            options[0].column_names = list(header)
            try:
                with pacsv.open_csv(pa.BufferReader(block.content), *options) as reader:
                    yield from reader
            except pa.ArrowException as error:
                raise DataError(self._fault_in(block, reason(error))) from None

    def _blocks(self, file: StoredFile) -> Iterator[Block]:
        """Whole records, as they come; a record may be of several lines."""
        assert self._first is not None
        line, rest = 1 + _breaks(self._first), b""
        with reading(file), file.stream() as stream:
            skip = len(self._first)
            while skip:
                skip -= len(stream.read(skip))
            while more := stream.read(self._block):
                content = rest + more
                end = self._records.whole(content)
                rest = content[end:]
                if end:
                    yield Block(file, content[:end], line, 0)
                    line += _breaks(content[:end])
                if len(rest) > LONGEST:
                    where = Block(file, rest, line, 0).where(0)
                    raise DataError(
                        f"{where}: a record is longer than {LONGEST >> 20} MB, or a quotation mark is never "
                        "closed"
                    )
        if rest:
            block = Block(file, rest, line, 0)
            if not self._records.is_last(rest):
                raise DataError(f"{block.where(0)}: a quotation mark is never closed")
            yield block

    def _fault_in(self, block: Block, found: str) -> str:
        """Arrow's message about some records, with its row as a line."""
        row = re.search(r"Row #(\d+): ", found)
        line = 0
        if row is not None:
            start = self._records.start(block.content, int(row[1]) - 1)
            line = _breaks(block.content[:start])
        return block.where(line) + re.sub(r"^, line \d+", "", fault(found))


class _Records:
    """Where records of CSV end, as Arrow reads them.

    Parameters
    ----------
    delimiter : str
    """

    def __init__(self, delimiter: str) -> None:
        self._parts = re.escape(delimiter.encode())

    def first(self, content: bytes) -> int:
        """The end of the first record; 0: it isn't whole."""
        found = self._record.match(content, len(MARK) if content.startswith(MARK) else 0)
        return 0 if found is None else found.end()

    def whole(self, content: bytes) -> int:
        """The end of the last record that is whole."""
        if b'"' in content:
            found = self._several.match(content)
            return found.end() if found is not None else 0
        # of a \r that is last, \n may follow
        return max(content.rfind(b"\n"), content.rfind(b"\r", 0, -1)) + 1

    def is_last(self, content: bytes) -> bool:
        """Whether this is a record, though no line break ends it."""
        return self._open.fullmatch(content.removesuffix(b"\r")) is not None

    def start(self, content: bytes, number: int) -> int:
        """Where a record begins that isn't blank, counted from 0."""
        for found in self._record.finditer(content):
            if found[0].strip(b"\r\n"):
                if not number:
                    return found.start()
                number -= 1
        return self.whole(content)

    @property
    def _field(self) -> bytes:
        return rb'(?:"(?:[^"]++|"")*+"[^%b\r\n]*+|[^"%b\r\n][^%b\r\n]*+|)' % ((self._parts,) * 3)

    @cached_property
    def _open(self) -> re.Pattern[bytes]:
        return re.compile(rb"(?:%b%b)*+%b" % (self._field, self._parts, self._field))

    @cached_property
    def _record(self) -> re.Pattern[bytes]:
        return re.compile(rb"%b(?:\r\n|\n|\r(?=[^\n]))" % self._open.pattern)

    @cached_property
    def _several(self) -> re.Pattern[bytes]:
        return re.compile(rb"(?:%b)*+" % self._record.pattern)


def _breaks(content: bytes) -> int:
    """How many line breaks there are."""
    return content.count(b"\n") + content.count(b"\r") - content.count(b"\r\n")
