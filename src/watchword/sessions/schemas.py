"""Tokens and sessions on the wire."""

from __future__ import annotations

import uuid
from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field


class RefreshRequest(BaseModel):
    """What renews a session."""

    refresh_token: str = Field(max_length=1024)


class TokenPair(BaseModel):
    """An access token and what renews it."""

    model_config = ConfigDict(from_attributes=True)

    access_token: str
    refresh_token: str
    token_type: str = "bearer"
    expires_in: int = Field(description="Seconds that the access token lives")


class Session(BaseModel):
    """A place where the caller is signed in."""

    id: uuid.UUID
    device: str | None = Field(description="What the client said it is (User-Agent)")
    address: str | None = Field(description="The address it signed in from")
    created_at: datetime
    last_seen: datetime
    expires_at: datetime
    current: bool = Field(description="Whether it is the session that asks")
