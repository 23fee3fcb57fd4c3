"""From a request that was answered to the log."""

from __future__ import annotations

from engine.errors import RowError
from engine.runtime.serve.call import Call
from engine.runtime.serve.predictions.log import Log


def keep(log: Log, protocol: str, call: Call) -> None:
    """Note the rows of a request that were answered.

    Parameters
    ----------
    log : Log
    protocol : str
        Such as ``predict``, ``infer`` or ``grpc``.
    call : Call
        Its ``rows`` are used up.
    """
    version = call.live.version
    if call.table is not None:
        log.table(call.id, version, protocol, *call.table)
        return
    if call.rows is None:
        return
    answered = [(row, answer) for row, answer in call.rows if not isinstance(answer, RowError)]
    size = len(call.body) // max(1, len(answered))
    for row, answer in answered:
        log.row(call.id, version, protocol, row, answer, size)
