"""A sink held to its contract: every check by name, or all at once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any

import pyarrow as pa

from engine.registry import Registry
from engine.sink import SinkPlugin
from engine.stage import option_fields
from engine.testing.documentation import documented, example_runs
from engine.testing.kit import Check, Kit, PluginCheck, hold
from engine.testing.options import options_round_trip, unknown_option
from engine.testing.sinks import committing, holding
from engine.testing.sinks.bench import Read, SinkBench
from engine.testing.stand_in import StandIn


def _has_mode(cls: type[SinkPlugin]) -> bool:
    return any(item.name == "mode" for item in option_fields(cls))


SINKS: Kit[SinkBench] = Kit(
    "sink",
    MappingProxyType(
        {
            "opens": Check(committing.opens),
            "documented": Check(documented),
            "example_runs": Check(example_runs),
            "unknown_option": Check(unknown_option),
            "options_round_trip": Check(options_round_trip),
            "reads_back": Check(holding.reads_back),
            "unusual_values": Check(holding.unusual_values),
            "columns": Check(holding.columns),
            "empty": Check(holding.empty),
            "batches": Check(holding.batches),
            "coded": Check(holding.coded),
            "threads": Check(holding.threads),
            "all_at_once": Check(committing.all_at_once),
            "exception": Check(committing.exception),
            "refuses_existing": Check(committing.refuses_existing),
            "replaces": Check(committing.replaces, _has_mode),
            "unwritable": Check(committing.unwritable),
            "files": Check(committing.files),
            "batch": Check(holding.batch),
        }
    ),
)


def sink_checks(
    sink: str | type[SinkPlugin],
    rows: pa.Table | Mapping[str, Any] | None = None,
    *,
    read: Read | str | None = None,
    registry: Registry | None = None,
    expected_failures: Mapping[str, str] | None = None,
    **options: Any,
) -> Iterator[PluginCheck]:
    """The checks that apply to a sink, one by one; the parameters are those of `check_sink`.

    Examples
    --------
    >>> [check.name for check in sink_checks("csv")][-3:]
    ['unwritable', 'files', 'batch']
    """
    registry = registry or Registry()
    cls = registry.load(sink, "sink") if isinstance(sink, str) else sink
    table = rows if rows is None or isinstance(rows, pa.Table) else pa.table(rows)
    return SINKS.on(SinkBench(cls, StandIn(registry, cls), options, table, read), expected_failures)


def check_sink(
    sink: str | type[SinkPlugin],
    rows: pa.Table | Mapping[str, Any] | None = None,
    *,
    read: Read | str | None = None,
    registry: Registry | None = None,
    expected_failures: Mapping[str, str] | None = None,
    **options: Any,
) -> None:
    """Hold a sink to its contract: what is written reads back, and is there at once or not at all.

    It writes to files of the kit's, so that ``path`` and ``mode`` are not given.

    Parameters
    ----------
    sink : str or type of SinkPlugin
        Its name, or its class.
    rows : pyarrow.Table or mapping of str to sequence, optional
        Rows to write; left out: generated ones, of the columns that it doesn't refuse.
    read : callable or str, optional
        ``read(path)`` gives what was written to a path as a pyarrow.Table; or the source that reads it. Left
        out: the source of the same name. Values count, and not their encoding.
    registry : Registry, optional
        Where the sink is found; left out: built-in and installed ones.
    expected_failures : mapping of str to str, optional
        Checks that are known to fail, and why. One that passes is a failure.
    **options
        The sink's own.

    Raises
    ------
    PluginCheckError
        With every check that failed.

    Examples
    --------
    >>> check_sink("csv", delimiter=";")
    """
    hold(
        sink_checks(sink, rows, read=read, registry=registry, expected_failures=expected_failures, **options)
    )
