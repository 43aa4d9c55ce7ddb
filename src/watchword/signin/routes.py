"""Signing in by JSON, and by the OAuth 2 password form that Swagger's Authorize button sends."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form, Response
from pydantic import BaseModel, ConfigDict, Field

from watchword.edge.body import JsonRoute
from watchword.edge.wire import describes
from watchword.errors import InactiveUser, InvalidCredentials, TooBusy, TooManyRequests
from watchword.seat import CoreDep
from watchword.secret import Secret
from watchword.sessions import schemas
from watchword.sessions.service import TokenPair
from watchword.signin import service

router = APIRouter(prefix="/auth", tags=["auth"], route_class=JsonRoute)

_REFUSALS = describes(InvalidCredentials, InactiveUser, TooManyRequests, TooBusy)

_Name = Annotated[str, Field(max_length=254, description="A username or an address")]
_Password = Annotated[str, Field(max_length=4096, json_schema_extra={"format": "password"})]


class SignIn(BaseModel):
    """A name and a password."""

    username: _Name
    password: _Password


class SignInForm(BaseModel):
    """RFC 6749's password form, for our own pages and documentation only (RFC 9700, 2.4)."""

    model_config = ConfigDict(extra="ignore")

    username: _Name
    password: _Password
    grant_type: Annotated[str | None, Field(pattern="^(password)?$")] = None
    scope: Annotated[str | None, Field(max_length=1000)] = None


@router.post("/login", response_model=schemas.TokenPair, responses=_REFUSALS)
async def login(core: CoreDep, body: SignIn, response: Response) -> TokenPair:
    """Sign in with a username or an address, and a password."""
    response.headers["Cache-Control"] = "no-store"
    return await service.sign_in_with_password(core, body.username, Secret(body.password))


@router.post("/login/form", response_model=schemas.TokenPair, responses=_REFUSALS)
async def login_by_form(
    core: CoreDep, form: Annotated[SignInForm, Form()], response: Response
) -> TokenPair:
    """The same, sent as a form; the Authorize button of the documentation uses it."""
    response.headers["Cache-Control"] = "no-store"
    return await service.sign_in_with_password(core, form.username, Secret(form.password))
