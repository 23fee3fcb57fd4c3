"""Reading and writing files: streamed in batches, committed as a whole."""

from engine.runtime.io.options import open_both, open_sink, open_source
from engine.runtime.io.sink import FileSink, SinkWriter
from engine.runtime.io.source import FileSource
from engine.sink import Sink
from engine.source import Source

__all__ = ["FileSink", "FileSource", "Sink", "SinkWriter", "Source", "open_both", "open_sink", "open_source"]
