"""A source held to its contract: every check by name, or all at once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any

import pyarrow as pa

from engine.registry import Registry
from engine.source import SourcePlugin
from engine.stage import option_fields
from engine.testing.documentation import documented, example_runs
from engine.testing.kit import Check, Kit, PluginCheck, hold
from engine.testing.options import options_round_trip, unknown_option
from engine.testing.sources import declaring, pieces, reading
from engine.testing.sources.bench import SourceBench, Write
from engine.testing.stand_in import StandIn


def _has_path(cls: type[SourcePlugin]) -> bool:
    return any(item.name == "path" for item in option_fields(cls))


SOURCES: Kit[SourceBench] = Kit(
    "source",
    MappingProxyType(
        {
            "opens": Check(declaring.opens),
            "documented": Check(documented),
            "example_runs": Check(example_runs),
            "unknown_option": Check(unknown_option),
            "options_round_trip": Check(options_round_trip),
            "rows": Check(reading.rows),
            "schema": Check(declaring.schema),
            "row_count": Check(declaring.row_count),
            "batch_rows": Check(reading.batch_rows),
            "columns": Check(reading.columns),
            "coded": Check(reading.coded),
            "twice": Check(reading.twice),
            "empty": Check(reading.empty),
            "threads": Check(reading.threads),
            "place": Check(declaring.place),
            "files": Check(declaring.files),
            "nothing_there": Check(declaring.nothing_there, _has_path),
            "damaged": Check(declaring.damaged, _has_path),
            "pieces": Check(pieces.pieces),
            "part": Check(pieces.part),
            "changed": Check(pieces.changed, _has_path),
            "batch": Check(reading.batch),
        }
    ),
)


def source_checks(
    source: str | type[SourcePlugin],
    rows: pa.Table | Mapping[str, Any] | None = None,
    *,
    write: Write | None = None,
    registry: Registry | None = None,
    expected_failures: Mapping[str, str] | None = None,
    **options: Any,
) -> Iterator[PluginCheck]:
    """The checks that apply to a source, one by one; the parameters are those of `check_source`.

    Examples
    --------
    >>> [check.name for check in source_checks("csv")][:3]
    ['opens', 'documented', 'example_runs']
    """
    registry = registry or Registry()
    cls = registry.load(source, "source") if isinstance(source, str) else source
    table = rows if rows is None or isinstance(rows, pa.Table) else pa.table(rows)
    return SOURCES.on(SourceBench(cls, StandIn(registry, cls), options, table, write), expected_failures)


def check_source(
    source: str | type[SourcePlugin],
    rows: pa.Table | Mapping[str, Any] | None = None,
    *,
    write: Write | None = None,
    registry: Registry | None = None,
    expected_failures: Mapping[str, str] | None = None,
    **options: Any,
) -> None:
    """Hold a source to its contract: the same rows however they are read, and words for what can't be.

    It is read where its options say, and must give ``rows``. A source of files that is given no ``path``
    reads files that are written for it: ``rows``, or generated ones, by ``write``, or by the sink of the same
    name.

    Parameters
    ----------
    source : str or type of SourcePlugin
        Its name, or its class.
    rows : pyarrow.Table or mapping of str to sequence, optional
        The rows that are there, all columns in order. Values count, not their encoding: 1, 1.0 and the text
        ``1`` of a source of text are one.
    write : callable, optional
        ``write(path, rows)`` writes a pyarrow.Table to a file as the source reads it.
    registry : Registry, optional
        Where the source is found; left out: built-in and installed ones.
    expected_failures : mapping of str to str, optional
        Checks that are known to fail, and why. One that passes is a failure.
    **options
        The source's own.

    Raises
    ------
    PluginCheckError
        With every check that failed.

    Examples
    --------
    >>> check_source("csv", {"x": [1.0, None], "y": ["a", ""]}, delimiter=";")
    """
    hold(
        source_checks(
            source, rows, write=write, registry=registry, expected_failures=expected_failures, **options
        )
    )
