"""The names that ``watchword`` exports, as a type checker sees them: mypy holds this file.

An ignored error that is none any more is an error itself, so the misuses below are tested too.
"""

from __future__ import annotations

from typing import Annotated, Any, assert_type

from fastapi import Depends, FastAPI, Request

from watchword import (
    Account,
    CurrentPrincipal,
    CurrentUser,
    RoleChecker,
    Settings,
    UserRole,
    VerifiedUser,
    Watchword,
    get_current_active_user,
    get_current_principal,
    get_current_user,
    get_current_verified_user,
    require_admin,
    require_user,
)
from watchword.verify import AccessToken, InvalidToken, KeySet, VerificationKey, Verifier

cooks = RoleChecker([UserRole.ADMIN, "guest"])


def made_and_mounted(auth: Watchword, app: FastAPI) -> None:
    assert_type(auth.settings, Settings)
    assert_type(auth.openapi(), dict[str, Any])
    auth.mount(app, "/id")
    auth.mount("/id")  # type: ignore[arg-type]
    FastAPI(lifespan=auth.lifespan)


async def depended_on(
    user: CurrentUser,
    verified: VerifiedUser,
    caller: CurrentPrincipal,
    admin: Annotated[Account, Depends(require_admin)],
    member: Annotated[Account, Depends(require_user)],
    cook: Annotated[Account, Depends(cooks)],
) -> str:
    for account in (user, verified, admin, member, cook):
        assert_type(account, Account)
    assert_type(caller, AccessToken)
    assert_type(user.role, UserRole)
    assert_type(user.full_name, str | None)
    assert_type(caller.scopes, frozenset[str])
    user.username = "somebody else"  # type: ignore[misc]
    return user.hash  # type: ignore[attr-defined, no-any-return]


async def called_by_hand(auth: Watchword, request: Request) -> None:
    assert_type(await get_current_active_user(request), Account)
    assert_type(await get_current_verified_user(request), Account)
    assert_type(await get_current_principal(request), AccessToken)
    assert_type(await get_current_user(request), Account)
    assert_type(await auth.current_user(request), Account)
    assert_type(await auth.current_principal(request), AccessToken)
    RoleChecker("admin", "user")  # type: ignore[call-arg]


def verified(verifier: Verifier, jwk: dict[str, Any]) -> AccessToken | None:
    assert_type(KeySet([VerificationKey.from_jwk(jwk)]), KeySet)
    try:
        return verifier.verify("token")
    except InvalidToken as error:
        assert_type(error.reason, str)
        return None
