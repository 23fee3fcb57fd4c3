"""What a run asks of a store, of a disk with and without hard links and of an object store alike."""

from __future__ import annotations

import errno
import os
import resource
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.errors import DataError
from engine.runtime.io.storage_options import StorageOptions
from engine.runtime.store import BusyError, Store
from engine.runtime.store.disk import DiskStore
from engine.runtime.store.objects import ObjectStore
from tests.runtime.s3 import KEYS, S3Server


@pytest.fixture(params=["disk", "disk without links", "s3"])
def store(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    if request.param == "s3":
        for name, value in KEYS.items():
            monkeypatch.setenv(name, value)
        s3: S3Server = request.getfixturevalue("s3")
        return ObjectStore(f"s3://{s3.bucket()}/a run", StorageOptions(s3.endpoint))
    if request.param == "disk without links":
        monkeypatch.setattr(Path, "hardlink_to", _refuse)
    return DiskStore(tmp_path / "a run")


def _refuse(path: Path, target: Path) -> None:
    raise OSError(errno.EPERM, os.strerror(errno.EPERM))


def test_of_eight_that_create_one_wins_and_its_content_is_whole(store: Store) -> None:
    ready = Barrier(8)

    def create(i: int, name: str) -> bool:
        ready.wait(20)
        return store.create(name, b"%d" % i * 100_000)

    with ThreadPoolExecutor(8) as pool:
        for name in (f"receipts/{i}.json" for i in range(5)):
            won = list(pool.map(create, range(8), [name] * 8))
            assert won.count(True) == 1
            assert store.read(name) == b"%d" % won.index(True) * 100_000
    assert store.names("receipts") == [f"{i}.json" for i in range(5)]


def test_what_equals_it_is_another_all_the_same(store: Store) -> None:
    assert store.create("plan.json", b"{}") is True
    assert store.create("plan.json", b"{}") is False


def test_a_small_file_is_replaced(store: Store) -> None:
    store.write("a/state.json", b"old")
    store.write("a/state.json", b"newer")
    assert store.read("a/state.json") == b"newer"
    assert store.size("a/state.json") == 5
    assert store.names("a") == ["state.json"]


def test_what_is_not_there(store: Store) -> None:
    store.write("file", b"")
    assert store.size("file") == 0
    for name in ("none", "none/of/it", "file/below"):
        assert store.read(name) is None
        assert store.size(name) is None
        assert store.names(name) == []
        assert store.read_all(name) == {}
        store.remove(name)
    assert store.names() == ["file"]


def test_a_scratch_file_lasts_if_it_is_kept(store: Store) -> None:
    content = os.urandom(1 << 20)
    with store.scratch("parts/kept.parquet") as scratch:
        assert scratch.path.suffix == ".parquet"
        scratch.path.write_bytes(content)
        scratch.keep()
    with store.scratch("parts/not kept.parquet") as scratch:
        scratch.path.write_bytes(content)
    with pytest.raises(ZeroDivisionError), store.scratch("parts/broken.parquet") as scratch:
        scratch.path.write_bytes(content)
        raise ZeroDivisionError
    with store.scratch("parts/never.parquet"):
        pass
    assert store.names("parts") == ["kept.parquet"]
    assert store.size("parts/kept.parquet") == len(content)
    with store.local("parts/kept.parquet") as path:
        assert path.read_bytes() == content


def test_publishing_replaces_nothing(store: Store) -> None:
    store.write("attempts/1", b"first")
    store.write("attempts/2", b"second")
    for name in ("attempts/1", "attempts/2", "attempts/1"):
        store.publish(name, "parts/0")
    assert store.read("parts/0") == b"first"
    store.remove("attempts")
    assert store.read("parts/0") == b"first"
    with pytest.raises(DataError, match=r"parts/1: can't be written"):
        store.publish("attempts/1", "parts/1")
    assert store.names("parts") == ["0"]


def test_of_eight_that_publish_the_first_stays(store: Store) -> None:
    for i in range(8):
        store.write(f"attempts/{i}", b"%d" % i * 1000)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda i: store.publish(f"attempts/{i}", "parts/0"), range(8)))
    kept = store.read("parts/0")
    assert kept in [b"%d" % i * 1000 for i in range(8)]
    store.publish("attempts/0", "parts/0")
    assert store.read("parts/0") == kept
    assert store.names("parts") == ["0"]


def test_renaming_replaces_and_may_be_done_again(store: Store) -> None:
    store.write("new", b"new")
    store.write("out/old", b"old")
    store.rename("new", "out/old")
    store.rename("new", "out/old")
    assert (store.names(), store.names("out"), store.read("out/old")) == (["out"], ["old"], b"new")
    with pytest.raises(DataError, match=r"out/none: can't be written"):
        store.rename("new", "out/none")


def test_a_folder_is_removed_with_all_in_it_and_none_beside_it(store: Store) -> None:
    for name in ("run/a", "run/b/c/d", "run/_e", "run2/a", "run.json"):
        store.write(name, b"1")
    store.remove("run/a")
    assert store.names("run") == ["_e", "b"]
    store.remove("run")
    store.remove("run")
    assert store.names() == ["run.json", "run2"]
    assert store.names("run") == []


def test_names_skip_nothing_and_small_files_are_read_at_once(store: Store) -> None:
    for name in ("b", "a", "_hidden", ".dotted", "folder/x", "_folder/x"):
        store.write(f"all/{name}", name.encode())
    assert store.names("all") == sorted(["b", "a", "_hidden", ".dotted", "folder", "_folder"])
    assert store.read_all("all") == {name: name.encode() for name in ("b", "a", ".dotted")}
    store.write("top", b"1")
    assert store.read_all("") == {"top": b"1"}


@pytest.mark.slow
def test_more_files_than_a_page_of_a_listing(store: Store) -> None:
    content = {f"{i:05}.json": b"%d" % i for i in range(1_001)}
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda name: store.write(f"receipts/{name}", content[name]), content))
    assert store.names("receipts") == sorted(content)
    assert store.read_all("receipts") == content
    store.remove("receipts")
    assert store.names() == []


names = st.text(
    st.characters(exclude_categories=("C", "Zl", "Zp"), exclude_characters="/"), min_size=1, max_size=20
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(names.filter(lambda name: name not in (".", "..")), names.filter(lambda name: name not in (".", "..")))
def test_any_name_is_kept_as_it_is(store: Store, folder: str, name: str) -> None:
    store.remove(folder)
    assert store.create(f"{folder}/{name}", b"1")
    assert store.names(folder) == [name]
    store.publish(f"{folder}/{name}", f"{folder}/ü é/%41 日本")
    assert store.read(f"{folder}/ü é/%41 日本") == b"1"
    assert folder in store.names()
    assert store.shown(f"{folder}/{name}") == f"{store}/{folder}/{name}"
    store.remove(folder)
    assert store.names() == []


def test_a_lock_ends_with_its_block(store: Store) -> None:
    with store.lock("lock"):
        pass
    with store.lock("lock"):
        pass


# -- what only a disk has


def test_a_lock_is_held_by_one_and_freed_when_that_one_is_killed(tmp_path: Path) -> None:
    store = DiskStore(tmp_path)
    with store.lock("run/lock"), pytest.raises(BusyError), store.lock("run/lock"):
        pass
    code = (
        "import sys; from pathlib import Path; from engine.runtime.store.disk import DiskStore\n"
        f"with DiskStore(Path({str(tmp_path)!r})).lock('run/lock'):\n"
        "    print('held', flush=True); sys.stdin.read()"
    )
    pipe: Any = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", code], stdin=pipe, stdout=pipe, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(BusyError), store.lock("run/lock"):
            pass
        holder.send_signal(signal.SIGKILL)
        holder.wait()
        with store.lock("run/lock"):
            pass


@contextmanager
def _small_disk(most: int) -> Iterator[None]:
    """No file gets more bytes than this, as on a disk that is full."""
    old = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, old[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, old)
        signal.signal(signal.SIGXFSZ, before)


@pytest.mark.parametrize("method", ["create", "write"])
def test_a_full_disk_is_said_and_leaves_nothing(method: str, tmp_path: Path) -> None:
    store = DiskStore(tmp_path)
    with _small_disk(4096), pytest.raises(DataError) as caught:
        getattr(store, method)("state.json", bytes(10_000))
    assert str(caught.value) == f"{tmp_path}/state.json: can't be written: File too large"
    assert store.names() == []


def test_a_full_disk_without_links_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "hardlink_to", _refuse)
    store = DiskStore(tmp_path)
    store.write("attempt", bytes(10_000))
    with _small_disk(4096), pytest.raises(DataError, match="part: can't be written: File too large"):
        store.publish("attempt", "part")
    assert store.names() == ["attempt"]


@contextmanager
def _without_rights(folder: Path) -> Iterator[None]:
    """Neither to read nor to write in a folder, which the superuser could in spite of its mode."""
    user = os.geteuid()
    folder.chmod(0)
    if user == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(user)
        folder.chmod(0o700)


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that all may enter, as they may not enter pytest's own."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


def test_missing_rights_are_said(open_folder: Path) -> None:
    store = DiskStore(open_folder)
    store.write("folder/file", b"1")
    with _without_rights(open_folder / "folder"):
        for ask in (
            lambda: store.create("folder/new", b""),
            lambda: store.write("folder/new", b""),
            lambda: store.read("folder/file"),
            lambda: store.read_all("folder"),
            lambda: store.names("folder"),
            lambda: store.size("folder/file"),
            lambda: store.scratch("folder/more/new").__enter__(),
            lambda: store.publish("folder/file", "folder/new"),
            lambda: store.rename("folder/file", "folder/new"),
            lambda: store.remove("folder/file"),
            lambda: store.remove("folder"),
            lambda: store.lock("folder/lock").__enter__(),
        ):
            with pytest.raises(DataError, match="Permission denied"):
                ask()
    assert store.read_all("folder") == {"file": b"1"}
