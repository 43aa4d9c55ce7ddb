"""``watchword users import`` and ``watchword users export``."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Annotated, TextIO

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskProgressColumn, TextColumn

from watchword.accounts import service as accounts
from watchword.accounts.schemas import User
from watchword.cli.rows import read_accounts
from watchword.cli.terminal import FileUnusable, error_console, say, warn, with_core
from watchword.core import Core
from watchword.passwords import transfer
from watchword.passwords.transfer import Arrival, Seen, Turned

# One transaction each: on SQLite, the service's writes wait for it.
_BATCH = 200


def import_users(
    file: Annotated[
        Path, typer.Argument(exists=True, dir_okay=False, readable=True, help="JSON Lines or .csv")
    ],
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be refused; change nothing.")
    ] = False,
) -> None:
    """Import users, with the password hashes of another service.

    Fields: username, email, full_name, role, is_active, is_verified, created_at, password_hash.
    Exits with 1 if any line was refused; the others are imported.
    """
    size = file.stat().st_size
    imported, refused = with_core(lambda core: _import(core, file, size, dry_run=dry_run))
    say(f"{imported} {'would be imported' if dry_run else 'imported'}, {refused} refused.")
    if refused:
        raise typer.Exit(1)


def export_users(
    file: Annotated[str, typer.Argument(help="File to write, or - for standard output.")] = "-",
    with_hashes: Annotated[
        bool, typer.Option("--with-hashes", help="Password hashes too: keep the file secret.")
    ] = False,
) -> None:
    """Export all users as JSON Lines, which `users import` reads."""
    if file == "-":
        count = with_core(lambda core: _export(core, sys.stdout, with_hashes=with_hashes))
    else:
        with _private_file(Path(file)) as stream:
            count = with_core(lambda core: _export(core, stream, with_hashes=with_hashes))
    warn(f"{count} exported.")


async def _import(core: Core, file: Path, size: int, *, dry_run: bool) -> tuple[int, int]:
    seen = Seen()
    imported = refused = 0
    waiting: list[Arrival] = []

    async def settle() -> None:
        nonlocal imported, refused
        if dry_run:
            turned = await transfer.try_out(core, waiting, seen)
        else:
            turned = await transfer.take_in(core, waiting)
        for one in turned:
            _tell(one)
        refused += len(turned)
        imported += len(waiting) - len(turned)
        waiting.clear()

    with _progress() as progress:
        task = progress.add_task("importing", total=size)
        for read in read_accounts(file, lambda count: progress.advance(task, count)):
            if isinstance(read, Turned):
                _tell(read)
                refused += 1
                continue
            waiting.append(read)
            if len(waiting) == _BATCH:
                await settle()
        if waiting:
            await settle()
    return imported, refused


async def _export(core: Core, stream: TextIO, *, with_hashes: bool) -> int:
    count = 0
    async with core.database.read() as unit:
        total = (await accounts.counts(unit))["total_users"]
    with _progress() as progress:
        task = progress.add_task("exporting", total=total)
        async for people in transfer.everybody(core):
            hashes = await transfer.hashes_of(core, people) if with_hashes else {}
            for account in people:
                line = User.model_validate(account).model_dump(mode="json")
                if account.id in hashes:
                    line["password_hash"] = hashes[account.id].reveal()
                stream.write(json.dumps(line, ensure_ascii=False) + "\n")
            count += len(people)
            progress.advance(task, len(people))
    return count


def _progress() -> Progress:
    console = error_console()
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        MofNCompleteColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )


def _tell(turned: Turned) -> None:
    warn(f"line {turned.line}: {turned.why}")


@contextmanager
def _private_file(file: Path) -> Iterator[TextIO]:
    """A file that nobody else may read, and that takes its name only when it is whole."""
    draft = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        raise FileUnusable(file, error) from error
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
            yield stream
        draft.replace(file)
    finally:
        with suppress(FileNotFoundError):
            draft.unlink()
