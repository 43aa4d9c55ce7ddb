"""Making the engine: SQLite's pragmas, PostgreSQL's pool, and URLs as hosts hand them out."""

from __future__ import annotations

import os
import ssl
from contextlib import suppress
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DisconnectionError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool

from watchword.errors import ConfigurationError
from watchword.settings.schema import Settings

# Seconds that a transaction may idle between two of its statements.
IDLE_TRANSACTION_SECONDS = 30

# What libpq knows and asyncpg does not: hosts append these to the URLs that they hand out.
_LIBPQ_ONLY = ("channel_binding", "gssencmode", "options", "target_session_attrs")
# What may stand in the URL besides; the driver would answer anything else with a traceback.
_KNOWN = {
    *("sslmode", "ssl", "sslrootcert", "host", "port", "user", "password", "database"),
    *("command_timeout", "statement_cache_size", "prepared_statement_cache_size"),
}


def database_url(settings: Settings) -> URL:
    """The URL to connect to, with an async driver, from whatever form was set."""
    if settings.database_url is None:
        return URL.create("sqlite+aiosqlite", database=str(settings.data_dir / "watchword.db"))
    try:
        url = make_url(settings.database_url.reveal())
    except ArgumentError as error:
        raise ConfigurationError(
            "DATABASE_URL can't be read. Write it as postgresql://user:password@host/name "
            "or sqlite:///path/to/file.db"
        ) from error
    if url.drivername in {"postgres", "postgresql", "postgresql+asyncpg", "postgresql+psycopg2"}:
        url = url.set(drivername="postgresql+asyncpg")
        query = {name: value for name, value in url.query.items() if name not in _LIBPQ_ONLY}
        for name in query.keys() - _KNOWN:
            raise ConfigurationError(
                f"DATABASE_URL has the parameter {name!r}, which Watchword can't use. Take it away."
            )
        if "sslmode" in query:
            query["ssl"] = query.pop("sslmode")
        return url.set(query=query)
    if url.drivername in {"sqlite", "sqlite+aiosqlite"}:
        if url.database in (None, "", ":memory:"):
            raise ConfigurationError(
                "DATABASE_URL names SQLite in memory, which every connection would have for "
                "itself. Name a file: sqlite:///path/to/file.db"
            )
        return url.set(drivername="sqlite+aiosqlite")
    raise ConfigurationError(
        f"DATABASE_URL names {url.drivername!r}. Watchword runs on postgresql:// and sqlite:///"
    )


def make_engine(settings: Settings) -> AsyncEngine:
    """An engine for this process. Values never reach its log or its errors."""
    url = database_url(settings)
    options: dict[str, Any] = {
        "echo": settings.database_echo,
        # A failed statement must not carry a hash or an address into a log line.
        "hide_parameters": True,
        # Opened when first needed, and kept. What SQLAlchemy calls overflow is closed after each
        # use: under a steady load that is a new connection for every other request.
        "pool_size": settings.db_pool_size + settings.db_max_overflow,
        "max_overflow": 0,
        "pool_timeout": settings.db_pool_timeout,
        "pool_recycle": settings.db_pool_recycle,
        # Every unit ends its own transaction; a second rollback on return is a wasted trip.
        "pool_reset_on_return": None,
    }
    if url.get_backend_name() == "sqlite":
        _make_private(Path(str(url.database)))
        engine = create_async_engine(url, connect_args={"timeout": 10}, **options)
        event.listen(engine.sync_engine, "connect", _on_sqlite_connect)
        event.listen(engine.sync_engine, "begin", _on_sqlite_begin)
        return engine
    url, arguments = _with_tls(url)
    engine = create_async_engine(url, connect_args=arguments, **options)
    event.listen(engine.sync_engine, "connect", _on_postgres_connect)
    event.listen(engine.sync_engine, "checkout", _on_postgres_checkout)
    return engine


def lone_engine(settings: Settings) -> AsyncEngine:
    """An engine for one connection that is held for long, outside of the pool and transactions."""
    url, arguments = _with_tls(database_url(settings))
    return create_async_engine(
        url,
        hide_parameters=True,
        poolclass=NullPool,
        isolation_level="AUTOCOMMIT",
        connect_args=arguments,
    )


def _with_tls(url: URL) -> tuple[URL, dict[str, Any]]:
    """The URL, and the driver's arguments, with whose certificates to believe among them.

    The driver alone would verify by ~/.postgresql/root.crt, which a service does not have; the
    machine's own authorities are those that sign for most hosts of databases.
    """
    query, arguments = dict(url.query), {"timeout": 10}
    file, mode = query.pop("sslrootcert", None), query.get("ssl")
    if mode == "disable" or (file is None and mode not in ("verify-ca", "verify-full")):
        return url.set(query=query), arguments
    named = None if file in (None, "system") else str(file)
    try:
        context = ssl.create_default_context(cafile=named)
    except OSError as error:
        raise ConfigurationError(
            f"{named}, which DATABASE_URL names as sslrootcert, can't be read as certificates: "
            f"{error.strerror or error}"
        ) from error
    # As libpq has it: with authorities named, sslmode=require verifies them, and not the name.
    context.check_hostname = query.pop("ssl", "verify-full") == "verify-full"
    return url.set(query=query), {**arguments, "ssl": context}


def _make_private(file: Path) -> None:
    """The SQLite file holds hashes and addresses: nobody else on the machine reads them.

    A folder that is there already may be open to others: the file itself is not, and SQLite gives
    the files beside it the same mode. Where it can't be made, connecting says why.
    """
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigurationError(
            f"The database can't be kept in {file.parent}: {error.strerror}. Set DATA_DIR, or "
            "DATABASE_URL, to a place that this user may write."
        ) from error
    with suppress(OSError):
        os.close(os.open(file, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))


def _on_sqlite_connect(connection: Any, _record: Any) -> None:
    # The driver must not begin transactions of its own: ``_on_sqlite_begin`` does.
    connection.isolation_level = None
    cursor = connection.cursor()
    for pragma in (
        "journal_mode = WAL",
        "synchronous = FULL",  # an answered write survives a power cut
        "foreign_keys = ON",
        "busy_timeout = 10000",
    ):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _on_postgres_connect(connection: Any, _record: Any) -> None:
    # A process that is stopped in mid-transaction holds its locks, and its rows back, no longer
    # than this; readers of the revocations rely on it (revocations/cursor.py).
    cursor = connection.cursor()
    cursor.execute(f"SET idle_in_transaction_session_timeout = '{IDLE_TRANSACTION_SECONDS}s'")
    cursor.close()
    connection.commit()


def _on_postgres_checkout(connection: Any, _record: Any, _proxy: Any) -> None:
    # What a ping would ask, without its three round trips: the driver has noticed by itself when
    # the server closed the connection, and the pool then makes another.
    if connection.driver_connection.is_closed():
        raise DisconnectionError


def _on_sqlite_begin(connection: Connection) -> None:
    # A writer takes the lock at once: one that upgrades in mid-transaction can fail with
    # "database is locked" at any statement, however long the busy time-out. A reader needs no
    # transaction: each of its statements sees what is committed.
    if connection.get_execution_options().get("watchword_writes", True):
        connection.exec_driver_sql("BEGIN IMMEDIATE")
