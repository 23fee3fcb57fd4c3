"""Sources and sinks as a config states them: ``{use: auto, path: …}``."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from engine.errors import ConfigError, Mistake, did_you_mean, listing
from engine.runtime.io import csv, parquet
from engine.runtime.io.files import FORMATS, find_files, format_of
from engine.runtime.io.sink import FileSink, Mode
from engine.runtime.io.source import FileSource, Source


@dataclass(frozen=True, slots=True)
class ParquetSource:
    """Parquet files.

    Parameters
    ----------
    path : str
        A file, or a folder whose files are read by name.
    """

    path: str

    def open(self) -> FileSource:
        """Look at the files."""
        path = Path(self.path)
        return FileSource(path, find_files(path, "parquet")[1], parquet.ParquetReader())


@dataclass(frozen=True, slots=True)
class CsvSource:
    """CSV files in UTF-8 with a header line.

    Parameters
    ----------
    path : str
        A file, or a folder whose files are read by name.
    delimiter : str
    """

    path: str
    delimiter: str = ","

    def open(self) -> FileSource:
        """Look at the files."""
        path = Path(self.path)
        return FileSource(path, find_files(path, "csv")[1], csv.CsvReader(self.delimiter))


@dataclass(frozen=True, slots=True)
class ParquetSink:
    """A Parquet file, or a folder of them.

    Parameters
    ----------
    path : str
        With an extension one file, without a folder.
    mode : {"error", "replace"}
        What happens to what is already there.
    """

    path: str
    mode: Mode = "error"

    def open(self) -> FileSink:
        """The sink, nothing written yet."""
        return FileSink(
            Path(self.path),
            ".parquet",
            parquet.ParquetPart,
            parquet.check_columns,
            mode=self.mode,
            takes_coded=True,
        )


@dataclass(frozen=True, slots=True)
class CsvSink:
    """A CSV file, or a folder of them.

    Parameters
    ----------
    path : str
        With an extension one file, without a folder.
    mode : {"error", "replace"}
        What happens to what is already there.
    delimiter : str
    """

    path: str
    mode: Mode = "error"
    delimiter: str = ","

    def open(self) -> FileSink:
        """The sink, nothing written yet."""
        part = partial(csv.CsvPart, delimiter=self.delimiter)
        return FileSink(Path(self.path), ".csv", part, csv.check_columns, mode=self.mode)


SOURCES: Mapping[str, type[ParquetSource] | type[CsvSource]] = {"parquet": ParquetSource, "csv": CsvSource}
SINKS: Mapping[str, type[ParquetSink] | type[CsvSink]] = {"parquet": ParquetSink, "csv": CsvSink}


def open_source(config: Any) -> Source:
    """The source that a config states.

    Parameters
    ----------
    config : mapping
        ``use`` (``auto``, by extension, unless given), ``path`` and the format's own options.

    Raises
    ------
    ConfigError
        An option is unknown, missing or of the wrong type.
    DataError
        There is nothing to read.
    """
    options = _mapping(config, "source")
    use = _use(options, "source", SOURCES)
    if use == "auto":
        use = find_files(_path(options, "source"))[0]
    return _bind("source", use, SOURCES[use], options).open()


def open_sink(config: Any) -> FileSink:
    """The sink that a config states; nothing is written yet.

    Parameters
    ----------
    config : mapping
        ``use`` (``auto``, by extension, unless given), ``path``, ``mode``, for a folder ``format``, and the
        format's own options.

    Raises
    ------
    ConfigError
        An option is unknown, missing or of the wrong type.
    DataError
        The extension is of no format.
    """
    options = _mapping(config, "sink")
    use = _use(options, "sink", SINKS)
    path = _path(options, "sink")
    _check_name(path)
    chosen = options.pop("format", None)
    if chosen is not None and (not isinstance(chosen, str) or chosen not in SINKS):
        raise _mistake("sink.format", f"expected {listing(SINKS)}, found {chosen!r}")
    if use == "auto":
        use = format_of(path) if path.suffix else chosen or "parquet"
    return _bind("sink", use, SINKS[use], options).open()


_T = TypeVar("_T")


def _bind(where: str, use: str, cls: type[_T], options: Mapping[str, Any]) -> _T:
    names = [field.name for field in dataclasses.fields(cls)]  # type: ignore[arg-type]
    mistakes = [
        Mistake(
            f"{where}.{key}",
            f"'{use}' has no option '{key}'.{did_you_mean(key, names)}",
            (f"options: {listing(names)}",),
        )
        for key in options
        if key not in names
    ]
    for key, value in options.items():
        if key in names and not isinstance(value, str):
            mistakes.append(Mistake(f"{where}.{key}", f"expected text, found {value!r}"))
    mode = options.get("mode", "error")
    if isinstance(mode, str) and mode not in ("error", "replace"):
        hint = did_you_mean(mode, ("error", "replace"))
        mistakes.append(Mistake(f"{where}.mode", f"expected error or replace, found {mode!r}.{hint}"))
    if options.get("delimiter") in ("\\t", "tab"):
        options = {**options, "delimiter": "\t"}
    delimiter = options.get("delimiter", ",")
    if isinstance(delimiter, str) and len(delimiter.encode()) != 1:
        mistakes.append(Mistake(f"{where}.delimiter", f"expected one character, found {delimiter!r}"))
    elif delimiter in ('"', "\r", "\n", "\0"):
        message = (
            f"{delimiter!r} can't part fields: quotes and line breaks have a meaning of their own in CSV"
        )
        mistakes.append(Mistake(f"{where}.delimiter", message))
    if mistakes:
        raise ConfigError(mistakes)
    return cls(**options)


def _use(options: dict[str, Any], where: str, known: Mapping[str, Any]) -> str:
    use = options.pop("use", None)
    use = "auto" if use is None else use
    if not isinstance(use, str):
        raise _mistake(f"{where}.use", f"expected one of auto, {listing(known)}, found {use!r}")
    if use != "auto" and use not in known:
        hint = did_you_mean(use, known)
        raise _mistake(
            f"{where}.use", f"there is no {where} '{use}'.{hint}", f"there are: auto, {listing(known)}"
        )
    return use


def _mapping(config: Any, where: str) -> dict[str, Any]:
    if config is not None and not isinstance(config, Mapping):
        raise _mistake(where, f"expected a mapping such as {{path: rows.parquet}}, found {config!r}")
    return dict(config or {})


def _check_name(path: Path) -> None:
    """Refuse a sink that could be neither a file nor a folder of its own."""
    if path.name in ("", ".."):
        raise _mistake(
            "sink.path",
            f"{str(path)!r} is a folder that a batch can't make or replace",
            "add a name: scores.parquet for one file, scores for a folder of parts",
        )
    if path.name.lower() in FORMATS:
        raise _mistake("sink.path", f"a file's name is due in front of its ending, found {str(path)!r}")


def _path(options: Mapping[str, Any], where: str) -> Path:
    path = options.get("path")
    if not isinstance(path, str) or not path:
        kinds = " or ".join(FORMATS)
        raise _mistake(f"{where}.path", f"a path is needed: a file ({kinds}) or a folder")
    return Path(path)


def _mistake(where: str, message: str, *notes: str) -> ConfigError:
    return ConfigError([Mistake(where, message, notes)])
