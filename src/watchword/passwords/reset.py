"""Resetting a forgotten password by mail. Nobody learns from it who has an account."""

from __future__ import annotations

from datetime import timedelta

from watchword.accounts import service as accounts
from watchword.accounts.account import Account
from watchword.accounts.names import fold
from watchword.accounts.verification import link
from watchword.audit import service as audit
from watchword.audit.events import Event
from watchword.core import Core
from watchword.db.unit import ReadUnit
from watchword.email import outbox
from watchword.email.messages import PasswordReset
from watchword.errors import InvalidOneTimeToken
from watchword.limits.service import Action, network_of
from watchword.passwords import service
from watchword.passwords.policy import check_password
from watchword.secret import Secret
from watchword.sessions import service as sessions
from watchword.tokens import onetime
from watchword.tokens.onetime import OneTimeToken, Purpose
from watchword.trace import current_trace

RESET_PATH = "/account/reset"


async def request(core: Core, email: str) -> Secret | None:
    """Send a reset link, if the address is an active account's; gives the token then.

    The caller answers the same either way. Raises TooManyRequests.
    """
    network = network_of(current_trace().address)
    core.limits.charge(Action.PASSWORD_RESET, [f"address:{fold(email)}", network])
    hours = core.settings.password_reset_token_expire_hours
    async with core.database.write() as unit:
        account = await accounts.find_by_email(unit, email)
        if account is None or not account.is_active:
            await audit.record(unit, Event.PASSWORD_RESET_REQUESTED, known=False)
            return None
        token = await onetime.issue(
            unit,
            Purpose.RESET_PASSWORD,
            user_id=account.id,
            subject=fold(account.email),
            lives=timedelta(hours=hours),
        )
        await audit.record(unit, Event.PASSWORD_RESET_REQUESTED, user_id=account.id, known=True)
        mail = PasswordReset(account.username, link(core, RESET_PATH, token), hours)
        await outbox.enqueue(unit, core.mailer, mail, account.email)
    return token


async def confirm(core: Core, token: Secret, new_password: Secret) -> None:
    """Set a new password with a reset token, and end every session of the account.

    Raises InvalidOneTimeToken, PasswordRefused, TooBusy, TooManyRequests. Of many who confirm at
    once, one succeeds.
    """
    charge = core.limits.charge(Action.TOKEN, [network_of(current_trace().address)])
    async with core.database.read() as unit:
        shown = await onetime.peek(unit, Purpose.RESET_PASSWORD, token)
        account = await _account_of(unit, shown)
    check_password(
        new_password, core.settings, service.personal_words(account), where="new_password"
    )
    new_hash = await core.hasher.hash(new_password)
    async with core.database.write() as write:
        # Locks the account, as everything does that changes one; undone where the next line raises.
        await sessions.end_all(write, core.settings, account.id, reason="password reset")
        used = await onetime.use(write, Purpose.RESET_PASSWORD, token)
        account = await _account_of(write, used)
        await service.put(write, account.id, new_hash)
        await audit.record(write, Event.PASSWORD_RESET, user_id=account.id)
        await service.tell_changed(write, core, account)
    core.limits.refund(charge)


async def _account_of(unit: ReadUnit, token: OneTimeToken) -> Account:
    account = None if token.user_id is None else await accounts.find(unit, token.user_id)
    if account is None or not account.is_active or token.subject != fold(account.email):
        raise InvalidOneTimeToken(detail="no active account of this address")
    return account
