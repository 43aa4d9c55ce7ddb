"""Databases for tests: migrated once, copied for each test."""

from __future__ import annotations

import asyncio
import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import asyncpg

from watchword.db.engine import make_engine
from watchword.migrations import apply
from watchword.secret import Secret
from watchword.settings.schema import Settings


def postgres_url() -> str | None:
    """The server that the test command has started."""
    return os.environ.get("WATCHWORD_TEST_POSTGRES")


def migrate(settings: Settings) -> None:
    """Bring a database to the newest schema."""

    async def work() -> None:
        engine = make_engine(settings)
        await apply.upgrade(engine)
        await engine.dispose()

    asyncio.run(work())


def sqlite_template(folder: Path) -> Path:
    """A migrated SQLite file, to be copied."""
    migrate(Settings(data_dir=folder))
    return folder / "watchword.db"


def copy_of(template: Path, folder: Path) -> None:
    """A copy of the template as the database of ``folder``."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    shutil.copyfile(template, folder / "watchword.db")


def run_sql(statement: str, database: str = "postgres") -> None:
    """Run one statement on the test server."""

    async def work() -> None:
        connection = await asyncpg.connect(_with_database(database))
        try:
            await connection.execute(statement)
        finally:
            await connection.close()

    asyncio.run(work())


@contextmanager
def postgres_database(template: str | None = None) -> Iterator[str]:
    """A database of its own on the test server, dropped afterwards; gives its URL."""
    name = f"ww_{uuid.uuid4().hex}"
    run_sql(f"CREATE DATABASE {name}" + (f" TEMPLATE {template}" if template else ""))
    try:
        yield _with_database(name)
    finally:
        run_sql(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


@contextmanager
def postgres_template() -> Iterator[str]:
    """A migrated database, to be copied; gives its name."""
    with postgres_database() as url:
        migrate(Settings(database_url=Secret(url)))
        yield url.rpartition("/")[2]


def _with_database(name: str) -> str:
    server = postgres_url()
    if server is None:
        raise RuntimeError("WATCHWORD_TEST_POSTGRES is not set: run the tests by `make test`")
    return f"{server.rpartition('/')[0]}/{name}"
