"""``watchword keys``: the keys that access tokens are signed with."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from watchword.cli.terminal import Json, group, say, show_json, show_table, with_core
from watchword.core import Core
from watchword.keys import service as keys
from watchword.keys.service import SigningKey

commands = group("See, rotate and retire the keys that sign access tokens.")


@commands.command("list")
def list_keys(as_json: Json = False) -> None:
    """List the keys, oldest first."""

    async def work(core: Core) -> list[SigningKey]:
        async with core.database.read() as unit:
            return await keys.list_keys(unit)

    found = with_core(work)
    if as_json:
        show_json([{**asdict(key)} for key in found])
        return
    show_table(
        ("key", "algorithm", "status", "made", "signs since", "retires"),
        [(k.kid, k.algorithm, k.status, k.created_at, k.activated_at, k.retires_at) for k in found],
    )


@commands.command()
def rotate(
    at_once: Annotated[
        bool,
        typer.Option(
            "--at-once",
            help="Don't wait until every worker knows the next key: the present one has leaked.",
        ),
    ] = False,
) -> None:
    """Let the next key sign from now on; tokens signed before stay good."""

    async def work(core: Core) -> SigningKey:
        return await keys.rotate(core.database, core.sealer, core.settings, at_once=at_once)

    key = with_core(work)
    say(f"Key {key.kid} signs from now on; workers learn it in {keys.KEYS_RELOAD_SECONDS} seconds.")


@commands.command()
def retire(kid: Annotated[str, typer.Argument(help="The key's id, from `keys list`.")]) -> None:
    """Refuse what a replaced key signed, before its last token has expired."""

    async def work(core: Core) -> None:
        async with core.database.write() as unit:
            await keys.retire(unit, kid)

    with_core(work)
    say(f"Key {kid} is retired; workers learn it in {keys.KEYS_RELOAD_SECONDS} seconds.")
