"""The first administrator: a one-time link, offered for as long as there is none."""

from __future__ import annotations

from datetime import timedelta

from watchword.accounts import service as accounts
from watchword.accounts.account import UserRole
from watchword.accounts.verification import link
from watchword.core import Core
from watchword.secret import Secret
from watchword.tokens import onetime
from watchword.tokens.onetime import Purpose

SETUP_PATH = "/account/setup"
_LIVES = timedelta(hours=24)


async def offer(core: Core) -> Secret | None:
    """A link that makes the first administrator, or none where there is one already.

    An earlier link is void from now on. The link is for the terminal, never for a log.
    """
    async with core.database.write() as unit:
        if await accounts.page(unit, skip=0, limit=1, role=UserRole.ADMIN):
            return None
        await onetime.void(unit, None, Purpose.FIRST_ADMIN)
        token = await onetime.issue(
            unit, Purpose.FIRST_ADMIN, user_id=None, subject=None, lives=_LIVES
        )
    return link(core, SETUP_PATH, token)
