"""docs/cli.md says all of each command, and nothing of what is not there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer

from watchword.cli.commands import app

PAGE = Path(__file__).parents[4] / "docs" / "cli.md"


def commands(command: Any, path: tuple[str, ...] = ("watchword",)) -> Iterator[tuple[str, Any]]:
    below = getattr(command, "commands", None)
    if below is None:
        yield " ".join(path), command
        return
    for name, one in below.items():
        yield from commands(one, (*path, name))


def test_each_command_has_a_section_with_each_of_its_options() -> None:
    sections = dict(
        re.findall(r"^## `(watchword[^`]*)`\n(.*?)(?=^## |\Z)", PAGE.read_text(), re.M | re.S)
    )
    there = dict(commands(typer.main.get_command(app)))
    assert sorted(sections) == sorted(there)
    for name, command in there.items():
        usage = re.search(r"```\n(.*?)```", sections[name], re.S)
        assert usage is not None, name
        options = {o for p in command.params for o in p.opts if o.startswith("--")}
        assert set(re.findall(r"--[a-z-]+", usage[1])) == options, name
        words = set(re.findall(r"\b[A-Z]+\b", usage[1]))
        arguments = {p.name.upper() for p in command.params if p.param_type_name == "argument"}
        assert arguments <= words, name
