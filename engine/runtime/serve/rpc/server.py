"""The server of the protocol's calls, on the event loop that runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import grpc
import grpc.aio

from engine.errors import UserError
from engine.runtime.serve.rpc.host import Host
from engine.runtime.serve.rpc.service import Service

_SPARE = 64
"""Calls beyond the most that infer: whether a server lives can be asked while it is busy."""


@dataclass(frozen=True, slots=True)
class Running:
    """A server that answers; made by `start_server`.

    Parameters
    ----------
    port : int
        Where it listens.
    """

    port: int
    _server: Any

    async def stop(self, grace: float) -> None:
        """Take no more calls, and let those under way finish; after ``grace`` seconds they are given up."""
        await self._server.stop(grace)


async def start_server(
    address: str,
    host: Host,
    *,
    credentials: grpc.ServerCredentials | None = None,
    reuse_port: bool = True,
    most_bytes: int = 16 << 20,
    most_rows: int | None = None,
    most_calls: int = 256,
) -> Running:
    """Answer the Open Inference Protocol's calls at an address.

    Nothing of gRPC may be imported in a process that forks later: its threads don't survive that.

    Parameters
    ----------
    address : str
        ``HOST:PORT``, such as ``127.0.0.1:9000`` or ``[::]:9000``; port 0 is any that is free.
    host : Host
        What the service needs of this process.
    credentials : grpc.ServerCredentials, optional
        For TLS.
    reuse_port : bool
        Several processes may listen at the address, and share its connections.
    most_bytes : int
        Of a request, as sent and as unpacked.
    most_rows : int, optional
        Of a request.
    most_calls : int
        Inferences that have begun and aren't answered; one more is refused at once.

    Raises
    ------
    UserError
        Nothing can listen there.
    """
    server = grpc.aio.server(
        options=(
            ("grpc.so_reuseport", int(reuse_port)),
            ("grpc.max_receive_message_length", most_bytes),
            ("grpc.max_send_message_length", -1),
        ),
        maximum_concurrent_rpcs=most_calls + _SPARE,
    )
    service = Service(host, most_rows=most_rows, most_calls=most_calls)
    server.add_generic_rpc_handlers((service.handlers(),))
    try:
        if credentials is None:
            port = server.add_insecure_port(address)
        else:
            port = server.add_secure_port(address, credentials)
    except RuntimeError as error:
        raise UserError(
            f"server.grpc_port: nothing can listen at {address} ({error}); choose another port, or none: "
            "server.grpc_port=null"
        ) from None
    await server.start()
    return Running(port, server)
