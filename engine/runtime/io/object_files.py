"""Files in an object store, through `pyarrow.fs`."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, Literal

import pyarrow as pa

from engine.errors import DataError, did_you_mean
from engine.runtime.io.files import reading
from engine.runtime.io.storage import Enters, Found, StoredFile
from engine.runtime.io.storage_options import StorageOptions
from engine.source import Address

_BUFFER = 1 << 20
"""Bytes that are asked for at once where text is read from the beginning."""
_PATIENCE = 20
"""Seconds for a connection, and for an answer."""
_ATTEMPTS = 4


class ObjectFiles:
    """The files of a bucket; keys are taken from the environment.

    Parameters
    ----------
    url : str
        Of any file or folder in it.
    options : StorageOptions

    Raises
    ------
    DataError
        The URL or an option is wrong. The store is not asked yet.
    """

    def __init__(self, url: str, options: StorageOptions) -> None:
        self._scheme = url.partition("://")[0]
        self._root = url.partition("://")[2].partition("/")[0]
        self._fs = self._connected(options)

    def kind(self, address: Address) -> Literal["file", "folder"] | None:
        from pyarrow.fs import FileType

        found = self._info(address)
        if found.type == FileType.NotFound:
            return None
        return "folder" if found.type == FileType.Directory else "file"

    def file(self, address: Address) -> StoredFile:
        found = self.now(address)
        if found is None:
            raise DataError(f"{address}: no such file{self.near(address)}")
        if found[0] == 0:
            raise DataError(f"{address}: the file is empty (0 bytes)")
        return StoredFile(address, *found, self)

    def now(self, address: Address) -> tuple[int, str] | None:
        from pyarrow.fs import FileType

        found = self._info(address)
        return (found.size, str(found.mtime_ns)) if found.type == FileType.File else None

    def walk(self, folder: Address, enters: Enters, depth: int | None) -> Iterator[Found]:
        from pyarrow.fs import FileSelector, FileType

        base = self._path(folder)
        with reading(folder):
            infos = self._fs.get_file_info(FileSelector(base, recursive=depth != 1))
        files = [info for info in infos if info.type == FileType.File]
        for info in sorted(files, key=lambda info: info.path.split("/")):
            parts = tuple(info.path[len(base) + 1 :].split("/"))
            if all(map(enters, parts[:-1])) and (depth is None or len(parts) <= depth):
                address = f"{str(folder).rstrip('/')}/{'/'.join(parts)}"
                yield Found(parts, address, StoredFile(address, info.size, str(info.mtime_ns), self))

    def open(self, address: Address) -> pa.NativeFile:
        return self._fs.open_input_file(self._path(address))

    def stream(self, address: Address) -> pa.NativeFile:
        return self._fs.open_input_stream(self._path(address), compression=None, buffer_size=_BUFFER)

    def near(self, address: Address) -> str:
        from pyarrow.fs import FileSelector, FileType

        try:
            if self._fs.get_file_info(self._root.partition("@")[0]).type == FileType.NotFound:
                return f"; there is no bucket {self._root!r}"
            folder = self._path(address).rpartition("/")[0]
            infos = self._fs.get_file_info(FileSelector(folder, allow_not_found=True))
        except (OSError, pa.ArrowException):
            return ""
        return "." + did_you_mean(str(address).rpartition("/")[2], [info.base_name for info in infos])

    def _path(self, address: Address) -> str:
        root, slash, key = str(address).partition("://")[2].rstrip("/").partition("/")
        return f"{root.partition('@')[0]}{slash}{key}"

    def _info(self, address: Address) -> Any:
        with reading(address):
            return self._fs.get_file_info(self._path(address))

    def _connected(self, options: StorageOptions) -> Any:
        from pyarrow import fs

        where = f"{self._scheme}://{self._root}"
        if self._scheme != "s3" and (options.endpoint or options.region):
            raise DataError(f"{where}: only s3:// takes an endpoint or a region")
        with reading(where):
            if self._scheme == "gs":
                return fs.GcsFileSystem(anonymous=options.anonymous)
            if self._scheme != "s3":
                return self._azure(options)
            endpoint, region = options.address(), options.asked_region()
            if endpoint is None and region is None:
                with suppress(OSError):  # what is wrong is told when the bucket is asked
                    region = fs.resolve_s3_region(self._root)
            return fs.S3FileSystem(
                anonymous=options.anonymous,
                region=region,
                endpoint_override=endpoint,
                connect_timeout=_PATIENCE,
                request_timeout=_PATIENCE,
                retry_strategy=fs.AwsStandardS3RetryStrategy(max_attempts=_ATTEMPTS),
            )

    def _azure(self, options: StorageOptions) -> Any:
        from pyarrow import fs

        # abfs://container@account.dfs.core.windows.net/path, or the account of the environment
        container, at, host = self._root.partition("@")
        account = host.partition(".")[0] if at else os.environ.get("AZURE_STORAGE_ACCOUNT_NAME")
        if not account:
            raise DataError(f"{self._scheme}://{container}: set AZURE_STORAGE_ACCOUNT_NAME")
        if options.anonymous:
            raise DataError(f"{self._scheme}://{container}: Azure is never asked without keys")
        return fs.AzureFileSystem(
            account,
            account_key=os.environ.get("AZURE_STORAGE_ACCOUNT_KEY"),
            sas_token=os.environ.get("AZURE_STORAGE_SAS_TOKEN"),
        )
