"""``watchword settings``: what holds, where it came from, and what is wrong with it."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from watchword.cli.terminal import Json, group, say, show_json, show_table, warn
from watchword.settings.check import refuse_unsafe, warnings_of
from watchword.settings.describe import describe
from watchword.settings.load import load_settings

commands = group("See and check the settings.")


@commands.command()
def show(
    as_json: Json = False,
    changed: Annotated[bool, typer.Option("--changed", help="Only those that were set.")] = False,
) -> None:
    """Print each setting, what it is and where it came from; secrets masked."""
    found = [one for one in describe(load_settings()) if not (changed and one.source == "default")]
    if as_json:
        show_json([asdict(one) for one in found])
    else:
        rows = [(one.name, one.value, one.source) for one in found]
        show_table(("setting", "value", "from"), rows)


@commands.command()
def check() -> None:
    """Say what is wrong with the settings. Exits with 2 if the service would not start."""
    settings = load_settings().settings
    for warning in warnings_of(settings):
        warn(f"Warning: {warning}")
    refuse_unsafe(settings)
    say("The settings will do.")
