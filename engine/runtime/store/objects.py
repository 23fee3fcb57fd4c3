"""A folder in an object store: S3 and what speaks like it, Google's and Azure's."""

from __future__ import annotations

import tempfile
import uuid
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

from engine.errors import DataError
from engine.runtime.io.files import SinkError, reason, writing
from engine.runtime.io.storage_options import StorageOptions
from engine.runtime.store.connecting import connected, split_url
from engine.runtime.store.refusals import absent_bucket, refusal, status

__all__ = ["ObjectStore"]

_READERS = 32
"""Small objects that are read at once: each waits for the network."""

_PART = 8 << 20
"""Bytes of a part of a large upload, four of which are under way at once."""

_MOST_PARTS = 9_000
"""S3 takes 10,000."""

_MOST_COPIED = 5 << 30
"""Bytes that S3 copies at once; what is larger goes through this machine."""

_MAKER = "maker"
"""The attribute of a small object that says which call made it."""


class ObjectStore:
    """Objects below a prefix of a bucket; keys are taken from the environment.

    The store must have conditional writes (``If-None-Match``), as Amazon S3, MinIO, Cloudflare R2, Google
    Cloud Storage and Azure have.

    Parameters
    ----------
    url : str
        ``s3://bucket/folder``; ``gs://`` and ``az://`` likewise. The folder is taken as it is written.
    options : StorageOptions, optional
        How the store is reached; else as the environment says.
    patience : float
        Seconds after which a request is given up: it is tried again for two thirds of them.

    Raises
    ------
    DataError
        The URL or an option is wrong. The store is not asked yet.

    Examples
    --------
    >>> store = ObjectStore("s3://lake/scores/", StorageOptions(region="eu-west-1"))
    >>> str(store), store.shown("part.parquet")
    ('s3://lake/scores', 's3://lake/scores/part.parquet')
    """

    def __init__(self, url: str, options: StorageOptions | None = None, *, patience: float = 30.0) -> None:
        self._scheme, self._bucket, self._prefix = split_url(url)
        self._options = options or StorageOptions()
        self._at = connected(self._scheme, self._bucket, self._options, patience)
        self._copies_on_condition = True

    def __str__(self) -> str:
        return "/".join(filter(None, (f"{self._scheme}://{self._bucket}", self._prefix)))

    def shown(self, name: str) -> str:
        return f"{self}/{name}"

    def create(self, name: str, data: bytes) -> bool:
        import obstore
        from obstore.exceptions import AlreadyExistsError

        maker = uuid.uuid4().hex
        with self._told(name, "written"):
            for _ in range(5):
                try:
                    obstore.put(self._at, self._key(name), data, mode="create", attributes={_MAKER: maker})
                    return True
                except AlreadyExistsError:
                    # a request whose answer is lost is sent again, and then finds what it made itself
                    found = self._maker(name)
                if found is not None:
                    return found == maker
        raise DataError(f"{self.shown(name)}: can't be written: others make and remove it all the time")

    def write(self, name: str, data: bytes) -> None:
        import obstore

        with self._told(name, "written"):
            obstore.put(self._at, self._key(name), data)

    def read(self, name: str) -> bytes | None:
        import obstore

        with self._told(name, "read"):
            try:
                return bytes(obstore.get(self._at, self._key(name)).bytes())
            except FileNotFoundError as error:
                self._check_bucket(error)
                return None

    def read_all(self, folder: str) -> dict[str, bytes]:
        files = [name for name in self._listed(folder)[1] if not name.startswith("_")]
        found: dict[str, bytes] = {}
        with ThreadPoolExecutor(_READERS) as pool:
            for start in range(0, len(files), 1000):
                some = files[start : start + 1000]
                read = pool.map(self.read, ["/".join(filter(None, (folder, name))) for name in some])
                found |= {name: data for name, data in zip(some, read, strict=True) if data is not None}
        return found

    def names(self, folder: str = "") -> Sequence[str]:
        folders, files = self._listed(folder)
        return sorted({*folders, *files})

    def size(self, name: str) -> int | None:
        import obstore

        with self._told(name, "read"):
            try:
                return int(obstore.head(self._at, self._key(name))["size"])
            except FileNotFoundError:
                pass
            try:  # the answer to HEAD doesn't say whether the bucket is missing
                return int(obstore.get(self._at, self._key(name)).meta["size"])
            except FileNotFoundError as error:
                self._check_bucket(error)
                return None

    def holds(self, name: str, size: int, digest: str) -> bool:
        return self.size(name) == size

    @contextmanager
    def scratch(self, name: str) -> Iterator[_Scratch]:
        with _temporary(self.shown(name)) as folder:
            yield _Scratch(folder / name.rpartition("/")[2], name, self)

    @contextmanager
    def local(self, name: str) -> Iterator[Path]:
        with _temporary(self.shown(name)) as folder:
            path = folder / name.rpartition("/")[2]
            self._download(name, path)
            yield path

    def publish(self, name: str, target: str) -> None:
        from obstore.exceptions import AlreadyExistsError, BaseError

        with self._told(target, "written", source=name), suppress(AlreadyExistsError):
            if self._copies_on_condition:
                try:
                    self._copy(name, target, overwrite=False)
                    return
                except BaseError as error:
                    if status(error) != 501:
                        raise
                    self._copies_on_condition = False  # to be told so takes all our patience
            # the store has no such copy: between the look and the copy another may publish
            if self.size(target) is None:
                self._copy(name, target)

    def rename(self, name: str, target: str) -> None:
        import obstore

        with self._told(target, "written", source=name):
            try:
                self._copy(name, target)
            except FileNotFoundError:
                if self.size(target) is None:
                    raise
                return
            obstore.delete(self._at, self._key(name))

    def remove(self, name: str) -> None:
        import obstore

        key = self._key(name)
        with self._told(name, "removed"):
            try:
                obstore.delete(self._at, key)
            except FileNotFoundError as error:
                self._check_bucket(error)
            for some in obstore.list(self._at, key, chunk_size=1000):
                obstore.delete(self._at, [item["path"] for item in some])

    @contextmanager
    def lock(self, name: str) -> Iterator[bool]:
        yield False

    def upload(self, path: Path, name: str) -> None:
        """Copy a file of this machine, in parts if it is large; the name has all of it or stays as it was."""
        import obstore

        with self._told(name, "written"):
            part = max(_PART, -(-path.stat().st_size // _MOST_PARTS))
            obstore.put(self._at, self._key(name), path, chunk_size=part, max_concurrency=4)

    def _copy(self, name: str, target: str, *, overwrite: bool = True) -> None:
        import obstore
        from obstore.exceptions import BaseError

        try:
            obstore.copy(self._at, self._key(name), self._key(target), overwrite=overwrite)
        except BaseError as error:
            size = self.size(name) if status(error) == 400 else None
            if size is None or size <= _MOST_COPIED:
                raise
            if overwrite or self.size(target) is None:
                with self.local(name) as path:
                    self.upload(path, target)

    def _download(self, name: str, path: Path) -> None:
        import obstore

        with self._told(name, "read"):
            found = obstore.get(self._at, self._key(name))
            written = 0
            with writing(path), path.open("wb") as file:
                for some in found.stream(min_chunk_size=_PART):
                    written += file.write(some)
            if written != found.meta["size"]:
                ended = f"it ended after {written:,} of {found.meta['size']:,} bytes"
                raise DataError(f"{self.shown(name)}: can't be read: {ended}")

    def _listed(self, folder: str) -> tuple[list[str], list[str]]:
        """The names of the folders and of the objects in a folder."""
        import obstore

        key = self._key(folder)
        with self._told(folder, "listed"):
            found = obstore.list_with_delimiter(self._at, key or None)
        paths = [item["path"] for item in found["objects"]]
        # what other tools make to show an empty folder has the folder's own name
        return (
            [path.rpartition("/")[2] for path in found["common_prefixes"]],
            [path.rpartition("/")[2] for path in paths if path != key],
        )

    def _maker(self, name: str) -> str | None:
        """Which call made an object; empty: none that says so; None: it is gone."""
        import obstore

        try:
            return str(obstore.get(self._at, self._key(name)).attributes.get(_MAKER, ""))
        except FileNotFoundError as error:
            self._check_bucket(error)
            return None

    def _key(self, name: str) -> str:
        return "/".join(filter(None, (self._prefix, name)))

    def _check_bucket(self, error: FileNotFoundError) -> None:
        """Raise the error if not only the object is missing."""
        if absent_bucket(error):
            raise error

    @contextmanager
    def _told(self, name: str, done: str, source: str = "") -> Iterator[None]:
        """Say which object couldn't be read or written, and why."""
        from obstore.exceptions import BaseError

        try:
            yield
        except (BaseError, OSError, ValueError) as error:
            asked = self._options.address() if self._scheme == "s3" else None
            why = refusal(error, self._scheme, self._bucket, asked, self._options.asked_region())
            of = f" (from {self.shown(source)})" if source else ""
            where = self.shown(name) if name else str(self)
            where = where if where.isprintable() else repr(where)
            kind = SinkError if done in ("written", "removed") else DataError
            raise kind(f"{where}: can't be {done}{of}: {why}") from None


class _Scratch:
    """A file of this machine, which is copied to the store when it is whole."""

    def __init__(self, path: Path, name: str, store: ObjectStore) -> None:
        self.path = path
        self._name = name
        self._store = store

    def keep(self) -> None:
        self._store.upload(self.path, self._name)


@contextmanager
def _temporary(shown: str) -> Iterator[Path]:
    try:
        folder = tempfile.TemporaryDirectory(prefix="engine-")
    except OSError as error:
        raise DataError(
            f"{shown}: there is no temporary folder for it: {reason(error)}; TMPDIR names another"
        ) from None
    with folder as path:
        yield Path(path)
