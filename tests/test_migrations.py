"""The schema, forward and back, on both databases, from empty and with data."""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from fastapi import FastAPI
from sqlalchemy import Connection, MetaData, inspect, select, text
from sqlalchemy.ext.asyncio import AsyncEngine
from starlette.testclient import TestClient

from tests.databases import migrate, postgres_database
from watchword import Watchword
from watchword.db.engine import make_engine
from watchword.db.metadata import metadata
from watchword.errors import ConfigurationError, DatabaseUnavailable
from watchword.migrations import apply
from watchword.secret import Secret
from watchword.settings.load import load_settings
from watchword.settings.schema import Settings
from watchword.testing import Running
from watchword.testing.world import Clock

pytestmark = pytest.mark.shapes("mounted-sqlite", "mounted-postgres")

T = TypeVar("T")
# Every table reflected, as text that can be compared: columns, then rows.
Contents = dict[str, tuple[list[str], list[list[str]]]]

VERSIONS = ScriptDirectory(str(Path(apply.__file__).parent))
STEPS = [step.revision for step in reversed(list(VERSIONS.walk_revisions()))]
ALL_TABLES = {table.name for table in metadata.sorted_tables}


@pytest.fixture
def empty(shape: str, tmp_path: Path) -> Iterator[dict[str, Any]]:
    """Settings that name a database with nothing in it."""
    basics = {
        "data_dir": tmp_path / "empty",
        "secret_key": "Kq3vT9zLw2Xc8Rb5Yn7Pm4Hd6Jg1Fs0UaEiO",
        "hash_memory_kib": 8,
        "hash_iterations": 1,
    }
    if shape.endswith("sqlite"):
        yield basics
    else:
        with postgres_database() as url:
            yield {**basics, "database_url": url}


def settings_of(values: dict[str, Any]) -> Settings:
    return load_settings(env={}, env_file=None, **values).settings


def work_on(values: dict[str, Any], work: Callable[[AsyncEngine], Awaitable[T]]) -> T:
    async def run() -> T:
        engine = make_engine(settings_of(values))
        try:
            return await work(engine)
        finally:
            await engine.dispose()

    return asyncio.run(run())


def look(values: dict[str, Any], question: Callable[[Connection], T]) -> T:
    async def ask(engine: AsyncEngine) -> T:
        async with engine.begin() as connection:
            return await connection.run_sync(question)

    return work_on(values, ask)


def go_to(values: dict[str, Any], revision: str) -> None:
    work_on(values, lambda engine: apply.downgrade(engine, revision))


def contents(connection: Connection) -> Contents:
    """All rows of all tables but the version's."""
    found = MetaData()
    found.reflect(connection)
    return {
        table.name: (
            [column.name for column in table.columns],
            sorted([repr(value) for value in row] for row in connection.execute(select(table))),
        )
        for table in found.sorted_tables
        if table.name != apply.VERSION_TABLE
    }


def version(connection: Connection) -> object:
    return connection.execute(text(f"SELECT version_num FROM {apply.VERSION_TABLE}")).scalar()  # noqa: S608


@contextmanager
def served(values: dict[str, Any]) -> Iterator[Running]:
    """A Watchword in development mode on this database."""
    loaded = load_settings(env={}, env_file=None, **{**values, "environment": "development"})
    auth, app = Watchword(loaded), FastAPI()
    auth.mount(app)
    with TestClient(app, base_url="http://localhost:8000") as client:
        yield Running(auth, client, Clock())


def fill_every_table(running: Running) -> None:
    """As people fill it: accounts, sessions, mail, a pending reset, a logout, keys, events."""
    at = running.prefix
    ada = running.login_as(username="ada", role="admin")
    running.login_as(username="bob", verified=False).post(f"{at}/auth/logout").raise_for_status()
    running.client.post(
        f"{at}/auth/password/reset/request", json={"email": "ada@example.com"}
    ).raise_for_status()
    ada.patch(f"{at}/users/{ada.id}", json={"full_name": "Ada Lovelace"}).raise_for_status()


# --- forward and back ------------------------------------------------------------------------


def test_from_empty_forward_back_to_nothing_and_forward_again(empty: dict[str, Any]) -> None:
    migrate(settings_of(empty))
    first = look(empty, schema_of)
    assert set(first) == ALL_TABLES
    for revision in [*reversed(STEPS[:-1]), "base"]:
        go_to(empty, revision)
    assert look(empty, schema_of) == {}
    for revision in STEPS:
        work_on(empty, lambda engine, to=revision: apply.upgrade(engine, to))  # type: ignore[misc]
    assert look(empty, schema_of) == first


def test_data_survives_every_step_forward(empty: dict[str, Any]) -> None:
    with served(empty) as running:
        fill_every_table(running)
    filled = look(empty, contents)
    assert {name for name, (_, rows) in filled.items() if not rows} == set()

    # What every start of a development service and every deploy does.
    migrate(settings_of(empty))
    assert look(empty, contents) == filled

    for newer, older in zip(reversed(STEPS), [*reversed(STEPS[:-1]), "base"], strict=True):
        go_to(empty, older)
        before = look(empty, contents)
        work_on(empty, lambda engine, to=newer: apply.upgrade(engine, to))  # type: ignore[misc]
        after = look(empty, contents)
        for name, (columns, rows) in before.items():
            if name in after:
                assert _of_columns(after[name], columns) == _of_columns((columns, rows), columns)
        go_to(empty, older)


def _of_columns(table: tuple[list[str], list[list[str]]], wanted: list[str]) -> list[list[str]]:
    columns, rows = table
    kept = [columns.index(name) for name in wanted if name in columns]
    return sorted([row[place] for place in kept] for row in rows)


def test_after_the_way_back_and_forward_the_service_starts_anew(empty: dict[str, Any]) -> None:
    with served(empty) as running:
        fill_every_table(running)
    go_to(empty, "base")
    with served(empty) as running:
        assert running.login_as(username="ada").get(f"{running.prefix}/auth/me").is_success


def test_people_sign_in_after_an_upgrade_that_found_their_accounts(empty: dict[str, Any]) -> None:
    with served(empty) as running:
        before = running.login_as(username="ada")
    migrate(settings_of(empty))
    with served(empty) as running:
        at = f"{running.prefix}/auth"
        assert running.client.get(f"{at}/me", headers=before.headers).json()["username"] == "ada"
        assert running.client.post(
            f"{at}/refresh", json={"refresh_token": before.refresh_token}
        ).is_success
        assert running.sign_in("ada").id == before.id


# --- the steps and the tables in code agree --------------------------------------------------


def schema_of(connection: Connection) -> dict[str, Any]:
    """All that the database knows of each table, but for the version's."""
    seen = inspect(connection)
    return {
        name: {
            "columns": [
                (c["name"], repr(c["type"]), c["nullable"], c["default"])
                for c in seen.get_columns(name)
            ],
            "primary": _plain(seen.get_pk_constraint(name)),
            "foreign": sorted(map(_plain, seen.get_foreign_keys(name))),
            "unique": sorted(map(_plain, seen.get_unique_constraints(name))),
            "checks": sorted(map(_plain, seen.get_check_constraints(name))),
            "indexes": sorted(map(_plain, seen.get_indexes(name))),
        }
        for name in seen.get_table_names()
        if name != apply.VERSION_TABLE
    }


def _plain(value: Any) -> str:
    if isinstance(value, dict):
        return repr(sorted((key, _plain(inner)) for key, inner in value.items()))
    # The condition of an index is an object whose repr names its place in memory.
    return str(value)


def test_autogenerate_finds_nothing_left_to_do(empty: dict[str, Any]) -> None:
    migrate(settings_of(empty))

    def difference(connection: Connection) -> list[Any]:
        options = {
            "version_table": apply.VERSION_TABLE,
            "compare_type": True,
            "compare_server_default": True,
        }
        context = MigrationContext.configure(connection, opts=options)
        return compare_metadata(context, metadata)  # type: ignore[no-any-return]

    assert look(empty, difference) == []


def test_the_steps_make_what_the_tables_in_code_make(empty: dict[str, Any]) -> None:
    """Checks, deletion rules and conditions of indexes too, which autogenerate overlooks."""
    migrate(settings_of(empty))
    migrated = look(empty, schema_of)
    go_to(empty, "base")
    look(empty, metadata.create_all)
    assert look(empty, schema_of) == migrated


def test_an_id_is_never_given_twice_on_a_migrated_database(empty: dict[str, Any]) -> None:
    """A token of a deleted user must not become the next one's."""
    with served(empty) as running:
        admin = running.login_as(role="admin")
        gone = running.login_as()
        admin.delete(f"{running.prefix}/users/{gone.id}").raise_for_status()
        assert running.login_as().id > gone.id


# --- beside a host's own ---------------------------------------------------------------------


def test_a_hosts_own_versions_and_tables_are_left_alone(empty: dict[str, Any]) -> None:
    def be_a_host(connection: Connection) -> None:
        connection.execute(text("CREATE TABLE alembic_version (version_num VARCHAR(32))"))
        connection.execute(text("INSERT INTO alembic_version VALUES ('the-hosts-own')"))
        connection.execute(text("CREATE TABLE orders (id INTEGER PRIMARY KEY, what TEXT)"))
        connection.execute(text("INSERT INTO orders VALUES (1, 'tea')"))

    look(empty, be_a_host)
    before = look(empty, contents)
    migrate(settings_of(empty))
    assert look(empty, version) == STEPS[-1]
    assert {k: v for k, v in look(empty, contents).items() if k in before} == before
    go_to(empty, "base")
    assert look(empty, contents) == before


# --- several at once -------------------------------------------------------------------------

UPGRADE_WHEN_TOLD = """
import asyncio, sys
from watchword.db.engine import make_engine
from watchword.migrations import apply
from watchword.secret import Secret
from watchword.settings.schema import Settings

async def upgrade(url):
    engine = make_engine(Settings(database_url=Secret(url)))
    await apply.upgrade(engine)
    await engine.dispose()

print("ready", flush=True)
for line in sys.stdin:
    asyncio.run(upgrade(line.strip()))
    print("upgraded", flush=True)
"""


def test_processes_that_upgrade_at_the_same_moment_all_succeed(
    empty: dict[str, Any], tmp_path: Path
) -> None:
    url = empty.get("database_url", f"sqlite:///{tmp_path / 'empty' / 'watchword.db'}")
    command = [sys.executable, "-c", UPGRADE_WHEN_TOLD]
    processes = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    try:
        for process in processes:
            assert _line(process) == "ready"
        for _ in range(4):
            _tell(processes, url)
            assert [_line(process) for process in processes] == ["upgraded"] * 3
            assert look(empty, version) == STEPS[-1]
            go_to(empty, "base")
    finally:
        for process in processes:
            process.communicate()
    assert [process.returncode for process in processes] == [0, 0, 0]


def _line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def _tell(processes: list[subprocess.Popen[str]], url: str) -> None:
    for process in processes:
        assert process.stdin is not None
        process.stdin.write(f"{url}\n")
        process.stdin.flush()


# --- starting on it --------------------------------------------------------------------------

PRODUCTION = {"environment": "production", "mail": "off", "public_url": "https://id.example.org"}


def start(values: dict[str, Any]) -> None:
    auth, app = Watchword(load_settings(env={}, env_file=None, **values)), FastAPI()
    auth.mount(app)
    with TestClient(app) as client:
        assert client.get("/api/v1/health/database").is_success


def test_production_refuses_an_empty_database_and_says_what_to_type(empty: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError) as refused:
        start({**empty, **PRODUCTION})
    assert re.search(r"The database \S+ is empty", refused.value.sentence)
    assert "watchword db upgrade" in refused.value.sentence
    assert "AUTO_MIGRATE=true" in refused.value.sentence
    assert look(empty, contents) == {}


def test_production_starts_on_a_current_schema_and_auto_migrate_makes_one(
    empty: dict[str, Any],
) -> None:
    start({**empty, **PRODUCTION, "auto_migrate": True})
    start({**empty, **PRODUCTION})


def test_development_migrates_by_itself_unless_told_not_to(empty: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match="watchword db upgrade"):
        start({**empty, "environment": "development", "auto_migrate": False})
    start({**empty, "environment": "development"})


@pytest.mark.parametrize("mode", ["production", "development"])
def test_a_schema_of_a_newer_version_is_named_as_such(empty: dict[str, Any], mode: str) -> None:
    """``db upgrade`` would be the wrong thing to type: this code knows no way from there."""
    migrate(settings_of(empty))
    look(empty, lambda c: c.execute(text("UPDATE watchword_version SET version_num = '9999'")))
    with pytest.raises(ConfigurationError) as refused:
        start({**empty, **PRODUCTION, "environment": mode})
    assert "9999" in refused.value.sentence
    assert "newer version of Watchword" in refused.value.sentence
    assert "db upgrade" not in refused.value.sentence


def test_a_revision_that_there_is_not_is_refused_and_changes_nothing(
    empty: dict[str, Any],
) -> None:
    migrate(settings_of(empty))
    before = look(empty, schema_of)
    for ask in (apply.upgrade, apply.downgrade):
        with pytest.raises(ConfigurationError, match="nonsense"):
            work_on(empty, lambda engine, ask=ask: ask(engine, "nonsense"))  # type: ignore[misc]
    assert look(empty, schema_of) == before


def test_a_database_that_is_not_there_is_said_to_be_unavailable() -> None:
    gone = {"database_url": Secret("postgresql://nobody@127.0.0.1:9/none")}
    with pytest.raises(DatabaseUnavailable):
        work_on(gone, apply.state)
