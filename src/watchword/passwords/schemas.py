"""Registration and passwords on the wire.

Passwords are plain strings here and become a ``Secret`` in the route: a model's ``repr`` is never
logged, and validation errors never repeat a value (``edge/wire.py``).
"""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from watchword.accounts.account import UserRole
from watchword.accounts.names import EMAIL_MAX, USERNAME_MAX, USERNAME_MIN
from watchword.accounts.schemas import FullName

NewPassword = Annotated[
    str, Field(min_length=8, max_length=4096, json_schema_extra={"format": "password"})
]
GivenPassword = Annotated[str, Field(max_length=4096, json_schema_extra={"format": "password"})]
OneTime = Annotated[str, Field(max_length=256)]


class Registration(BaseModel):
    """A new account. ``role`` counts only where an administrator asks."""

    username: str = Field(
        min_length=USERNAME_MIN,
        max_length=USERNAME_MAX,
        description="Letters and digits of one script, and . _ - + '",
        json_schema_extra={"format": "username"},
    )
    email: str = Field(max_length=EMAIL_MAX, json_schema_extra={"format": "email"})
    password: NewPassword
    full_name: FullName | None = None
    role: UserRole | None = None


class PasswordChange(BaseModel):
    """The current password, and the one to come."""

    current_password: GivenPassword
    new_password: NewPassword


class ResetRequest(BaseModel):
    """The address of the account whose password was forgotten."""

    email: str = Field(max_length=EMAIL_MAX, json_schema_extra={"format": "email"})


class ResetConfirmation(BaseModel):
    """The token from the mail, and the new password."""

    token: OneTime
    new_password: NewPassword


class VerificationConfirmation(BaseModel):
    """The token from the mail."""

    model_config = ConfigDict(extra="ignore")

    token: OneTime
