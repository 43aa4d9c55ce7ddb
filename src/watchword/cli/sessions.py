"""``watchword sessions``: ending them, for one user or, after a leak, for everybody."""

from __future__ import annotations

from typing import Annotated

import typer

from watchword.accounts import service as accounts
from watchword.cli.terminal import Misused, Yes, ask, group, say, with_core
from watchword.core import Core
from watchword.errors import UserNotFound
from watchword.sessions import service as sessions

commands = group("End sessions.")

_REASON = "ended by an operator"


@commands.command()
def revoke(
    user: Annotated[
        str | None,
        typer.Option("--user", help="Username or address of one user.", show_default=False),
    ] = None,
    everybody: Annotated[bool, typer.Option("--all", help="Every session of everybody.")] = False,
    yes: Yes = False,
) -> None:
    """End the sessions of one user, or all there are.

    The running service refuses their tokens within REVOCATION_POLL_SECONDS.
    """
    if (user is None) is not everybody:
        raise Misused("Name one user with --user NAME, or everybody with --all.")

    async def of_user(core: Core, name: str) -> int:
        async with core.database.write() as unit:
            account = await accounts.find_by_login(unit, name)
            if account is None:
                raise UserNotFound(f"There is no user {name}")
            return await sessions.end_all(unit, core.settings, account.id, reason=_REASON)

    async def of_everybody(core: Core) -> int:
        async with core.database.write() as unit:
            return await sessions.end_everybodys(unit, core.settings, reason=_REASON)

    if user is None:
        ask("End every session of everybody? All must sign in again.", yes=yes)
        ended = with_core(of_everybody)
    else:
        name = user
        ended = with_core(lambda core: of_user(core, name))
    say(f"{ended} {'session' if ended == 1 else 'sessions'} ended.")
