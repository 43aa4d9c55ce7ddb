"""Reading accounts: oneself, and for administrators everybody."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from watchword.accounts import service
from watchword.accounts.account import Account, UserRole
from watchword.accounts.guards import CurrentUser
from watchword.accounts.schemas import MAX_ID, User, UserId
from watchword.edge.wire import describes
from watchword.errors import InactiveUser, InvalidAccessToken, UserNotFound
from watchword.seat import CoreDep

router = APIRouter()

SIGNED_IN = describes(InvalidAccessToken, InactiveUser)


@router.get("/auth/me", response_model=User, tags=["auth"], responses=SIGNED_IN)
@router.get("/users/me", response_model=User, tags=["users"], responses=SIGNED_IN)
async def read_me(user: CurrentUser) -> Account:
    """The caller's own account."""
    return user


@router.get("/users", response_model=list[User], tags=["users"], responses=SIGNED_IN)
async def list_users(
    core: CoreDep,
    user: CurrentUser,
    skip: Annotated[int, Query(ge=0, le=MAX_ID)] = 0,
    limit: Annotated[int, Query(ge=1, le=100)] = 10,
    role: UserRole | None = None,
) -> list[Account]:
    """The users that the caller may see: for a plain user, itself (OPEN_DIRECTORY shows all)."""
    everyone = user.is_admin or core.settings.open_directory
    async with core.database.read() as unit:
        return await service.page(
            unit, skip=skip, limit=limit, role=role, only=None if everyone else user.id
        )


@router.get(
    "/users/{user_id}",
    response_model=User,
    tags=["users"],
    responses={**SIGNED_IN, **describes(UserNotFound)},
)
async def read_user(core: CoreDep, user: CurrentUser, user_id: UserId) -> Account:
    """One user, if the caller may see it; else there is none."""
    if user_id != user.id and not (user.is_admin or core.settings.open_directory):
        raise UserNotFound
    async with core.database.read() as unit:
        return await service.get(unit, user_id)
