"""Registering, changing and resetting a password, and verifying the address it is reset by."""

from __future__ import annotations

import uuid

from fastapi import APIRouter

from watchword.accounts import verification
from watchword.accounts.account import Account
from watchword.accounts.guards import CurrentPrincipal, CurrentUser
from watchword.accounts.names import check_email
from watchword.accounts.schemas import Message, User
from watchword.edge.body import JsonRoute
from watchword.edge.wire import describes
from watchword.errors import (
    EmailTaken,
    Forbidden,
    InactiveUser,
    InvalidAccessToken,
    InvalidOneTimeToken,
    PasswordRefused,
    TooManyRequests,
    UsernameTaken,
    WrongCurrentPassword,
)
from watchword.passwords import registration, reset, schemas, service
from watchword.seat import CoreDep
from watchword.secret import Secret

router = APIRouter(prefix="/auth", tags=["auth"], route_class=JsonRoute)


@router.post(
    "/register",
    response_model=User,
    status_code=201,
    responses=describes(Forbidden, UsernameTaken, EmailTaken, PasswordRefused, TooManyRequests),
)
async def register(core: CoreDep, body: schemas.Registration) -> Account:
    """Make an account. It is a plain user's, and a verification mail is sent to its address."""
    new = registration.checked(body.username, body.email, body.full_name)
    return await registration.register(core, new, Secret(body.password))


@router.post(
    "/password/change",
    response_model=Message,
    responses=describes(
        WrongCurrentPassword, InvalidAccessToken, InactiveUser, PasswordRefused, TooManyRequests
    ),
)
async def change_password(
    core: CoreDep, user: CurrentUser, caller: CurrentPrincipal, body: schemas.PasswordChange
) -> Message:
    """Change one's own password. All other sessions end; this one goes on."""
    await service.change(
        core,
        user,
        uuid.UUID(caller.session_id),
        Secret(body.current_password),
        Secret(body.new_password),
    )
    return Message(message="Password changed successfully")


@router.post(
    "/password/reset/request", response_model=Message, responses=describes(TooManyRequests)
)
async def request_reset(core: CoreDep, body: schemas.ResetRequest) -> Message:
    """Ask for a reset link. The answer is the same whether the address has an account or not."""
    token = await reset.request(core, check_email(body.email))
    if token is not None and core.settings.is_development:
        return Message(message=f"Password reset token (DEV ONLY): {token.reveal()}")
    return Message(message="If the address has an account, a mail with a reset link is on its way")


@router.post(
    "/password/reset/confirm",
    response_model=Message,
    responses=describes(InvalidOneTimeToken, PasswordRefused, TooManyRequests),
)
async def confirm_reset(core: CoreDep, body: schemas.ResetConfirmation) -> Message:
    """Set a new password with the token from the mail. Every session of the account ends."""
    await reset.confirm(core, Secret(body.token), Secret(body.new_password))
    return Message(message="Password reset successfully")


@router.post(
    "/email/verification/request",
    response_model=Message,
    responses=describes(InvalidAccessToken, InactiveUser, TooManyRequests),
)
async def request_verification(core: CoreDep, user: CurrentUser) -> Message:
    """Send the verification mail again."""
    if user.is_verified:
        return Message(message="Email already verified")
    token = await verification.request(core, user)
    if core.settings.is_development:
        return Message(message=f"Verification token (DEV ONLY): {token.reveal()}")
    return Message(message="A mail with a verification link is on its way")


@router.post(
    "/email/verification/confirm",
    response_model=Message,
    responses=describes(InvalidOneTimeToken, EmailTaken, TooManyRequests),
)
async def confirm_verification(core: CoreDep, body: schemas.VerificationConfirmation) -> Message:
    """Verify the address with the token from the mail, or let a new address take its place."""
    await verification.confirm(core, Secret(body.token))
    return Message(message="Email verified successfully")
