"""Making, changing, deleting and counting users."""

from __future__ import annotations

from dataclasses import replace

from fastapi import APIRouter

from watchword.accounts import service as accounts
from watchword.accounts.account import Account, UserRole
from watchword.accounts.guards import AdminUser, CurrentUser
from watchword.accounts.schemas import User, UserId
from watchword.admin import service
from watchword.admin.schemas import UserCounts, UserUpdate
from watchword.edge.body import JsonRoute
from watchword.edge.wire import describes
from watchword.errors import (
    EmailTaken,
    Forbidden,
    InactiveUser,
    InvalidAccessToken,
    LastAdministrator,
    PasswordRefused,
    RoleRequired,
    TooBusy,
    TooManyRequests,
    UsernameTaken,
    UserNotFound,
)
from watchword.passwords import registration
from watchword.passwords.schemas import Registration
from watchword.seat import CoreDep
from watchword.secret import Secret

router = APIRouter(prefix="/users", tags=["users"], route_class=JsonRoute)

_ADMIN = (InvalidAccessToken, InactiveUser, RoleRequired)


@router.post(
    "",
    response_model=User,
    status_code=201,
    responses=describes(*_ADMIN, UsernameTaken, EmailTaken, PasswordRefused, TooBusy),
)
async def create_user(core: CoreDep, admin: AdminUser, body: Registration) -> Account:
    """Make a user of any role."""
    new = registration.checked(body.username, body.email, body.full_name)
    new = replace(new, role=body.role or UserRole.USER)
    return await registration.create(core, new, Secret(body.password), actor=admin)


@router.get("/stats/count", response_model=UserCounts, responses=describes(*_ADMIN))
async def count_users(core: CoreDep, _admin: AdminUser) -> dict[str, int]:
    """How many users there are, in all and of each kind."""
    async with core.database.read() as unit:
        return await accounts.counts(unit)


@router.patch(
    "/{user_id}",
    response_model=User,
    responses=describes(
        InvalidAccessToken,
        InactiveUser,
        Forbidden,
        UserNotFound,
        UsernameTaken,
        EmailTaken,
        LastAdministrator,
        TooManyRequests,
    ),
)
async def update_user(
    core: CoreDep, caller: CurrentUser, user_id: UserId, body: UserUpdate
) -> Account:
    """Change a user: oneself, or for an administrator anybody."""
    return await service.update(core, caller, user_id, service.Changes(body.sent()))


@router.delete(
    "/{user_id}",
    status_code=204,
    responses=describes(*_ADMIN, UserNotFound, LastAdministrator),
)
async def delete_user(core: CoreDep, admin: AdminUser, user_id: UserId) -> None:
    """Delete a user, its sessions and all that is its own."""
    await service.delete(core, admin, user_id)
