"""How a pipeline is served: the options of the config's ``server``."""

from __future__ import annotations

from dataclasses import dataclass

from engine.option import option


@dataclass(frozen=True, slots=True)
class Settings:
    """What ``server`` holds, besides ``predictions``.

    Parameters
    ----------
    host : str
        The address to listen at, or a name that has one; 0.0.0.0: all of this machine's.
    port : int
        Of HTTP. 0: any that is free.
    grpc_port : int or None
        Of gRPC. 0: any that is free; None: no gRPC.
    model_name : str or None
        What the Open Inference Protocol calls the pipeline; None: its own name.
    workers : int
        Processes that answer.
    threads : int
        In each worker, for requests that take longer than a moment.
    keys : str or None
        The file of API keys' hashes: ``engine new key`` writes one.
    anonymous : bool
        Whether to listen beyond loopback without keys or clients' certificates.
    tls_cert, tls_key : str or None
        PEM files of the server's certificate and of its private key.
    tls_client_ca : str or None
        The PEM file of an authority: clients need a certificate that it signed.
    max_in_flight : int
        Requests that a worker has begun and not answered; one more is answered 429.
    max_connections : int
        Open connections of a worker; one more is answered 503.
    max_body : int
        Bytes of a body, as sent and as unpacked.
    max_rows : int
        Rows of a request.
    receive_seconds : float
        From the first byte of a request until its last: slower senders are cut off.
    keep_alive_seconds : float
        An idle connection is closed after it.
    load_seconds : float
        A new version that isn't ready after it is refused.
    poll_seconds : float
        How often the bundle is asked which version is in use.
    grace_seconds : float
        From SIGTERM until no more connections are taken; requests are answered meanwhile.
    drain_seconds : float
        From then until what is still in flight is given up.
    access_log : bool
        A line for every request.
    log_format : str
        ``auto``: for people on a terminal, else lines of JSON.
    """

    host: str = "127.0.0.1"
    port: int = option(8080, ge=0, le=65535)
    grpc_port: int | None = option(9000, ge=0, le=65535)
    model_name: str | None = None
    workers: int = option(1, ge=1, le=256)
    threads: int = option(1, ge=1, le=64)
    keys: str | None = None
    anonymous: bool = False
    tls_cert: str | None = None
    tls_key: str | None = None
    tls_client_ca: str | None = None
    max_in_flight: int = option(256, ge=1, le=1 << 20)
    max_connections: int = option(4096, ge=1, le=1 << 20)
    max_body: int = option(16 << 20, ge=1, le=1 << 31)
    max_rows: int = option(10_000, ge=1, le=1 << 24)
    receive_seconds: float = option(10.0, gt=0, le=3600)
    keep_alive_seconds: float = option(75.0, gt=0, le=3600)
    load_seconds: float = option(300.0, gt=0, le=86400)
    poll_seconds: float = option(1.0, gt=0, le=3600)
    grace_seconds: float = option(1.0, ge=0, le=3600)
    drain_seconds: float = option(30.0, ge=0, le=3600)
    access_log: bool = False
    log_format: str = option("auto", choices=("auto", "json", "console"))
