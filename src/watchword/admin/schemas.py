"""What an administrator sends and reads."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StrictBool, model_validator

from watchword.accounts.account import UserRole
from watchword.accounts.names import EMAIL_MAX, USERNAME_MAX, USERNAME_MIN
from watchword.accounts.schemas import FullName


class UserUpdate(BaseModel):
    """Fields to change; those left out stay. Only ``full_name`` may be null, which clears it."""

    model_config = ConfigDict(extra="forbid")

    username: Annotated[
        str,
        Field(
            min_length=USERNAME_MIN,
            max_length=USERNAME_MAX,
            json_schema_extra={"format": "username"},
        ),
    ] = ""
    email: Annotated[str, Field(max_length=EMAIL_MAX, json_schema_extra={"format": "email"})] = ""
    full_name: FullName | None = None
    role: UserRole = UserRole.USER
    # Strict: "off" and 1 are no booleans, and who sends them may mean something else.
    is_active: StrictBool = True
    is_verified: StrictBool = False

    @model_validator(mode="before")
    @classmethod
    def _passwords_have_their_own_way(cls, data: Any) -> Any:
        if isinstance(data, dict) and "password" in data:
            # Silence would leave the caller believing that it has changed (ASVS 6.2.3).
            raise ValueError("a password is changed by POST /auth/password/change")
        return data

    def sent(self) -> dict[str, Any]:
        """The fields that were sent, and nothing else."""
        return {name: getattr(self, name) for name in self.model_fields_set}


class UserCounts(BaseModel):
    """How many users there are."""

    total_users: int
    active_users: int
    verified_users: int
    admin_users: int
    user_users: int
    guest_users: int
