"""A file of keys names who may ask; all that is wrong with it is told at once, and no key is repeated."""

from __future__ import annotations

import hashlib
import os
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import UserError
from engine.runtime.serve.keys import (
    MOST_BYTES,
    MOST_KEYS,
    Key,
    Keys,
    hash_of,
    key_in,
    new_key,
    parse_keys,
    read_keys,
)

HASH = "sha256:" + "0123456789abcdef" * 4


def write(folder: Path, text: str | bytes, mode: int = 0o600) -> Path:
    file = folder / "keys.txt"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    file.chmod(mode)
    return file


def refused(file: Path) -> str:
    with pytest.raises(UserError) as caught:
        read_keys(file)
    return str(caught.value)


def test_keys_are_long_and_never_alike() -> None:
    made = {new_key() for _ in range(1000)}
    assert len(made) == 1000
    assert {len(key) for key in made} == {46}
    assert all(key.startswith(b"ek_") and key.decode().replace("-", "_").isidentifier() for key in made)


def test_a_key_is_known_by_its_hash(tmp_path: Path) -> None:
    mobile, web, other = new_key(), new_key(), new_key()
    digest = hashlib.sha256(mobile).hexdigest()
    text = (
        f"# of the shop\r\n\r\nmobile sha256:{digest} 2026-01-31  # the app\r\n"
        f"web sha256:{hashlib.sha256(web).hexdigest()}"
    )
    keys = read_keys(write(tmp_path, text))
    assert [(key.name, key.created) for key in keys.keys] == [("mobile", date(2026, 1, 31)), ("web", None)]
    assert str(keys.keys[0]) == f"mobile sha256:{digest} 2026-01-31"
    assert keys.name_of(mobile) == "mobile"
    assert keys.name_of(web) == "web"
    for wrong in (other, b"", mobile[:-1], mobile + b" ", digest.encode(), bytes.fromhex(digest), b"mobile"):
        assert keys.name_of(wrong) is None


def test_a_key_that_is_too_long_is_nobodys() -> None:
    long = b"k" * 257
    keys = Keys((Key("long", hash_of(long)), Key("fits", hash_of(long[:256]))))
    assert keys.name_of(long) is None
    assert keys.name_of(long[:256]) == "fits"


def test_hashes_are_not_in_what_is_printed() -> None:
    key = Key("mobile", hash_of(b"x"))
    assert hash_of(b"x").hex() not in repr(Keys((key,)))
    assert "x2d" not in repr(key)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("mobile", "expected NAME sha256:HASH, as engine new key writes it; behind the name stands no"),
        ("mobile sha256:abc", "behind the name stands no 'sha256:' with 64 of the digits 0-9a-f"),
        (f"mobile {HASH[7:]}", "behind the name stands no 'sha256:'"),
        (f"mobile {HASH.upper()}", "behind the name stands no 'sha256:'"),
        (f"mobile {HASH}0", "behind the name stands no 'sha256:'"),
        (f"mo/bile {HASH}", "'mo/bile' can't name a key: expected letters, digits, '.', '_' and '-'"),
        (f"{'n' * 65} {HASH}", "64 at most"),
        (f"müller {HASH}", "'müller' can't name a key"),
        (f"mobile {HASH} yesterday", "'yesterday' is no day; expected one as 2026-01-31"),
        (f"mobile {HASH} 2026-02-30", "'2026-02-30' is no day"),
        (f"mobile {HASH} 2026-01-31 x", "2 words stand behind the hash, and a day at most was expected"),
    ],
)
def test_a_wrong_line(line: str, message: str, tmp_path: Path) -> None:
    said = refused(write(tmp_path, f"\n# fine\n{line}\n"))
    assert said.startswith(f"{tmp_path}/keys.txt is no file of keys as it stands:\n  line 3: ")
    assert message in said


@pytest.mark.parametrize("line", ["mobile {}", "{}", "{} " + HASH, "mobile={}", "mobile sha256:{}"])
def test_a_key_in_the_file_is_not_repeated(line: str, tmp_path: Path) -> None:
    key = new_key().decode()
    said = refused(write(tmp_path, line.format(key)))
    assert key not in said
    assert "key" in said


def test_every_mistake_is_told_with_its_line(tmp_path: Path) -> None:
    other = HASH.replace("0", "1")
    lines = [f"a {HASH}", "b", f"a {other}", f"c {HASH}", f"d {HASH[:-1]}e x"]
    assert refused(write(tmp_path, "\n".join(lines))).splitlines()[1:] == [
        "  line 2: expected NAME sha256:HASH, as engine new key writes it; behind the name stands no"
        " 'sha256:' with 64 of the digits 0-9a-f",
        "  line 3: the name 'a' is in line 1 already; each name, and each key, is there once",
        "  line 4: this hash is in line 1 already; each name, and each key, is there once",
        "  line 5: 'x' is no day; expected one as 2026-01-31 behind the hash, or nothing",
    ]
    many = refused(write(tmp_path, "x\n" * 3000)).splitlines()
    assert len(many) == 22
    assert many[-1] == "  and 2,980 more"


@pytest.mark.parametrize("mode", [0o620, 0o602, 0o666])
def test_a_file_that_others_can_write_to(mode: int, tmp_path: Path) -> None:
    said = refused(write(tmp_path, f"a {HASH}", mode))
    assert "others than its owner can write to it" in said
    assert f"(mode {mode:o})" in said
    assert f"chmod 600 {tmp_path}/keys.txt" in said


@pytest.mark.parametrize("mode", [0o400, 0o440, 0o600, 0o644])
def test_a_file_that_others_can_read(mode: int, tmp_path: Path) -> None:
    assert len(read_keys(write(tmp_path, f"a {HASH}", mode)).keys) == 1


def test_a_file_without_keys(tmp_path: Path) -> None:
    file = write(tmp_path, "# none yet\n")
    assert refused(file) == f"{file} holds no key; to make one: engine new key NAME file={file}"
    file.unlink()
    said = refused(file)
    assert said.startswith(f"{file}: the keys can't be read: No such file")
    assert f"engine new key NAME file={file}" in said
    assert "can't be read: Is a directory" in refused(tmp_path)


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "keys.txt", 0o600)
    assert refused(tmp_path / "keys.txt") == f"{tmp_path}/keys.txt is no regular file"


def test_a_file_that_is_too_large(tmp_path: Path) -> None:
    assert "1,000,000 at most were expected" in refused(write(tmp_path, b"#" * (MOST_BYTES + 1)))
    # a short line takes 74 bytes, so that as many keys as are taken fit
    lines = [f"k{i} sha256:{i:064x}" for i in range(MOST_KEYS)]
    assert len(read_keys(write(tmp_path, "\n".join(lines))).keys) == MOST_KEYS
    lines.append(f"one sha256:{'f' * 64}")
    assert "holds 10,001 keys; 10,000 at most" in refused(write(tmp_path, "\n".join(lines)))


def test_a_link_is_followed(tmp_path: Path) -> None:
    """As Kubernetes lays out what it mounts."""
    (tmp_path / "data").mkdir()
    write(tmp_path / "data", f"a {HASH}", 0o444)
    (tmp_path / "linked").symlink_to("data/keys.txt")
    assert read_keys(tmp_path / "linked").keys[0].name == "a"


@given(st.binary(max_size=400))
def test_any_bytes_are_keys_or_told(data: bytes) -> None:
    try:
        parse_keys(data, "keys.txt")
    except UserError as error:
        assert str(error).startswith("keys.txt ")


@given(st.lists(st.binary(min_size=1, max_size=40), unique=True, max_size=6), st.binary(max_size=40))
def test_name_of_finds_what_a_search_finds(keys: list[bytes], asked: bytes) -> None:
    stored = Keys(tuple(Key(f"k{i}", hash_of(key)) for i, key in enumerate(keys)))
    assert stored.name_of(asked) == (f"k{keys.index(asked)}" if asked in keys else None)


@pytest.mark.parametrize(
    ("headers", "found"),
    [
        ([], None),
        ([(b"authorization", b"Bearer ek_1")], b"ek_1"),
        ([(b"authorization", b"bEARER   ek_1 ")], b"ek_1"),
        ([(b"x-api-key", b" ek_1 ")], b"ek_1"),
        ([(b"authorization", b"Basic ek_1")], None),
        ([(b"authorization", b"Bearerek_1")], None),
        ([(b"authorization", b"Bearer ")], None),
        ([(b"x-api-key", b"")], None),
        ([(b"cookie", b"ek_1"), (b"x-api-key-2", b"ek_1")], None),
        ([(b"authorization", b"Bearer gateway"), (b"x-api-key", b"ek_1")], b"ek_1"),
        ([(b"authorization", b"Basic YTpi"), (b"authorization", b"Bearer ek_1")], b"ek_1"),
        ([(b"authorization", b"Bearer ek_1"), (b"authorization", b"Bearer ek_2")], b"ek_1"),
    ],
)
def test_where_a_key_is_in_a_request(headers: list[tuple[bytes, bytes]], found: bytes | None) -> None:
    assert key_in(headers) == found
