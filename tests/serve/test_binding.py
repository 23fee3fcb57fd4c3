"""No server is open to other machines by accident."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from engine.errors import UserError
from engine.runtime.serve.binding import check_exposure


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "127.1", "::1", "localhost", "::ffff:127.0.0.1"])
def test_this_machine_alone_needs_nothing(host: str) -> None:
    assert check_exposure(host, None, None, False)


def own_name() -> str:
    try:
        addresses = {str(found[4][0]) for found in socket.getaddrinfo(socket.gethostname(), None)}
    except OSError:
        addresses = set()
    if not addresses or any(address.startswith(("127.", "::1")) for address in addresses):
        return "192.0.2.7"
    return socket.gethostname()


@pytest.mark.parametrize(
    "host", ["0.0.0.0", "::", "0", "0x0", "10.1.2.3", "2001:db8::1", "::ffff:10.0.0.1", "fe80::1", own_name()]
)
def test_beyond_it_something_says_who_may_ask(host: str, tmp_path: Path) -> None:
    with pytest.raises(UserError) as caught:
        check_exposure(host, None, None, False)
    said, *what_to_do = str(caught.value).splitlines()
    assert said.startswith(f"server.host: {host}")
    assert said.endswith("can be reached from other machines, and nothing says who may ask")
    for option in (
        "server.host=127.0.0.1",
        "server.keys=keys.txt",
        "server.tls_client_ca=PATH",
        "server.anonymous=true",
    ):
        assert any(option in line for line in what_to_do)
    for keys, client_ca, anonymous in (
        ("keys.txt", None, False),
        (None, "ca.pem", False),
        (None, None, True),
    ):
        assert check_exposure(host, keys, client_ca, anonymous)
    assert check_exposure(host, tmp_path / "keys.txt", tmp_path / "ca.pem", False)


def test_what_a_name_stands_for_is_told() -> None:
    with pytest.raises(UserError, match=r"server\.host: 0 \(0\.0\.0\.0\) can be reached"):
        check_exposure("0", None, None, False)


def test_the_addresses_to_bind_to() -> None:
    assert check_exposure("127.1", None, None, False) == ("127.0.0.1",)
    assert check_exposure("0.0.0.0", "keys.txt", None, False) == ("0.0.0.0",)
    for address in check_exposure("localhost", None, None, False):
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        with socket.create_server((address, 0), family=family):
            pass


def test_an_address_of_one_network_card_names_it() -> None:
    assert check_exposure("fe80::1%1", None, None, True) == ("fe80::1%1",)


@pytest.mark.parametrize("host", ["", " "])
def test_an_empty_host_is_not_every_address(host: str) -> None:
    for anonymous in (False, True):
        with pytest.raises(UserError, match=r"server\.host: is empty"):
            check_exposure(host, None, None, anonymous)


@pytest.mark.parametrize("host", ["nosuch.invalid", "a..b", "x" * 300, "1.2.3.4.5.6", "[::1]", "a\0b", "*"])
def test_what_is_no_host(host: str) -> None:
    with pytest.raises(UserError, match="has no address"):
        check_exposure(host, None, None, False)


def test_keys_that_nobody_would_be_asked_for() -> None:
    with pytest.raises(UserError, match="leave one of them out"):
        check_exposure("127.0.0.1", "keys.txt", None, True)
