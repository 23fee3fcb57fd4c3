"""The server of the protocol's calls, on the event loop that runs."""

from __future__ import annotations

import grpc
import grpc.aio

from engine.errors import UserError
from engine.runtime.serve.rpc.host import Host
from engine.runtime.serve.rpc.running import Running
from engine.runtime.serve.rpc.service import Service

__all__ = ["Running", "start_server"]

_SPARE = 64
"""Calls beyond the most that infer: whether a server lives can be asked while it is busy."""


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
    handlers = Service(host, most_rows=most_rows, most_calls=most_calls).handlers()

    def listen(address: str) -> tuple[grpc.aio.Server, int]:
        server = grpc.aio.server(
            options=(
                ("grpc.so_reuseport", int(reuse_port)),
                ("grpc.max_receive_message_length", most_bytes),
                ("grpc.max_send_message_length", -1),
            ),
            maximum_concurrent_rpcs=most_calls + _SPARE,
        )
        server.add_generic_rpc_handlers((handlers,))
        try:
            if credentials is None:
                return server, server.add_insecure_port(address)
            return server, server.add_secure_port(address, credentials)
        except RuntimeError as error:
            raise UserError(
                f"server.grpc_port: nothing can listen at {address} ({error}); choose another port, or none: "
                "server.grpc_port=null"
            ) from None

    server, port = listen(address)
    await server.start()
    again = f"{address.rpartition(':')[0]}:{port}"
    return Running(server, port, lambda: listen(again)[0])
