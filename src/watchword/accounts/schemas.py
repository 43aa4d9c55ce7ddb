"""The user on the wire."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import Path
from pydantic import BaseModel, ConfigDict, Field

from watchword.accounts.account import UserRole
from watchword.accounts.names import FULL_NAME_MAX

MAX_ID = 2**63 - 1

FullName = Annotated[
    str,
    Field(
        max_length=FULL_NAME_MAX,
        description="Any characters that can be seen",
        json_schema_extra={"format": "full-name"},
    ),
]
UserId = Annotated[int, Path(ge=1, le=MAX_ID)]


class User(BaseModel):
    """A user. Never a hash."""

    model_config = ConfigDict(from_attributes=True)

    id: int
    username: str
    email: str
    full_name: str | None
    role: UserRole
    is_active: bool
    is_verified: bool
    created_at: datetime
    updated_at: datetime
    last_login: datetime | None


class Message(BaseModel):
    """What was done, for people."""

    message: str
    success: bool = True
