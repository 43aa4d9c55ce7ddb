"""Verifying an address, and changing it: the new one is proved before it replaces the old.

Tokens are bound to the address they speak of, and die when the account's has become another.
"""

from __future__ import annotations

from datetime import timedelta

from watchword.accounts import service
from watchword.accounts.account import Account
from watchword.accounts.names import fold
from watchword.audit import service as audit
from watchword.audit.events import Event
from watchword.core import Core
from watchword.db.unit import Unit
from watchword.email import outbox
from watchword.email.messages import EmailChange, EmailChangeAsked, EmailChangedNotice, Verification
from watchword.errors import InvalidOneTimeToken, UserNotFound
from watchword.limits.service import Action, network_of
from watchword.secret import Secret
from watchword.tokens import onetime
from watchword.tokens.onetime import Purpose
from watchword.trace import current_trace

VERIFY_PATH = "/account/verify"


async def request(core: Core, account: Account) -> Secret:
    """Send the verification mail again; gives the token, for development's answer.

    Raises TooManyRequests.
    """
    network = network_of(current_trace().address)
    core.limits.charge(Action.VERIFICATION, [f"account:{account.id}", network])
    async with core.database.write() as unit:
        token = await send(unit, core, account)
        await audit.record(unit, Event.EMAIL_VERIFICATION_REQUESTED, user_id=account.id)
    return token


async def send(unit: Unit, core: Core, account: Account) -> Secret:
    """Put a verification mail into the outbox, in the caller's transaction."""
    hours = core.settings.email_verification_token_expire_hours
    token = await onetime.issue(
        unit,
        Purpose.VERIFY_EMAIL,
        user_id=account.id,
        subject=fold(account.email),
        lives=timedelta(hours=hours),
    )
    mail = Verification(account.username, link(core, VERIFY_PATH, token), hours)
    await outbox.enqueue(unit, core.mailer, mail, account.email)
    return token


async def request_change(unit: Unit, core: Core, account: Account, new_email: str) -> None:
    """Ask the new address whether it is the caller's. Raises EmailTaken, TooManyRequests."""
    # The address is anybody's: each try sends a stranger mail, or tells that one has an account.
    network = network_of(current_trace().address)
    core.limits.charge(Action.VERIFICATION, [f"account:{account.id}", network])
    await service.refuse_taken(unit, username=None, email=new_email, but=account.id)
    hours = core.settings.email_verification_token_expire_hours
    token = await onetime.issue(
        unit,
        Purpose.CHANGE_EMAIL,
        user_id=account.id,
        subject=f"{fold(account.email)} {new_email}",
        lives=timedelta(hours=hours),
    )
    mail = EmailChange(account.username, link(core, VERIFY_PATH, token), hours)
    await outbox.enqueue(unit, core.mailer, mail, new_email)
    # Whoever holds a stolen session could take the account over by this: its owner hears of it
    # while it can still be stopped.
    trace = current_trace()
    notice = EmailChangeAsked(account.username, unit.now, trace.address, trace.user_agent)
    await outbox.enqueue(unit, core.mailer, notice, account.email)
    await audit.record(unit, Event.EMAIL_CHANGE_REQUESTED, user_id=account.id)


async def confirm(core: Core, token: Secret) -> Account:
    """Verify the address that the token speaks of, or let it replace the old one.

    Raises InvalidOneTimeToken, EmailTaken where somebody has taken the new address meanwhile, and
    TooManyRequests.
    """
    charge = core.limits.charge(Action.TOKEN, [network_of(current_trace().address)])
    async with core.database.write() as unit:
        if token.reveal().startswith("wwe_"):
            account = await _confirm_change(unit, core, token)
        else:
            account = await _confirm_address(unit, core, token)
    core.limits.refund(charge)
    return account


async def _confirm_address(unit: Unit, core: Core, token: Secret) -> Account:
    account, used = await _use(unit, Purpose.VERIFY_EMAIL, token)
    if used.subject != fold(account.email):
        raise InvalidOneTimeToken(detail="the address has changed")
    account = await service.change(unit, core.settings, account, {"is_verified": True})
    await onetime.void(unit, account.id, Purpose.VERIFY_EMAIL)
    await audit.record(unit, Event.EMAIL_VERIFIED, user_id=account.id)
    return account


async def _confirm_change(unit: Unit, core: Core, token: Secret) -> Account:
    account, used = await _use(unit, Purpose.CHANGE_EMAIL, token)
    old_key, _, new_email = (used.subject or "").rpartition(" ")
    if old_key != fold(account.email):
        raise InvalidOneTimeToken(detail="the address has changed")
    return await replace(unit, core, account, new_email, is_verified=True)


async def replace(
    unit: Unit, core: Core, account: Account, new_email: str, *, is_verified: bool
) -> Account:
    """Let the new address take the old one's place, and tell the old one. Raises EmailTaken."""
    values = {"email": new_email, "is_verified": is_verified}
    changed = await service.change(unit, core.settings, account, values)
    # What was sent to the old address must be of no use to whoever reads it there.
    await onetime.void(
        unit, account.id, Purpose.VERIFY_EMAIL, Purpose.CHANGE_EMAIL, Purpose.RESET_PASSWORD
    )
    await audit.record(unit, Event.EMAIL_CHANGED, user_id=account.id)
    trace = current_trace()
    notice = EmailChangedNotice(account.username, unit.now, trace.address, trace.user_agent)
    await outbox.enqueue(unit, core.mailer, notice, account.email)
    return changed


def link(core: Core, path: str, token: Secret) -> Secret:
    """A link to one of our pages, from PUBLIC_URL: the Host header is the caller's to choose."""
    return Secret(f"{core.settings.base_url}{path}?token={token.reveal()}")


async def _use(unit: Unit, purpose: Purpose, token: Secret) -> tuple[Account, onetime.OneTimeToken]:
    shown = await onetime.peek(unit, purpose, token)
    if shown.user_id is None:
        raise InvalidOneTimeToken(detail="no account")
    try:
        account = await service.lock(unit, shown.user_id)
    except UserNotFound as error:
        raise InvalidOneTimeToken(detail="the user is gone") from error
    if not account.is_active:
        raise InvalidOneTimeToken(detail="no active account")
    return account, await onetime.use(unit, purpose, token)
