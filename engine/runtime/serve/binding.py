"""Where the server may be bound: beyond this machine only if something says who may ask."""

from __future__ import annotations

import ipaddress
import socket
from pathlib import Path

from engine.errors import UserError, listing


def check_exposure(
    host: str, keys: str | Path | None, client_ca: str | Path | None, anonymous: bool
) -> tuple[str, ...]:
    """Refuse to be open to anybody by accident.

    Parameters
    ----------
    host : str
        ``server.host``: an address, or a name, all of whose addresses count.
    keys, client_ca : path or None
        ``server.keys`` and ``server.tls_client_ca``.
    anonymous : bool
        ``server.anonymous``: whether anybody may ask.

    Returns
    -------
    tuple of str
        The addresses. Bind to these: asked again, a name may have others.

    Raises
    ------
    UserError
        Other machines could ask, and nothing says who may; or the settings contradict each other.

    Examples
    --------
    >>> check_exposure("127.0.0.1", None, None, False)
    ('127.0.0.1',)
    """
    if anonymous and keys is not None:
        raise UserError(
            "server.anonymous=true lets anybody ask, and server.keys asks for a key; leave one of them out"
        )
    addresses = _addresses(host)
    if anonymous or keys is not None or client_ca is not None:
        return addresses
    exposed = [address for address in addresses if not _is_loopback(address)]
    if exposed:
        said = host if exposed == [host] else f"{host} ({listing(exposed, most=3)})"
        raise UserError(
            f"server.host: {said} can be reached from other machines, and nothing says who may ask\n"
            "  to answer this machine alone: server.host=127.0.0.1\n"
            "  to ask for keys: engine new key NAME, then server.keys=keys.txt\n"
            "  to ask for client certificates: server.tls_client_ca=PATH, with server.tls_cert and"
            " server.tls_key\n"
            "  to answer anybody, as behind a proxy or a mesh that checks: server.anonymous=true"
        )
    return addresses


def _addresses(host: str) -> tuple[str, ...]:
    """The addresses of a host, in the order of the system's preference."""
    if not host.strip():
        # for sockets an empty host is every address; nobody means that who leaves it empty
        raise UserError("server.host: is empty; expected an address, such as 127.0.0.1, or 0.0.0.0 for all")
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or "it is no name of a host"
        raise UserError(
            f"server.host: {host!r} has no address ({reason}); expected an address of this machine, such as"
            " 127.0.0.1, or 0.0.0.0 for all"
        ) from None
    return tuple(dict.fromkeys(_shown(*address) for *_, address in found))


def _shown(address: str | int, _port: str | int = 0, _flow: int = 0, scope: int = 0) -> str:
    """An address as it can be bound to; one that holds on one network card alone names the card."""
    return f"{address}%{scope}" if scope else str(address)


def _is_loopback(address: str) -> bool:
    parsed = ipaddress.ip_address(address)
    mapped = getattr(parsed, "ipv4_mapped", None)
    return (mapped or parsed).is_loopback
