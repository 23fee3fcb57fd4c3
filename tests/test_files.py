"""Reading files that others chose."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from engine.errors import DataError
from engine.files import is_regular, read_regular


def test_a_regular_file_is_read_up_to_a_limit(tmp_path: Path) -> None:
    file = tmp_path / "x"
    file.write_bytes(b"12345")
    assert read_regular(file, 5, DataError) == b"12345"
    with pytest.raises(DataError) as caught:
        read_regular(file, 4, DataError)
    assert str(caught.value) == f"{file} has 5 bytes; 4 at most were expected"


def test_a_file_that_claims_to_be_empty_is_read_no_further() -> None:
    with pytest.raises(DataError) as caught:
        read_regular(Path("/proc/self/maps"), 10, DataError)
    assert str(caught.value) == "/proc/self/maps has more than 10 bytes, the most that was expected"


def test_devices_and_pipes_are_not_waited_for(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for path in (pipe, Path("/dev/zero")):
        with pytest.raises(DataError) as caught:
            read_regular(path, 10, DataError)
        assert str(caught.value) == f"{path} is no regular file"
        assert not is_regular(path)


def test_links_are_followed_where_that_is_wanted(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"1")
    link = tmp_path / "link"
    link.symlink_to("x")
    assert read_regular(link, 1, DataError) == b"1"
    with pytest.raises(OSError, match="symbolic links"):
        read_regular(link, 1, DataError, links=False)


def test_what_is_regular(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    assert is_regular(tmp_path / "empty")
    assert not is_regular(tmp_path)
    assert not is_regular(Path("/proc/self/mem"))
    assert not is_regular(Path("/proc/self/maps"))
