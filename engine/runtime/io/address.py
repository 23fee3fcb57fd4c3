"""Names in paths of this machine and in URLs."""

from __future__ import annotations

from pathlib import Path

from engine.source import Address

STORES = ("s3", "gs", "az", "abfs", "abfss")
"""What URLs of object stores begin with."""


def is_url(address: Address) -> bool:
    """Whether it is the URL of a file or folder in an object store.

    >>> is_url("s3://lake/scores"), is_url("postgresql://host/db scores"), is_url(Path("a"))
    (True, False, False)
    """
    return isinstance(address, str) and address.partition("://")[0].lower() in STORES


def name_of(address: Address) -> str:
    """The last part.

    >>> name_of("s3://lake/scores.csv.gz"), name_of(Path("data/scores"))
    ('scores.csv.gz', 'scores')
    """
    return address.name if isinstance(address, Path) else address.rstrip("/").rpartition("/")[2]


def beside(address: Address, name: str) -> Address:
    """What has another name in the same folder.

    >>> beside("s3://lake/scores.csv", "rejects.csv")
    's3://lake/rejects.csv'
    """
    if isinstance(address, Path):
        return address.with_name(name)
    return f"{address.rstrip('/').rpartition('/')[0]}/{name}"


def inside(folder: Address, name: str) -> Address:
    """What has a name in a folder.

    >>> inside("s3://lake/scores", "part.csv")
    's3://lake/scores/part.csv'
    """
    return folder / name if isinstance(folder, Path) else f"{folder.rstrip('/')}/{name}"


def file_ending(address: Address) -> str:
    """The ending, with that of a compressed file's content; empty if there is none.

    >>> file_ending("s3://lake/scores.csv.gz"), file_ending("scores")
    ('.csv.gz', '')
    """
    name = name_of(address)
    bare, dot, last = name.rpartition(".")
    if not dot or not bare:
        return ""
    if last.lower() in ("gz", "zst") and "." in bare.lstrip("."):
        return f".{bare.rpartition('.')[2]}.{last}"
    return f".{last}"
