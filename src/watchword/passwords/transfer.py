"""Moving accounts in from another service, and out to one, passwords' hashes included.

Nobody is written to: an account that moves is no news to its owner.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field

from watchword.accounts import service as accounts
from watchword.accounts.account import Account, NewAccount
from watchword.accounts.names import fold
from watchword.audit import service as audit
from watchword.audit.events import Event
from watchword.core import Core
from watchword.db.unit import ReadUnit, Unit
from watchword.errors import EmailTaken, UsernameTaken, WatchwordError
from watchword.hashing.foreign import UNUSABLE, recognise
from watchword.passwords import _queries as queries
from watchword.secret import Secret

_PAGE = 500


@dataclass(frozen=True, slots=True)
class Arrival:
    """One account to import. ``line`` is where it stands in the file.

    Without a hash, or with one that stands for "no password", its owner sets a password by a reset.
    """

    line: int
    account: NewAccount
    password_hash: Secret | None


@dataclass(frozen=True, slots=True)
class Turned:
    """A line that was not imported, and why."""

    line: int
    why: str


@dataclass(slots=True)
class Seen:
    """The names of a dry run: the unique index, for accounts that are not written."""

    usernames: set[str] = field(default_factory=set)
    emails: set[str] = field(default_factory=set)


def checked_hash(stored: str | None) -> Secret | None:
    """A hash as it is kept, or none for an account without a password. Raises InvalidInput."""
    if stored is None or recognise(stored) == UNUSABLE:
        return None
    return Secret(stored)


async def take_in(core: Core, arrivals: Sequence[Arrival]) -> list[Turned]:
    """Import accounts in one transaction; gives those whose name or address is somebody's.

    Raises DatabaseUnavailable; then none of them is imported.
    """
    turned = []
    async with core.database.write() as unit:
        for arrival in arrivals:
            try:
                await _create(unit, arrival)
            except (UsernameTaken, EmailTaken) as error:
                turned.append(Turned(arrival.line, error.sentence))
        if len(turned) < len(arrivals):
            count = len(arrivals) - len(turned)
            await audit.record(unit, Event.USERS_IMPORTED, count=count)
    return turned


async def try_out(core: Core, arrivals: Sequence[Arrival], seen: Seen) -> list[Turned]:
    """What ``take_in`` would turn away, with nothing written."""
    turned = []
    async with core.database.read() as unit:
        for arrival in arrivals:
            try:
                await _refuse_taken(unit, arrival.account, seen)
            except WatchwordError as error:
                turned.append(Turned(arrival.line, error.sentence))
    return turned


async def everybody(core: Core) -> AsyncIterator[list[Account]]:
    """All accounts, some hundreds at a time, each part read in a transaction of its own."""
    last = 0
    while True:
        async with core.database.read() as unit:
            found = await accounts.after(unit, last, limit=_PAGE)
        if not found:
            return
        yield found
        last = found[-1].id


async def hashes_of(core: Core, people: Sequence[Account]) -> dict[int, Secret]:
    """The stored hashes of these accounts, by user id; those without a password are left out."""
    async with core.database.read() as unit:
        found = await queries.hashes_of(unit, [account.id for account in people])
    return {user_id: Secret(stored) for user_id, stored in found.items()}


async def _create(unit: Unit, arrival: Arrival) -> None:
    account = await accounts.create(unit, arrival.account)
    if arrival.password_hash is not None:
        await queries.put(unit, account.id, arrival.password_hash.reveal())


async def _refuse_taken(unit: ReadUnit, new: NewAccount, seen: Seen) -> None:
    username, email = fold(new.username), fold(new.email)
    if username in seen.usernames:
        raise UsernameTaken
    if email in seen.emails:
        raise EmailTaken
    await accounts.refuse_taken(unit, username=new.username, email=new.email)
    seen.usernames.add(username)
    seen.emails.add(email)
