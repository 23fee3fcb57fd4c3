"""API keys: who may ask, told by a file that holds no key, only what a key hashes to."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

from engine.errors import UserError
from engine.files import read_regular

PREFIX = "ek_"
"""What every key begins with: scanners of leaked secrets, and people, tell it by that."""

MOST_BYTES = 1_000_000
"""Of a file of keys."""

MOST_KEYS = 10_000

MOST_PRESENTED = 256
"""Bytes of a key that somebody sends; longer ones are not hashed."""

_MOST_TOLD = 20
"""Mistakes of one file."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_HASH = re.compile(r"sha256:([0-9a-f]{64})")
_HEADER = b"x-api-key"
_SCHEME = b"bearer "


@dataclass(frozen=True, slots=True)
class Key:
    """One line of a file of keys.

    Parameters
    ----------
    name : str
        Whose key it is.
    sha256 : bytes
        The hash of the key, 32 bytes.
    created : date or None
    """

    name: str
    sha256: bytes = field(repr=False)
    created: date | None = None

    def __str__(self) -> str:
        """The line, as the file has it."""
        day = f" {self.created.isoformat()}" if self.created else ""
        return f"{self.name} sha256:{self.sha256.hex()}{day}"


@dataclass(frozen=True, slots=True)
class Keys:
    """The keys that a server takes.

    Parameters
    ----------
    keys : tuple of Key

    Examples
    --------
    >>> key = new_key()
    >>> keys = Keys((Key("mobile", hash_of(key)),))
    >>> keys.name_of(key), keys.name_of(b"ek_guessed")
    ('mobile', None)
    """

    keys: tuple[Key, ...]

    def name_of(self, key: bytes) -> str | None:
        """Whose key this is, or None.

        Every stored hash is compared, each in constant time, so that how long it takes tells nothing about
        which of them came close.
        """
        if len(key) > MOST_PRESENTED:
            return None
        given = hash_of(key)
        found = None
        for stored in self.keys:
            if hmac.compare_digest(stored.sha256, given):
                found = stored.name
        return found


def new_key() -> bytes:
    """A new key: ``ek_`` and 32 random bytes in URL-safe letters."""
    return f"{PREFIX}{secrets.token_urlsafe(32)}".encode("ascii")


def hash_of(key: bytes) -> bytes:
    """What is stored of a key, 32 bytes.

    Slow, salted hashes are for passwords, which can be guessed. A key holds 256 random bits: nobody finds it
    from its hash, however fast the hash is, and no two keys are alike that a salt would tell apart. So one
    round of SHA-256 is enough, and a request doesn't wait for more.
    """
    return hashlib.sha256(key).digest()


def key_in(headers: list[tuple[bytes, bytes]]) -> bytes | None:
    """The key that a request carries: ``X-API-Key: KEY``, else ``Authorization: Bearer KEY``.

    ``X-API-Key`` comes first, because gateways put tokens of their own into ``Authorization``.

    Parameters
    ----------
    headers : list of (bytes, bytes)
        Names in lower case.

    Examples
    --------
    >>> key_in([(b"authorization", b"Bearer ek_1")]), key_in([(b"authorization", b"Basic YTpi")])
    (b'ek_1', None)
    """
    bearer = None
    for name, value in headers:
        if name == _HEADER:
            return value.strip() or None
        if name == b"authorization" and bearer is None and value[: len(_SCHEME)].lower() == _SCHEME:
            bearer = value[len(_SCHEME) :].strip() or None
    return bearer


def read_keys(path: Path) -> Keys:
    """The keys of a file, with at least one.

    A line is ``NAME sha256:HASH``, with the day on which it was made behind it or without, or a comment
    behind ``#``. Anybody may read the file, since no key follows from it; but who can write to it can let
    himself in, so that must be its owner alone.

    Raises
    ------
    UserError
        The file can't be read, others can write to it, it holds no key, or mistakes: then with all of them,
        each with its line.
    """
    keys = read_lines(path)
    if not keys:
        raise UserError(f"{path} holds no key; to make one: engine new key NAME file={path}")
    return Keys(keys)


def read_lines(path: Path) -> tuple[Key, ...]:
    """What `read_keys` reads, be it nothing."""
    try:
        mode = path.stat().st_mode
        data = read_regular(path, MOST_BYTES, UserError)
    except OSError as error:
        raise UserError(
            f"{path}: the keys can't be read: {error.strerror}; to make one: engine new key NAME file={path}"
        ) from None
    if mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise UserError(
            f"{path}: others than its owner can write to it (mode {stat.S_IMODE(mode):o}), and so add keys of"
            f" their own; allow its owner alone: chmod 600 {path}"
        )
    return parse_keys(data, str(path))


def parse_keys(data: bytes, path: str) -> tuple[Key, ...]:
    """The lines of a file of keys.

    Parameters
    ----------
    data : bytes
    path : str
        For messages.

    Raises
    ------
    UserError
        With every mistake at once; what might be a key isn't repeated.
    """
    keys: list[Key] = []
    mistakes: list[str] = []
    lines: dict[str | bytes, int] = {}
    for number, text in _lines(data):
        read = _key(text)
        if isinstance(read, str):
            mistakes.append(f"line {number}: {read}")
            continue
        for what, shown in ((read.name, f"the name {read.name!r}"), (read.sha256, "this hash")):
            if what in lines:
                said = f"{shown} is in line {lines[what]} already; each name, and each key, is there once"
                mistakes.append(f"line {number}: {said}")
            else:
                lines[what] = number
        keys.append(read)
    if mistakes:
        more = len(mistakes) - _MOST_TOLD
        told = [*mistakes[:_MOST_TOLD], *([f"and {more:,} more"] if more > 0 else [])]
        raise UserError(
            f"{path} is no file of keys as it stands:\n" + "\n".join(f"  {said}" for said in told)
        )
    if len(keys) > MOST_KEYS:
        raise UserError(f"{path} holds {len(keys):,} keys; {MOST_KEYS:,} at most are compared for a request")
    return tuple(keys)


def check_key_name(name: str) -> None:
    """Refuse what can't be a key's name.

    Raises
    ------
    UserError
    """
    if wrong := _wrong_name(name):
        raise UserError(f"{wrong}. Such as 'mobile-app'")


def _lines(data: bytes) -> Iterator[tuple[int, str]]:
    """The lines that hold something, with their numbers."""
    for number, line in enumerate(data.split(b"\n"), start=1):
        text = line.decode("utf-8", errors="replace").removeprefix("\ufeff").partition("#")[0].strip()
        if text:
            yield number, text


def _key(text: str) -> Key | str:
    """What a line says, or what is wrong with it."""
    expected = "expected NAME sha256:HASH, as engine new key writes it"
    if PREFIX in text and not _HASH.search(text):
        # most likely the key itself, pasted: it must not be told in a log, too
        return (
            f"it seems to hold a key itself, not its hash; {expected}. Whoever read this file may know the"
            " key: delete the line and make a new one"
        )
    name, *rest = text.split()
    if wrong := _wrong_name(name):
        return wrong
    if not rest or not (found := _HASH.fullmatch(rest[0])):
        return f"{expected}; behind the name stands no 'sha256:' with 64 of the digits 0-9a-f"
    if len(rest) > 2:
        return f"{expected}; {len(rest) - 1} words stand behind the hash, and a day at most was expected"
    try:
        created = date.fromisoformat(rest[1]) if rest[1:] else None
    except ValueError:
        return f"{rest[1][:40]!r} is no day; expected one as 2026-01-31 behind the hash, or nothing"
    return Key(name, bytes.fromhex(found[1]), created)


def _wrong_name(name: str) -> str:
    """What is wrong with a name, or empty."""
    if name.startswith(PREFIX):  # a key that was taken for its name; names are in logs
        return f"a name can't begin with {PREFIX!r}, as keys do"
    if _NAME.fullmatch(name):
        return ""
    return (
        f"{name[:40]!r} can't name a key: expected letters, digits, '.', '_' and '-', a letter or digit"
        " first, 64 at most"
    )
