"""Guards for routes: who is asking, and may they. Ours and a host's use the same.

The token is checked by arithmetic and memory; ``get_current_user`` then reads the row, once.
Refusals are HTTPExceptions here, so that any host can show them (RFC 6750, section 3).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from fastapi import Depends
from fastapi.security import OAuth2PasswordBearer

from watchword.accounts import service
from watchword.accounts.account import Account, UserRole
from watchword.core import Core
from watchword.edge.wire import Refusal
from watchword.errors import (
    EmailNotVerified,
    InactiveUser,
    InvalidAccessToken,
    NotAuthenticated,
    RoleRequired,
    WatchwordError,
)
from watchword.seat import CoreDep
from watchword.trace import set_user_id
from watchword.verify.errors import InvalidToken
from watchword.verify.token import AccessToken

SCHEME = "Watchword"

_bearer = OAuth2PasswordBearer(
    tokenUrl="api/v1/auth/login/form",  # put right where the schema is made: mount/openapi.py
    scheme_name=SCHEME,
    description="Sign in with a username or an address, and a password.",
    auto_error=False,
)
BearerDep = Annotated[str | None, Depends(_bearer)]


def principal_of(core: Core, token: str | None) -> AccessToken:
    """The claims of a bearer token. Raises NotAuthenticated or InvalidAccessToken."""
    if token is None:
        raise NotAuthenticated
    try:
        access = core.verifier.verify(token)
    except InvalidToken as error:
        raise InvalidAccessToken(detail=error.reason) from error
    set_user_id(access.user_id)
    return access


async def account_of(core: Core, access: AccessToken) -> Account:
    """The row of a token's user. Raises InvalidAccessToken or InactiveUser."""
    async with core.database.read() as unit:
        account = await service.find(unit, access.user_id)
    if account is None:
        raise InvalidAccessToken(detail="the user is gone")
    if not account.is_active:
        raise InactiveUser
    return account


async def get_current_principal(core: CoreDep, token: BearerDep) -> AccessToken:
    """The caller's claims, without a read."""
    try:
        return principal_of(core, token)
    except WatchwordError as error:
        raise Refusal(error) from error


CurrentPrincipal = Annotated[AccessToken, Depends(get_current_principal)]


async def get_current_user(core: CoreDep, access: CurrentPrincipal) -> Account:
    """The caller's account, read once; refuses a deactivated one with 403 ``Inactive user``."""
    try:
        return await account_of(core, access)
    except WatchwordError as error:
        raise Refusal(error) from error


CurrentUser = Annotated[Account, Depends(get_current_user)]


async def get_current_active_user(user: CurrentUser) -> Account:
    """The same as ``get_current_user``, under the name that the tutorial's readers know."""
    return user


async def get_current_verified_user(user: CurrentUser) -> Account:
    """The caller, whose address is verified; else 403 ``Email not verified``."""
    if not user.is_verified:
        raise Refusal(EmailNotVerified())
    return user


VerifiedUser = Annotated[Account, Depends(get_current_verified_user)]


class RoleChecker:
    """A dependency that lets in the roles it is made with: ``Depends(RoleChecker(["admin"]))``.

    Others get 403, and read which roles would do. Raises ValueError for a role there is not.
    """

    def __init__(self, allowed_roles: Sequence[UserRole | str]) -> None:
        self._allowed = frozenset(UserRole(role) for role in allowed_roles)

    async def __call__(self, user: CurrentUser) -> Account:
        """The caller, if the role will do."""
        if user.role not in self._allowed:
            names = " or ".join(sorted(role.value for role in self._allowed))
            raise Refusal(RoleRequired(f"Not enough permissions: this needs the role {names}"))
        return user


require_admin = RoleChecker([UserRole.ADMIN])
require_user = RoleChecker([UserRole.USER, UserRole.ADMIN])

AdminUser = Annotated[Account, Depends(require_admin)]
