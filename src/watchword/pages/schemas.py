"""The development mailbox on the wire."""

from __future__ import annotations

import uuid
from datetime import datetime

from pydantic import BaseModel, ConfigDict


class Mail(BaseModel):
    """A mail as a script reads it, its one-time links in clear."""

    model_config = ConfigDict(from_attributes=True)

    id: uuid.UUID
    kind: str
    recipient: str
    subject: str
    text: str
    html: str
    created_at: datetime
