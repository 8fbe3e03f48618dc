# SPDX-License-Identifier: Apache-2.0
"""Where the index is kept: one schema, in SQLite with the standard library or in PostgreSQL through SQLAlchemy."""

from __future__ import annotations

import contextlib
import os
import re
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from monai_ethics._optional import need
from monai_ethics.errors import InputError

__all__ = ["INDEXES", "INDEX_NAME", "TABLES", "DamagedStoreError", "Store", "open_store"]

INDEX_NAME = "index.sqlite"
VERSION = 2
SCHEMA = f"monai_ethics.lineage/{VERSION}"
_OURS = re.compile(r"monai_ethics\.lineage/(\d{1,9})")
_NO_PLACE = (
    "Expected a place where an index can be kept: got one that cannot be written or is no SQLite file. "
    "Give another with `--store`."
)
_CHECKED = 64_000_000  # bytes of a SQLite file that is looked through when it is opened
_LOCK = 0x6D6F6E6169  # one writer at a time in PostgreSQL

#: table -> columns with their types, the key, and whether rows are found by their key alone
TABLES: Mapping[str, tuple[str, str]] = {
    "lineage_meta": ("key TEXT, value TEXT NOT NULL", "key"),
    "lineage_source": (
        "id INTEGER, log_id TEXT NOT NULL UNIQUE, size BIGINT NOT NULL, root TEXT NOT NULL, status TEXT NOT NULL, "
        "key_id TEXT",
        "id",
    ),
    "lineage_node": (
        "id INTEGER, name TEXT NOT NULL UNIQUE, kind TEXT NOT NULL, type TEXT, synthetic TEXT",
        "id",
    ),
    "lineage_role": ("id INTEGER, name TEXT NOT NULL UNIQUE", "id"),
    "lineage_edge": ("parent INTEGER, child INTEGER, role SMALLINT, source INTEGER", "parent, child, role, source"),
    "lineage_holds": ("node INTEGER, source INTEGER", "node, source"),
    "lineage_gap": ("node INTEGER, source INTEGER, why TEXT", "node, source, why"),
    "lineage_payload": ("source INTEGER, commitment TEXT", "source, commitment"),
    # what follows is computed from the tables above whenever they change
    "lineage_told": (
        "id INTEGER, grouped SMALLINT, made SMALLINT, depth INTEGER, unseen SMALLINT, hushed SMALLINT",
        "id",
    ),
    "lineage_output": ("maker INTEGER, item INTEGER", "maker, item"),
    "lineage_short": ("parent INTEGER, child INTEGER, hop SMALLINT", "parent, child, hop"),
}
INDEXES = {
    "lineage_edge_up": "lineage_edge (child, parent, role)",
    "lineage_short_up": "lineage_short (child, parent, hop)",
}


class Store(Protocol):
    """What an index needs of a database. SQL names its parameters ``:name`` and is the same for both."""

    dialect: str

    def execute(self, sql: str, **values: Any) -> list[tuple[Any, ...]]:
        """Run one statement; the rows it gives."""

    def insert(self, table: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
        """Add rows, leaving out those that are there."""

    def transaction(self) -> contextlib.AbstractContextManager[None]:
        """All of a block or nothing of it, one writer at a time."""

    def close(self) -> None:
        """Release the database."""


def open_store(place: str | Path | None) -> Store:
    """Open an index, making its tables where there are none.

    A SQLite index of an older version is emptied, and one named `INDEX_NAME` that is damaged is made anew: logs fill
    them again. A damaged file of another name may be something else, and is refused.

    Args:
        place: a file; a URL ``postgresql+psycopg://...`` or ``sqlite:///file``; ``None`` for one in memory.

    Raises:
        InputError: if the place is no such thing, cannot be reached, or holds another version of the schema.
        MissingDependencyError: if PostgreSQL is asked for and SQLAlchemy or psycopg is not installed.
    """
    text = "" if place is None else str(place)
    if text.startswith("postgresql"):
        store: Store = PostgresStore(text)
    elif "://" in text and not text.startswith("sqlite:///"):
        raise InputError(
            "Expected a store of `postgresql+psycopg://...` or `sqlite:///...`: got another kind of URL. Use one."
        )
    else:
        return _open_file(text.removeprefix("sqlite:///") or ":memory:")
    return _prepared(store)


class DamagedStoreError(InputError):
    """The file is no SQLite database, or one with broken pages."""


def _open_file(path: str) -> Store:
    try:
        return _prepared(SqliteStore(path))
    except DamagedStoreError:
        if Path(path).name != INDEX_NAME:
            raise
    for ending in ("", "-journal", "-wal", "-shm"):
        Path(path + ending).unlink(missing_ok=True)
    return _prepared(SqliteStore(path))


def _prepared(store: Store) -> Store:
    try:
        _prepare(store)
    except BaseException:
        store.close()
        raise
    return store


def _prepare(store: Store) -> None:
    with store.transaction():
        if isinstance(store, SqliteStore) and store.older():
            store.empty()
        for name, (columns, key) in TABLES.items():
            bare = store.dialect == "sqlite" and "," in key
            end = " WITHOUT ROWID" if bare else ""
            store.execute(f"CREATE TABLE IF NOT EXISTS {name} ({columns}, PRIMARY KEY ({key})){end}")
        for name, of in INDEXES.items():
            store.execute(f"CREATE INDEX IF NOT EXISTS {name} ON {of}")
        store.insert("lineage_meta", ("key", "value"), [("schema", SCHEMA)])
        found = store.execute("SELECT value FROM lineage_meta WHERE key = 'schema'")
    if found != [(SCHEMA,)]:
        raise InputError(f"Expected an index of {SCHEMA}: got another version. Delete it; it is rebuilt from the logs.")


class SqliteStore:
    """SQLite, readable by its owner only; what is deleted from it is overwritten."""

    dialect = "sqlite"

    def __init__(self, path: str) -> None:
        try:
            if path != ":memory:":
                os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600))
            self._db = sqlite3.connect(path, isolation_level=None, timeout=30.0)
        except (OSError, sqlite3.Error) as error:
            raise InputError(_NO_PLACE) from error
        try:
            for setting in ("secure_delete = ON", "synchronous = NORMAL", "temp_store = MEMORY", "cache_size = -65536"):
                self._db.execute(f"PRAGMA {setting}")
            if path != ":memory:" and os.path.getsize(path) <= _CHECKED:
                found = self._db.execute("PRAGMA quick_check(1)").fetchall()
                if found != [("ok",)]:
                    raise sqlite3.DatabaseError("damaged")
        except sqlite3.Error as error:
            self._db.close()
            raise (DamagedStoreError if _is_damage(error) else InputError)(_NO_PLACE) from error

    def older(self) -> bool:
        """Whether an earlier version of this package made the tables."""
        if not self.execute("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'lineage_meta'"):
            return False
        said = self.execute("SELECT value FROM lineage_meta WHERE key = 'schema'")
        number = _OURS.fullmatch(str(said[0][0])) if said else None
        return number is not None and int(number[1]) < VERSION

    def empty(self) -> None:
        """Take out all tables of an index, whatever version made them."""
        tables = self.execute("SELECT name FROM sqlite_master WHERE type = 'table' AND name GLOB 'lineage_*'")
        for (name,) in tables:
            self.execute('DROP TABLE "{}"'.format(name.replace('"', '""')))

    def execute(self, sql: str, **values: Any) -> list[tuple[Any, ...]]:
        with _told():
            return self._db.execute(sql, values).fetchall()

    def insert(self, table: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
        marks = ", ".join("?" * len(columns))
        with _told():
            self._db.executemany(f"INSERT OR IGNORE INTO {table} ({', '.join(columns)}) VALUES ({marks})", rows)

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        with _told():
            self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            with contextlib.suppress(sqlite3.Error):  # a damaged file has ended the transaction itself
                self._db.execute("ROLLBACK")
            raise
        with _told():
            self._db.execute("COMMIT")

    def close(self) -> None:
        self._db.close()


class PostgresStore:
    """PostgreSQL through SQLAlchemy and psycopg; rows come in through ``COPY``."""

    dialect = "postgresql"

    def __init__(self, url: str) -> None:
        sqlalchemy = need("sqlalchemy", extra="store")
        need("psycopg", extra="store")
        self._text = sqlalchemy.text
        self._error: type[Exception] = sqlalchemy.exc.SQLAlchemyError
        self._held = False  # inside a transaction
        try:
            self._engine = sqlalchemy.create_engine(
                url, isolation_level="READ COMMITTED", connect_args={"client_encoding": "utf8"}
            )
            self._connection = self._engine.connect()
        except (self._error, ImportError, ValueError):
            # the URL holds a password: nothing of it is repeated
            raise InputError(
                "Expected a PostgreSQL server at the store's URL: got no connection. Check the URL and the server."
            ) from None

    def execute(self, sql: str, **values: Any) -> list[tuple[Any, ...]]:
        with _told(self._error):
            result = self._connection.execute(self._text(sql), values)
            rows = [tuple(row) for row in result] if result.returns_rows else []
            if not self._held:
                self._connection.commit()
            return rows

    def insert(self, table: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
        names = ", ".join(columns)
        with _told(self._error):
            self._run(f"CREATE TEMP TABLE IF NOT EXISTS stage_{table} AS SELECT {names} FROM {table} WITH NO DATA")
            self._run(f"TRUNCATE stage_{table}")
            with (
                self._connection.connection.cursor() as cursor,
                cursor.copy(f"COPY stage_{table} ({names}) FROM STDIN") as copy,
            ):
                for row in rows:
                    copy.write_row(row)
            self._run(f"INSERT INTO {table} ({names}) SELECT {names} FROM stage_{table} ON CONFLICT DO NOTHING")
            if not self._held:
                self._connection.commit()

    def _run(self, sql: str) -> None:
        self._connection.execute(self._text(sql))

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        with _told(self._error):
            self._run(f"SELECT pg_advisory_xact_lock({_LOCK})")
        self._held = True
        try:
            yield
        except BaseException:
            self._connection.rollback()
            raise
        finally:
            self._held = False
        with _told(self._error):
            self._connection.commit()

    def close(self) -> None:
        self._connection.close()
        self._engine.dispose()


@contextlib.contextmanager
def _told(*kinds: type[Exception]) -> Iterator[None]:
    """One sentence in place of the database's, which may repeat a value or a path."""
    expected: tuple[type[Exception], ...] = (sqlite3.Error, *kinds)
    try:
        yield
    except expected as error:
        kind = DamagedStoreError if _is_damage(error) else InputError
        raise kind(
            f"Expected a working store of the index: got '{type(error).__name__}'. "
            "It can be deleted and rebuilt from the logs."
        ) from error


def _is_damage(error: Exception) -> bool:
    return type(error) is sqlite3.DatabaseError  # no database, or a broken page; errors of use are of its subclasses
