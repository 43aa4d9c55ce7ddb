"""``watchword users``: making, listing, showing and deactivating accounts."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import Annotated

import typer

from watchword.accounts import service as accounts
from watchword.accounts.account import Account, UserRole
from watchword.accounts.schemas import User
from watchword.admin import service as admin
from watchword.cli.terminal import Json, Misused, group, say, show_json, show_table, with_core
from watchword.core import Core
from watchword.errors import UserNotFound
from watchword.passwords import registration
from watchword.secret import Secret
from watchword.sessions import service as sessions
from watchword.sessions.service import Session

commands = group("Make, list, show, deactivate, import and export users.")

# Far more than any password policy takes, and not a file given by mistake.
_MOST_PASSWORD_BYTES = 65_536


@commands.command()
def create(
    username: Annotated[str, typer.Argument(help="Name to sign in with.")],
    email: Annotated[str, typer.Argument(help="E-mail address.")],
    role: Annotated[UserRole, typer.Option(help="What the user may do.")] = UserRole.USER,
    full_name: Annotated[
        str | None, typer.Option(help="Name shown to people.", show_default=False)
    ] = None,
    verified: Annotated[
        bool, typer.Option("--verified", help="Take the address as verified; no mail is sent.")
    ] = False,
    password_stdin: Annotated[
        bool, typer.Option("--password-stdin", help="Read the password from standard input.")
    ] = False,
) -> None:
    """Make a user. The password is asked for twice, or read from standard input."""
    new = registration.checked(username, email, full_name)
    new = replace(new, role=role, is_verified=verified)
    password = _password_from_stdin() if password_stdin else _password_asked_for()
    account = with_core(lambda core: registration.create(core, new, password, actor=None))
    say(f"Made {account.role.value} {account.username} (id {account.id}).")


@commands.command("list")
def list_users(
    role: Annotated[
        UserRole | None, typer.Option(help="Only users of this role.", show_default=False)
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=1_000_000, help="At most so many.")] = 100,
    as_json: Json = False,
) -> None:
    """List users, oldest first."""

    async def work(core: Core) -> list[Account]:
        async with core.database.read() as unit:
            return await accounts.page(unit, skip=0, limit=limit + 1, role=role)

    found = with_core(work)
    shown = found[:limit]
    if as_json:
        show_json([_on_the_wire(account) for account in shown])
        return
    columns = ("id", "username", "email", "role", "active", "verified", "made", "last sign-in")
    show_table(columns, [_summary(account) for account in shown])
    if len(found) > limit:
        say(f"There are more: add --limit {limit * 10}, or use `watchword users export`.")


@commands.command()
def show(
    name: Annotated[str, typer.Argument(help="Username or address.")], as_json: Json = False
) -> None:
    """Show a user and where it is signed in."""

    async def work(core: Core) -> tuple[Account, list[Session]]:
        async with core.database.read() as unit:
            account = await accounts.find_by_login(unit, name)
            if account is None:
                raise UserNotFound(f"There is no user {name}")
            return account, await sessions.live(unit, account.id)

    account, live = with_core(work)
    user = _on_the_wire(account)
    places = [
        {
            "id": str(one.id),
            "device": one.device,
            "address": one.address,
            "created_at": one.created_at,
            "last_seen": one.last_seen,
        }
        for one in live
    ]
    if as_json:
        show_json({**user, "sessions": places})
        return
    show_table(("field", "value"), list(user.items()))
    if places:
        show_table(
            ("session", "device", "address", "began", "last seen"),
            [list(place.values()) for place in places],
        )
    else:
        say("Not signed in anywhere.")


@commands.command()
def deactivate(name: Annotated[str, typer.Argument(help="Username or address.")]) -> None:
    """Deactivate a user and end all its sessions."""
    account = with_core(lambda core: admin.deactivate(core, name))
    say(f"{account.username} is deactivated and signed out.")


def _summary(a: Account) -> list[object]:
    state = [a.role.value, a.is_active, a.is_verified]
    return [a.id, a.username, a.email, *state, a.created_at, a.last_login]


def _on_the_wire(account: Account) -> dict[str, object]:
    return User.model_validate(account).model_dump(mode="json")


def _password_from_stdin() -> Secret:
    octets = sys.stdin.buffer.read(_MOST_PASSWORD_BYTES + 1)
    if len(octets) > _MOST_PASSWORD_BYTES:
        raise Misused("What stands on standard input is too long for a password.")
    try:
        text = octets.decode("utf-8")
    except UnicodeDecodeError:
        raise Misused("The password on standard input is not UTF-8 text.") from None
    # `echo` and here-documents end it with a line break, which nobody could type when signing in.
    text = text.removesuffix("\n").removesuffix("\r")
    if not text:
        raise Misused("There is no password on standard input.")
    return Secret(text)


def _password_asked_for() -> Secret:
    if not sys.stdin.isatty():
        raise Misused("There is no terminal to ask for the password at: use --password-stdin.")
    return Secret(typer.prompt("Password", hide_input=True, confirmation_prompt=True, err=True))
