"""The pages' routes."""

from __future__ import annotations

from fastapi import APIRouter

router = APIRouter(include_in_schema=False)
mailbox_router = APIRouter(include_in_schema=False)
