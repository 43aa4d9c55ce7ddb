"""``watchword db``: the schema, forward and back. Needs no secret, only the database."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Annotated, Any, TypeVar

import typer

from watchword.cli.terminal import Json, Yes, ask, group, say, show_json
from watchword.db.engine import make_engine
from watchword.migrations import apply
from watchword.migrations.apply import SchemaState
from watchword.settings.load import load_settings

commands = group("Bring the database's schema forward and back.")

_Result = TypeVar("_Result")


@commands.command()
def upgrade(
    revision: Annotated[str, typer.Argument(help="The step to stop at.")] = "head",
) -> None:
    """Bring the schema up to date, or up to REVISION."""

    async def work(engine: Any) -> tuple[SchemaState, SchemaState]:
        before = await apply.state(engine)
        await apply.upgrade(engine, revision)
        return before, await apply.state(engine)

    _tell_change(*_with_engine(work))


@commands.command()
def downgrade(
    revision: Annotated[
        str, typer.Argument(help="The step to go back to; base for an empty database.")
    ],
    yes: Yes = False,
) -> None:
    """Take the schema back to REVISION. What later steps added is lost."""
    ask(f"Take the schema back to {revision}? What later steps added is lost.", yes=yes)

    async def work(engine: Any) -> tuple[SchemaState, SchemaState]:
        before = await apply.state(engine)
        await apply.downgrade(engine, revision)
        return before, await apply.state(engine)

    _tell_change(*_with_engine(work))


@commands.command()
def current(as_json: Json = False) -> None:
    """Print the step that the database is at, and the one that this version needs."""
    found = _with_engine(apply.state)
    if as_json:
        show_json(
            {"current": found.current, "wanted": found.wanted, "is_current": found.is_current}
        )
    else:
        say(f"The database is {_name(found.current)}; this version needs {found.wanted}.")


@commands.command()
def check() -> None:
    """Exit with 0 if the schema is what this version needs, with 1 if not."""
    found = _with_engine(apply.state)
    say(f"The database is {_name(found.current)}; this version needs {found.wanted}.")
    if not found.is_current:
        say("Type: watchword db upgrade")
        raise typer.Exit(1)


def _with_engine(work: Callable[[Any], Awaitable[_Result]]) -> _Result:
    async def opened() -> _Result:
        engine = make_engine(load_settings().settings)
        try:
            return await work(engine)
        finally:
            await engine.dispose()

    return asyncio.run(opened())


def _tell_change(before: SchemaState, after: SchemaState) -> None:
    if before.current == after.current:
        say(f"The database is {_name(after.current)}: nothing to do.")
    else:
        say(f"The database was {_name(before.current)} and is {_name(after.current)} now.")


def _name(revision: str | None) -> str:
    return "empty" if revision is None else f"at {revision}"
