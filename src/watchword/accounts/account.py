"""What an account is."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class UserRole(StrEnum):
    """The three roles of the contract."""

    ADMIN = "admin"
    USER = "user"
    GUEST = "guest"


@dataclass(frozen=True, slots=True)
class Account:
    """A person's row as it was when it was read."""

    id: int
    username: str
    email: str
    full_name: str | None
    role: UserRole
    is_active: bool
    is_verified: bool
    epoch: int
    created_at: datetime
    updated_at: datetime
    last_login: datetime | None

    @property
    def is_admin(self) -> bool:
        """Whether the account administers the service."""
        return self.role is UserRole.ADMIN


@dataclass(frozen=True, slots=True)
class NewAccount:
    """What an account is made of, already checked by ``names``.

    ``created_at`` is for one that began elsewhere and is imported; otherwise it is now.
    """

    username: str
    email: str
    full_name: str | None = None
    role: UserRole = UserRole.USER
    is_active: bool = True
    is_verified: bool = False
    created_at: datetime | None = None
