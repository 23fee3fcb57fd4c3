"""Reading and writing files: streamed in batches, committed as a whole."""

from engine.runtime.io.options import CsvSink, CsvSource, ParquetSink, ParquetSource, open_sink, open_source
from engine.runtime.io.sink import FileSink, SinkWriter
from engine.runtime.io.source import FileSource, Source

__all__ = [
    "CsvSink",
    "CsvSource",
    "FileSink",
    "FileSource",
    "ParquetSink",
    "ParquetSource",
    "SinkWriter",
    "Source",
    "open_sink",
    "open_source",
]
