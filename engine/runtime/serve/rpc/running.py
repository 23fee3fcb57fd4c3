"""A server that answers until it is stopped, whatever it is sent."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

import grpc.aio

from engine.errors import UserError

_LOOKS = 0.05
"""Seconds between two looks at whether gRPC still serves."""
_RETRIES = 1.0
"""Seconds until a port that is taken is tried again."""
_FINISHES = 60.0
"""Seconds that calls have which a server had begun when it ended."""
_LOGGER = logging.getLogger(__name__)


class Running:
    """A server that answers; made by `engine.runtime.serve.rpc.server.start_server`.

    A request can end a server of grpc.aio: its loop decodes the name of the method that is called, and where
    the name is no UTF-8 it stops to listen, for everyone. Then another one listens in its place, and what
    the first had begun is finished.

    Parameters
    ----------
    server : grpc.aio.Server
        It has started.
    port : int
        Where it listens.
    again : callable
        Another server that listens there, not started.

    Attributes
    ----------
    port : int
    """

    def __init__(self, server: grpc.aio.Server, port: int, again: Callable[[], grpc.aio.Server]) -> None:
        self.port = port
        self._server = server
        self._again = again
        self._ended: dict[asyncio.Task[None], grpc.aio.Server] = {}
        self._watching = asyncio.create_task(self._watch())

    async def stop(self, grace: float) -> None:
        """Take no more calls, and let those under way finish; after ``grace`` seconds they are given up."""
        self._watching.cancel()
        await asyncio.wait((self._watching,))
        await asyncio.gather(
            self._server.stop(grace), *(server.stop(grace) for server in self._ended.values())
        )

    async def _watch(self) -> None:
        while True:
            try:
                while await self._server.wait_for_termination(_LOOKS):
                    pass
                return
            except Exception as error:  # what ended its loop
                _LOGGER.error("a request ended the gRPC server, which starts again: %s", error)
            ending = asyncio.create_task(self._server.stop(_FINISHES))
            self._ended[ending] = self._server
            ending.add_done_callback(self._ended.pop)
            self._server = await self._start()

    async def _start(self) -> grpc.aio.Server:
        while True:
            try:
                server = self._again()
                await server.start()
                return server
            except UserError as error:
                _LOGGER.error("%s", error)
                await asyncio.sleep(_RETRIES)
