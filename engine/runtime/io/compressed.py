"""Files of text that are written compressed."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa

_WAYS = {".gz": "gzip", ".zst": "zstd"}


def compression(file: Path) -> str | None:
    """What Arrow calls the way in which a file is compressed, by its ending."""
    return _WAYS.get(file.suffix.lower())


class TextOutput:
    """A file that is being written, compressed if its ending says so.

    Parameters
    ----------
    file : Path

    Raises
    ------
    OSError
    """

    def __init__(self, file: Path) -> None:
        self._file = pa.OSFile(str(file), "wb")
        way = compression(file)
        self.stream: pa.NativeFile = pa.CompressedOutputStream(self._file, way) if way else self._file

    def close(self) -> None:
        """Write what is left."""
        try:
            if self.stream is not self._file:
                self.stream.close()
        finally:
            self._file.close()
