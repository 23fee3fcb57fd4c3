"""The server that tests use, and schemas on it."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any

import pyarrow as pa
from adbc_driver_manager import Error
from adbc_driver_postgresql import dbapi

_GIVEN = os.environ.get("ENGINE_TEST_POSTGRES")
URL = _GIVEN or "postgresql://postgres@127.0.0.1:5432/test"


@dataclass(frozen=True)
class Schema:
    """A schema; tables in it are said as ``{schema.name}.table``."""

    name: str

    def run(self, *statements: str) -> None:
        with dbapi.connect(URL, autocommit=True) as connection, connection.cursor() as cursor:
            cursor.execute(f"SET search_path = {self.name}, public")
            for statement in statements:
                cursor.execute(statement)

    def table(self, query: str) -> pa.Table:
        with dbapi.connect(URL, autocommit=True) as connection, connection.cursor() as cursor:
            cursor.execute(f"SET search_path = {self.name}, public")
            cursor.execute(query)
            return cursor.fetch_arrow_table()

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        return [tuple(row.values()) for row in self.table(query).to_pylist()]

    def tables(self) -> list[str]:
        own = f"relnamespace = '{self.name}'::regnamespace AND relkind = 'r'"
        return [name for (name,) in self.rows(f"SELECT relname FROM pg_class WHERE {own} ORDER BY 1")]

    def options(self, table: str, **options: Any) -> dict[str, Any]:
        """A section of a config."""
        return {"use": "postgres", "url": URL, "table": f"{self.name}.{table}", **options}


@contextmanager
def made(schema: Schema | None = None) -> Iterator[Schema]:
    schema = schema or Schema(f"engine_test_{uuid.uuid4().hex[:10]}")
    schema.run(f"CREATE SCHEMA {schema.name}")
    try:
        yield schema
    finally:
        schema.run("SET client_min_messages = error", f"DROP SCHEMA {schema.name} CASCADE")


@cache
def missing(url: str) -> str | None:
    """Why tests can't run; the database is made if need be."""
    try:
        dbapi.connect(url).close()
    except Error as error:
        if "does not exist" not in str(error):
            if _GIVEN:
                raise
            return f"no PostgreSQL answers at {url}; set ENGINE_TEST_POSTGRES"
        base, _, name = url.rpartition("/")
        with dbapi.connect(f"{base}/postgres", autocommit=True) as connection, connection.cursor() as cursor:
            cursor.execute(f'CREATE DATABASE "{name}"')
    return None
