"""Passwords: taken as libpq takes them, refused in words that don't repeat them."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from engine.errors import DataError
from engine.runtime.io import open_source

_ENCRYPT = (80877103, 80877104)
"""Requests for TLS and GSS: https://www.postgresql.org/docs/current/protocol-message-formats.html"""


@contextmanager
def refusing() -> Iterator[tuple[str, list[bytes]]]:
    """A server that asks for a password and takes none: its address, and the passwords that it got."""
    got: list[bytes] = []
    server = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                client, _ = server.accept()
            except OSError:  # closed
                return
            with client, client.makefile("rb") as read:
                while struct.unpack("!II", read.read(8))[1] in _ENCRYPT:
                    client.sendall(b"N")
                read.read1(1 << 16)
                client.sendall(b"R" + struct.pack("!II", 8, 3))
                if head := read.read(5):
                    got.append(read.read(struct.unpack("!I", head[1:])[0] - 4).rstrip(b"\0"))
                    said = b'SFATAL\0C28P01\0Mpassword authentication failed for user "me"\0\0'
                    client.sendall(b"E" + struct.pack("!I", len(said) + 4) + said)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield f"127.0.0.1:{server.getsockname()[1]}", got
    finally:
        server.shutdown(socket.SHUT_RDWR)
        server.close()
        thread.join()


@pytest.mark.parametrize(
    ("user", "environment", "sent"),
    [("me:secret", "", "secret"), ("me", "secret2", "secret2"), ("me", "", "")],
)
def test_a_password_that_is_refused(
    monkeypatch: pytest.MonkeyPatch, user: str, environment: str, sent: str
) -> None:
    monkeypatch.setenv("PGPASSFILE", "/nowhere")
    if environment:
        monkeypatch.setenv("PGPASSWORD", environment)
    else:
        monkeypatch.delenv("PGPASSWORD", raising=False)
    with refusing() as (host, got):
        with pytest.raises(DataError) as caught:
            open_source({"use": "postgres", "url": f"postgresql://{user}@{host}/db", "table": "t"})
        assert str(caught.value) == (
            f"postgresql://{host}/db t: the server refuses the user or the password; see PGPASSWORD, "
            "the .pgpass file or the url"
        )
    assert set(got) == ({sent.encode()} if sent else set())
