"""TLS: certificates of the server, and of the clients that it takes, for HTTP and gRPC alike."""

from __future__ import annotations

import ssl
import stat
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from engine.errors import ConfigError, Mistake, UserError
from engine.files import read_regular

if TYPE_CHECKING:
    import grpc

_CERT, _KEY, _CLIENT_CA = "server.tls_cert", "server.tls_key", "server.tls_client_ca"
_MOST_BYTES = 4_000_000
"""Of a file of certificates; all authorities that browsers know take a tenth of it."""
_SOON = timedelta(days=14)
_NO_CHECK_TIME = 0x200000
"""X509_V_FLAG_NO_CHECK_TIME of OpenSSL's x509_vfy.h, which the module ssl has no name for."""


@dataclass(frozen=True, slots=True)
class Tls:
    """The files of certificates, which were found to fit together.

    Parameters
    ----------
    cert, key : Path
        The server's certificate, with those between it and its authority, and its private key, as PEM.
    client_ca : Path or None
        The authorities whose clients are taken; then no other client is.
    notes : tuple of str
        What no reader of the files refuses, and should be told: such as that the certificate has expired.
    """

    cert: Path
    key: Path
    client_ca: Path | None = None
    notes: tuple[str, ...] = ()

    def for_http(self) -> ssl.SSLContext:
        """What uvicorn takes: ``uvicorn.Config(…, ssl_context_factory=lambda *_: tls.for_http())``."""
        context = _server_context(self.cert, self.key)
        context.set_alpn_protocols(["http/1.1"])
        if self.client_ca is not None:
            context.load_verify_locations(cafile=self.client_ca)
            context.verify_mode = ssl.CERT_REQUIRED
        return context

    def for_grpc(self) -> grpc.ServerCredentials:
        """What ``add_secure_port`` takes; gRPC speaks TLS 1.2 and 1.3 alone."""
        import grpc

        ca = None if self.client_ca is None else read_regular(self.client_ca, _MOST_BYTES, UserError)
        pair = (
            read_regular(self.key, _MOST_BYTES, UserError),
            read_regular(self.cert, _MOST_BYTES, UserError),
        )
        return grpc.ssl_server_credentials([pair], ca, require_client_auth=ca is not None)


def open_tls(
    cert: str | None, key: str | None, client_ca: str | None = None, *, now: datetime | None = None
) -> Tls | None:
    """The server's TLS by its settings, or None where they ask for none.

    Parameters
    ----------
    cert, key, client_ca : str or None
        ``server.tls_cert``, ``server.tls_key`` and ``server.tls_client_ca``.
    now : datetime, optional
        What certificates are held against; left out: the clock.

    Raises
    ------
    ConfigError
        With all that is wrong: one without the other, files that can't be read, hold something else or don't
        belong together.
    """
    if cert is None and key is None and client_ca is None:
        return None
    mistakes: list[Mistake] = []
    if cert is None:
        given = _KEY if key is not None else _CLIENT_CA
        mistakes.append(Mistake(_CERT, f"it is needed with {given}: {_CERT}=PATH, the server's certificate"))
    if key is None:
        given = _CERT if cert is not None else _CLIENT_CA
        hint = "the private key; the same path, where the file of the certificate holds it, too"
        mistakes.append(Mistake(_KEY, f"it is needed with {given}: {_KEY}=PATH, {hint}"))
    for option, path, check in (
        (_CERT, cert, _no_certificate),
        (_KEY, key, _no_key),
        (_CLIENT_CA, client_ca, _no_authority),
    ):
        if path is not None and (wrong := _wrong_file(Path(path), check)):
            mistakes.append(Mistake(option, wrong))
    if mistakes or cert is None or key is None:
        raise ConfigError(mistakes)
    if mistake := _wrong_pair(Path(cert), Path(key)):
        raise ConfigError([mistake])
    notes = _notes(Path(cert), Path(key), now or datetime.now(UTC))
    return Tls(Path(cert), Path(key), None if client_ca is None else Path(client_ca), notes)


def _server_context(cert: Path, key: Path) -> ssl.SSLContext:
    # create_default_context would write the secrets of connections where SSLKEYLOGFILE says
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    # without a password OpenSSL asks the terminal for that of an encrypted key, and waits
    context.load_cert_chain(cert, key, password="")
    return context


# -- what is wrong with the files


def _wrong_file(path: Path, check: Callable[[Path, bytes], str]) -> str:
    try:
        return check(path, read_regular(path, _MOST_BYTES, UserError))
    except OSError as error:
        return f"{path} can't be read: {error.strerror}"
    except UserError as error:
        return str(error)


def _no_certificate(path: Path, data: bytes) -> str:
    if b"-----BEGIN CERTIFICATE-----" in data or b"-----BEGIN TRUSTED CERTIFICATE-----" in data:
        return ""
    if b"PRIVATE KEY-----" in data:
        return f"{path} holds a private key and no certificate; the key belongs to {_KEY}"
    return f"{path} holds no certificate; expected PEM, which begins '-----BEGIN CERTIFICATE-----'"


def _no_key(path: Path, data: bytes) -> str:
    if b"ENCRYPTED" in data:
        return (
            f"{path} is encrypted, and a server has nobody to ask for the password; decrypt it for the"
            f" server's user alone: openssl pkey -in {path} -out key.pem && chmod 600 key.pem"
        )
    if b"PRIVATE KEY-----" in data:
        return ""
    if b"-----BEGIN CERTIFICATE-----" in data:
        return f"{path} holds a certificate and no private key; the certificate belongs to {_CERT}"
    return f"{path} holds no private key; expected PEM, which begins '-----BEGIN PRIVATE KEY-----'"


def _no_authority(path: Path, data: bytes) -> str:
    if wrong := _no_certificate(path, data):
        return wrong
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        context.load_verify_locations(cafile=path)
    except ssl.SSLError as error:
        return f"{path} holds a certificate that can't be read ({_reason(error)})"
    if not context.cert_store_stats()["x509_ca"]:
        return (
            f"{path} holds no authority's certificate, so that no client's could be held against it; expected"
            " that of who signs the clients', not a client's own"
        )
    return ""


def _wrong_pair(cert: Path, key: Path) -> Mistake | None:
    try:
        _server_context(cert, key)
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            message = (
                f"{key} is not the key of the certificate in {cert}; expected the one that it was made for"
            )
            return Mistake(_KEY, message, (f"the server's own certificate stands first in {cert}",))
        return Mistake(_CERT, f"{cert} and {key} can't be used ({_reason(error)})")
    return None


def _reason(error: ssl.SSLError) -> str:
    return (error.reason or str(error)).replace("_", " ").lower()


# -- what should be told


def _notes(cert: Path, key: Path, now: datetime) -> tuple[str, ...]:
    notes = []
    if key.stat().st_mode & stat.S_IROTH:
        notes.append(
            f"{_KEY}: everybody on this machine can read {key}; allow its owner alone: chmod 600 {key}"
        )
    try:
        begins, ends = _validity(cert, key)
    except ssl.SSLError as error:
        said = getattr(error, "verify_message", "") or _reason(error)
        return (*notes, f"{_CERT}: clients may refuse {cert}: {said}")
    if now >= ends:
        notes.append(f"{_CERT}: {cert} expired on {ends:%Y-%m-%d}, so clients refuse it; renew it")
    elif now < begins:
        notes.append(f"{_CERT}: {cert} is valid from {begins:%Y-%m-%d} on, and clients refuse it before")
    elif ends - now < _SOON:
        notes.append(f"{_CERT}: {cert} expires on {ends:%Y-%m-%d}; renew it")
    return tuple(notes)


def _validity(cert: Path, key: Path) -> tuple[datetime, datetime]:
    """From when to when the server's certificate is valid.

    The module ssl tells that of a certificate only to who was shown it in a handshake and trusts it. So one
    is done in memory, with a client that trusts this very certificate.
    """
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname = False
    client.load_verify_locations(cafile=cert)
    client.verify_flags |= ssl.VerifyFlags.VERIFY_X509_PARTIAL_CHAIN | ssl.VerifyFlags(_NO_CHECK_TIME)
    up, down = ssl.MemoryBIO(), ssl.MemoryBIO()
    asking = client.wrap_bio(down, up)
    answering = _server_context(cert, key).wrap_bio(up, down, server_side=True)
    for _ in range(4):  # flights of TLS 1.2, which has most
        for side in (asking, answering):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
    shown = asking.getpeercert() or {}
    begins, ends = (ssl.cert_time_to_seconds(str(shown[name])) for name in ("notBefore", "notAfter"))
    return datetime.fromtimestamp(begins, UTC), datetime.fromtimestamp(ends, UTC)
