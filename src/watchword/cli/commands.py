"""All commands in one tree."""

from __future__ import annotations

from typing import Annotated

import typer

from watchword.cli import db, keys, sessions, settings, users
from watchword.cli.serving import openapi, serve, version
from watchword.cli.transfer import export_users, import_users

# Pretty tracebacks show variables, and in those stand passwords.
app = typer.Typer(
    help="Watchword: authentication for FastAPI, as a service of its own.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


def _print_version(wanted: bool) -> None:
    if wanted:
        version()
        raise typer.Exit


@app.callback()
def _root(
    _version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version."
        ),
    ] = False,
) -> None:
    """Watchword: authentication for FastAPI, as a service of its own."""


app.command()(serve)
app.add_typer(db.commands, name="db")
users.commands.command("import")(import_users)
users.commands.command("export")(export_users)
app.add_typer(users.commands, name="users")
app.add_typer(keys.commands, name="keys")
app.add_typer(sessions.commands, name="sessions")
app.add_typer(settings.commands, name="settings")
app.command()(openapi)
app.command()(version)
