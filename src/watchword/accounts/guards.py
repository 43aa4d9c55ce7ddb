"""Guards for routes: who is asking, and may they. Ours and a host's use the same.

The token is checked by arithmetic and memory; ``get_current_user`` then reads the row, once.
Refusals are HTTPExceptions here, so that any host can show them (RFC 6750, section 3).

Each guard is one flat dependency and a security scheme in one: FastAPI pays for every dependency
of a route on every request, and a guard made of four would cost more than what it guards.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated

from fastapi import Depends, Request
from fastapi.openapi.models import OAuth2, OAuthFlowPassword, OAuthFlows
from fastapi.security.base import SecurityBase

from watchword.accounts import service
from watchword.accounts.account import Account, UserRole
from watchword.core import Core
from watchword.edge.wire import Refusal
from watchword.errors import (
    DatabaseUnavailable,
    EmailNotVerified,
    InactiveUser,
    InvalidAccessToken,
    NotAuthenticated,
    RoleRequired,
    WatchwordError,
)
from watchword.seat import core_of
from watchword.trace import set_user_id
from watchword.verify.asgi import authorization_of
from watchword.verify.errors import InvalidToken
from watchword.verify.token import AccessToken

SCHEME = "Watchword"

FindCore = Callable[[Request], Core]


def _claims(core: Core, header: bytes | None) -> AccessToken:
    try:
        access = None if header is None else core.verifier.verify_header(header)
    except InvalidToken as error:
        raise InvalidAccessToken(detail=error.reason) from error
    if access is None:
        raise NotAuthenticated
    set_user_id(access.subject)
    return access


async def principal_of(core: Core, header: bytes | None) -> AccessToken:
    """The claims of an Authorization header. Raises NotAuthenticated, InvalidAccessToken, and
    DatabaseUnavailable where it can't be known any more what has been revoked.
    """
    access = _claims(core, header)
    if core.feed.is_stale():
        # Never "allowed because I don't know": ask the database, or answer 503.
        await core.feed.catch_up(core.database)
        if core.feed.is_stale():
            raise DatabaseUnavailable(detail="what it said was too old when it came")
        access = _claims(core, header)
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


def _scheme() -> OAuth2:
    # The address is put right where the document is made: mount/openapi.py.
    flow = OAuthFlowPassword(tokenUrl="api/v1/auth/login/form", scopes={})
    return OAuth2(
        flows=OAuthFlows(password=flow),
        description="Sign in with a username or an address, and a password.",
    )


class PrincipalGuard(SecurityBase):
    """The caller's claims, without a read."""

    def __init__(self, find: FindCore = core_of) -> None:
        self.model = _scheme()
        self.scheme_name = SCHEME
        self._find = find

    async def __call__(self, request: Request) -> AccessToken:
        """The claims; else 401, or 503 where nobody can know whether they still hold."""
        core, header = self._find(request), authorization_of(request.scope)
        try:
            if core.feed.is_stale():
                return await principal_of(core, header)
            return _claims(core, header)
        except WatchwordError as error:
            raise Refusal(error) from error


class UserGuard(SecurityBase):
    """The caller's account, read once, active, and where asked verified and of certain roles."""

    def __init__(
        self,
        find: FindCore = core_of,
        *,
        verified: bool = False,
        roles: frozenset[UserRole] | None = None,
    ) -> None:
        self.model = _scheme()
        self.scheme_name = SCHEME
        self._find = find
        self._verified = verified
        self._roles = roles

    async def __call__(self, request: Request) -> Account:
        """The account; else 401, or 403 with the reason."""
        core = self._find(request)
        try:
            access = await principal_of(core, authorization_of(request.scope))
            account = await account_of(core, access)
            self._check(account)
        except WatchwordError as error:
            raise Refusal(error) from error
        return account

    def _check(self, account: Account) -> None:
        if self._verified and not account.is_verified:
            raise EmailNotVerified
        if self._roles is not None and account.role not in self._roles:
            names = " or ".join(sorted(role.value for role in self._roles))
            raise RoleRequired(f"Not enough permissions: this needs the role {names}")


class RoleChecker(UserGuard):
    """A dependency that lets in the roles it is made with: ``Depends(RoleChecker(["admin"]))``.

    Others get 403, and read which roles would do. Raises ValueError for a role there is not.
    """

    def __init__(self, allowed_roles: Sequence[UserRole | str]) -> None:
        super().__init__(roles=frozenset(UserRole(role) for role in allowed_roles))


get_current_principal = PrincipalGuard()
get_current_user = UserGuard()
# The same, under the name that the tutorial's readers know: a deactivated user is refused anyway.
get_current_active_user = get_current_user
get_current_verified_user = UserGuard(verified=True)
require_admin = RoleChecker([UserRole.ADMIN])
require_user = RoleChecker([UserRole.USER, UserRole.ADMIN])

CurrentPrincipal = Annotated[AccessToken, Depends(get_current_principal)]
CurrentUser = Annotated[Account, Depends(get_current_user)]
VerifiedUser = Annotated[Account, Depends(get_current_verified_user)]
AdminUser = Annotated[Account, Depends(require_admin)]
