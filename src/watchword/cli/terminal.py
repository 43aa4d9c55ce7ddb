"""What every command does: read the settings, open what it needs, print for people or machines."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, TypeAlias, TypeVar

import typer
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from watchword.core import Core
from watchword.errors import ConfigurationError, WatchwordError
from watchword.mount.compose import compose, dissolve
from watchword.settings.check import refuse_unsafe
from watchword.settings.load import load_settings, with_secret
from watchword.world import World

_Result = TypeVar("_Result")

Json: TypeAlias = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]
Yes: TypeAlias = Annotated[bool, typer.Option("--yes", "-y", help="Don't ask.")]

# In a pipe there is no width to keep to, and half a name is of no use.
_PIPE_WIDTH = 1000


class Misused(ConfigurationError):
    """The command is called in a way that can't work; the sentence says how to call it."""

    code = "misused"
    title = "Misused"


class FileUnusable(WatchwordError):
    """A file named on the command line can't be written."""

    code = "file_unusable"
    title = "File unusable"

    def __init__(self, file: Path, error: OSError) -> None:
        super().__init__(f"{file} can't be written: {error.strerror or error}.")


def group(description: str) -> typer.Typer:
    """A group of commands."""
    return typer.Typer(
        help=description, no_args_is_help=True, add_completion=False, rich_markup_mode=None
    )


def with_core(work: Callable[[Core], Awaitable[_Result]]) -> _Result:
    """Do ``work`` with what a Watchword holds, and let go of it; nothing runs beside.

    Raises ConfigurationError for settings that the service would not start with.
    """

    async def opened() -> _Result:
        world = World()
        loaded = load_settings()
        refuse_unsafe(loaded.settings)
        settings = with_secret(loaded, world).settings
        core = await compose(settings, world, None)
        try:
            return await work(core)
        finally:
            await dissolve(core)

    return asyncio.run(opened())


def say(text: str) -> None:
    """A line for people, on standard output, as it is: no markup, no folding."""
    print(text)


def warn(text: str) -> None:
    """A line for people, on standard error."""
    print(text, file=sys.stderr)


def show_json(value: object) -> None:
    """A value for programs, on standard output."""
    print(json.dumps(value, indent=2, ensure_ascii=False, default=_iso))


def show_table(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Rows for people."""
    console = Console(width=None if sys.stdout.isatty() else _PIPE_WIDTH, highlight=False)
    table = Table(*columns, box=box.SIMPLE_HEAD, pad_edge=False)
    for row in rows:
        table.add_row(*(Text(_cell(value), overflow="fold") for value in row))
    console.print(table)


def error_console() -> Console:
    """Where progress is shown: beside what the command gives, never in it."""
    return Console(stderr=True, highlight=False)


def ask(question: str, *, yes: bool) -> None:
    """Go on only if whoever types says so. Ends the command with exit code 1 otherwise."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise Misused("There is no terminal to ask at: add --yes to go on.")
    typer.confirm(question, abort=True, err=True)


def _iso(value: object) -> str:
    if not isinstance(value, datetime):
        raise TypeError(f"a {type(value).__name__} has no form for programs")
    return value.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")
    return str(value)
