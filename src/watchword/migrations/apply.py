"""Running the steps: one process at a time, in one transaction, or not at all."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import AsyncEngine

from watchword.db.unit import unavailable
from watchword.errors import ConfigurationError

VERSION_TABLE = "watchword_version"

# Any number, the same in every process: two that migrate at once take turns.
_ADVISORY_LOCK = 7_243_906_117


@dataclass(frozen=True, slots=True)
class SchemaState:
    """Which step the database is at, and which the code wants."""

    current: str | None
    wanted: str

    @property
    def is_current(self) -> bool:
        """Whether they agree."""
        return self.current == self.wanted


async def upgrade(engine: AsyncEngine, revision: str = "head") -> None:
    """Bring the schema forward to ``revision``. Raises ConfigurationError for one there is not."""
    await _run(engine, lambda config: command.upgrade(config, revision))


async def downgrade(engine: AsyncEngine, revision: str) -> None:
    """Take the schema back to ``revision``; ``base`` is nothing at all.

    Raises ConfigurationError for a revision there is not.
    """
    await _run(engine, lambda config: command.downgrade(config, revision))


async def state(engine: AsyncEngine) -> SchemaState:
    """Where the database is and where it should be. Raises DatabaseUnavailable."""
    wanted = ScriptDirectory.from_config(_config()).get_current_head() or ""
    with unavailable():
        async with engine.connect() as connection:
            current = await connection.run_sync(_current)
    return SchemaState(current, wanted)


async def require_current(engine: AsyncEngine) -> None:
    """Raise ConfigurationError, saying what to type, unless the schema is what the code wants."""
    found = await state(engine)
    _refuse_unknown(found.current)
    if not found.is_current:
        at = "empty" if found.current is None else f"at {found.current}"
        # An empty one is often not the one that was meant: DATABASE_URL forgotten, another folder.
        raise ConfigurationError(
            f"The database {engine.url.database} is {at} and this version needs {found.wanted}. "
            "Run `watchword db upgrade`, or set AUTO_MIGRATE=true"
        )


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    config.set_main_option("version_locations", str(Path(__file__).parent / "versions"))
    config.set_main_option("path_separator", "os")
    return config


async def _run(engine: AsyncEngine, step: Callable[[Config], None]) -> None:
    def work(connection: Connection) -> None:
        if connection.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:n)"), {"n": _ADVISORY_LOCK})
        _refuse_unknown(_current(connection))
        config = _config()
        config.attributes["connection"] = connection
        try:
            step(config)
        except CommandError as error:
            raise ConfigurationError(f"{error}. `watchword db current` says where it is") from error

    with unavailable():
        async with engine.begin() as connection:
            await connection.run_sync(work)


def _refuse_unknown(current: str | None) -> None:
    # "Upgrade" would be the wrong word to somebody who has just gone back to an older version.
    steps = {step.revision for step in ScriptDirectory.from_config(_config()).walk_revisions()}
    if current is not None and current not in steps:
        raise ConfigurationError(
            f"The database is at {current}, which a newer version of Watchword made. Run that "
            "version, or go back to the backup that was made before its upgrade"
        )


def _current(connection: Connection) -> str | None:
    context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE})
    return context.get_current_revision()
