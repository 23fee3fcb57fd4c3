"""The store that an address lies in."""

from __future__ import annotations

from pathlib import Path

from engine.runtime.io.address import name_of
from engine.runtime.io.storage_options import StorageOptions
from engine.runtime.store import Store
from engine.runtime.store.disk import DiskStore
from engine.source import Address


def open_store(address: Address, storage: StorageOptions | None = None) -> tuple[Store, str]:
    """The folder that holds an address, and the name in it.

    Raises
    ------
    DataError
        It is a URL that no store is called by.
    """
    if isinstance(address, Path):
        path = address.absolute()
        return DiskStore(path.parent), path.name
    from engine.runtime.store.objects import ObjectStore

    url = address.rstrip("/")
    return ObjectStore(url.rpartition("/")[0], storage), name_of(url)
