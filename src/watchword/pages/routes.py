"""The pages that a mail or the first start links to: verify an address, reset, set up.

Opening a link changes nothing, because mail scanners open links too: the button does. No further
token guards these forms against forgery (CSRF): no cookie takes part in them. What a form may do
is granted by the one-time token in it, and who can write that into a form of his own needs none of
ours.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from urllib.parse import parse_qsl

from fastapi import APIRouter, Request
from fastapi.responses import Response

from watchword.accounts import verification
from watchword.core import Core
from watchword.errors import (
    BadRequest,
    EmailTaken,
    InvalidInput,
    InvalidOneTimeToken,
    ServiceUnavailable,
    TooManyRequests,
    UnsupportedMediaType,
    UsernameTaken,
    WatchwordError,
)
from watchword.pages.mailbox import router as mailbox_router
from watchword.pages.render import STYLE, PageRoute, docs_link, page
from watchword.passwords import registration, reset
from watchword.seat import CoreDep
from watchword.secret import Secret
from watchword.tokens import onetime
from watchword.tokens.onetime import Purpose

__all__ = ["mailbox_router", "router"]

router = APIRouter(include_in_schema=False, route_class=PageRoute, default_response_class=Response)

_TOKEN_MAX = 256
_FIELDS_MAX = 20
# What is shown on the form again; anything else is a page of its own.
_ON_THE_FORM = (InvalidInput, UsernameTaken, EmailTaken, TooManyRequests, ServiceUnavailable)


class IncompleteLink(BadRequest):
    """The address has lost its token, as when a mail program broke the line."""

    code = "incomplete_link"
    title = "This link is incomplete"
    default = "Part of its address is missing. Open it from where you got it, or copy it whole."


class UnreadableForm(BadRequest):
    """What was sent is not what one of our forms sends."""

    code = "unreadable_form"
    title = "This form can't be read"
    default = "Open the link again, and send the form from there."


@router.get("/account/style.css")
async def style() -> Response:
    """The style sheet. Its address changes with it, so that it may be kept."""
    headers = {
        "Cache-Control": "public, max-age=31536000, immutable",
        "X-Content-Type-Options": "nosniff",
    }
    return Response(STYLE, media_type="text/css", headers=headers)


# --- verify an address -----------------------------------------------------------------------


@router.get("/account/verify")
async def ask_to_verify(core: CoreDep, request: Request) -> Response:
    """The button that verifies."""
    return _verify_form(core, request, _token(request.query_params.multi_items()))


@router.post("/account/verify")
async def verify(core: CoreDep, request: Request) -> Response:
    """Verify the address."""
    token = _token(await _sent(request))
    try:
        account = await verification.confirm(core, token)
    except (TooManyRequests, ServiceUnavailable) as error:
        return _verify_form(core, request, token, error)
    except EmailTaken as error:
        sentence = "Meanwhile another account has taken this address. Choose a different one."
        raise EmailTaken(sentence) from error
    return page(core, request, "verified.html", {"account": account})


def _verify_form(
    core: Core, request: Request, token: Secret, error: WatchwordError | None = None
) -> Response:
    return _form(core, request, "verify.html", {}, token, error)


# --- reset a password ------------------------------------------------------------------------


@router.get("/account/reset")
async def ask_new_password(core: CoreDep, request: Request) -> Response:
    """The form with the new password. A dead link says so before one has been thought up."""
    token = _token(request.query_params.multi_items())
    await _living(core, Purpose.RESET_PASSWORD, token)
    return _reset_form(core, request, token)


@router.post("/account/reset")
async def reset_password(core: CoreDep, request: Request) -> Response:
    """Set the new password."""
    sent = await _sent(request)
    token = _token(sent)
    try:
        await reset.confirm(core, token, Secret(_field(sent, "new_password")))
    except _ON_THE_FORM as error:
        return _reset_form(core, request, token, error)
    return page(core, request, "reset_done.html", {})


def _reset_form(
    core: Core, request: Request, token: Secret, error: WatchwordError | None = None
) -> Response:
    return _form(core, request, "reset.html", {"settings": core.settings}, token, error)


# --- set up the first administrator ----------------------------------------------------------

_PARTICULARS = ("username", "email", "full_name")


@router.get("/account/setup")
async def ask_first_admin(core: CoreDep, request: Request) -> Response:
    """The form that makes the first administrator."""
    token = _token(request.query_params.multi_items())
    await _living(core, Purpose.FIRST_ADMIN, token)
    return _setup_form(core, request, token, dict.fromkeys(_PARTICULARS, ""))


@router.post("/account/setup")
async def make_first_admin(core: CoreDep, request: Request) -> Response:
    """Make the first administrator."""
    sent = await _sent(request)
    token = _token(sent)
    typed = {name: _field(sent, name) for name in _PARTICULARS}
    try:
        new = registration.checked(typed["username"], typed["email"], typed["full_name"])
        password = Secret(_field(sent, "password"))
        account = await registration.create_first_admin(core, token, new, password)
    except _ON_THE_FORM as error:
        if isinstance(error, InvalidInput):
            # Names are checked before the link is: who corrects them must not do so for nothing.
            await _living(core, Purpose.FIRST_ADMIN, token)
        return _setup_form(core, request, token, typed, error)
    words = {
        "account": account,
        "docs": docs_link(request),
        "sign_in": f"{request.scope.get('root_path', '')}{core.settings.api_v1_prefix}/auth/login",
    }
    return page(core, request, "setup_done.html", words)


def _setup_form(
    core: Core,
    request: Request,
    token: Secret,
    typed: dict[str, str],
    error: WatchwordError | None = None,
) -> Response:
    # Never the password: it would stay in the browser's memory of the page.
    words = {"typed": typed, "settings": core.settings}
    return _form(core, request, "setup.html", words, token, error)


# --- forms, sent and shown again -------------------------------------------------------------


async def _living(core: Core, purpose: Purpose, token: Secret) -> None:
    async with core.database.read() as unit:
        await onetime.peek(unit, purpose, token)


def _form(
    core: Core,
    request: Request,
    template: str,
    words: Mapping[str, object],
    token: Secret,
    error: WatchwordError | None,
) -> Response:
    wrong = {} if error is None else _by_field(error)
    alert = None
    if error is not None:
        alert = "Something has to be put right below." if wrong else error.sentence
    return page(
        core,
        request,
        template,
        {**words, "token": token.reveal(), "wrong": wrong, "alert": alert},
        status=200 if error is None else error.status,
        headers=None if error is None else error.headers,
    )


_SUBJECTS = {
    "username": "The username",
    "email": "The address",
    "full_name": "The name",
    "password": "The password",
    "new_password": "The password",
}


def _by_field(error: WatchwordError) -> dict[str, str]:
    match error:
        case InvalidInput():
            return {e["where"]: f"{_SUBJECTS[e['where']]} {e['what']}." for e in error.errors}
        case UsernameTaken():
            return {"username": error.sentence}
        case EmailTaken():
            return {"email": error.sentence}
        case _:
            return {}


async def _sent(request: Request) -> list[tuple[str, str]]:
    """The fields that our form sent. Raises UnreadableForm, UnsupportedMediaType."""
    body = await request.body()
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if body and kind != "application/x-www-form-urlencoded":
        raise UnsupportedMediaType(UnreadableForm.default)
    try:
        # Strict: a password whose odd bytes were replaced is one that nobody can type again.
        return parse_qsl(
            body.decode("utf-8"),
            keep_blank_values=True,
            errors="strict",
            max_num_fields=_FIELDS_MAX,
        )
    except ValueError as error:
        raise UnreadableForm(detail=type(error).__name__) from error


def _field(fields: Iterable[tuple[str, str]], name: str) -> str:
    """The one value of that name, or none. Of two, nobody can say which was meant."""
    values = [value for key, value in fields if key == name]
    if len(values) > 1:
        raise UnreadableForm(detail=f"{name} was sent {len(values)} times")
    return values[0] if values else ""


def _token(fields: Iterable[tuple[str, str]]) -> Secret:
    """The one-time token. Raises IncompleteLink, or InvalidOneTimeToken where it can be none."""
    token = _field(fields, "token")
    if not token:
        raise IncompleteLink
    if len(token) > _TOKEN_MAX:
        raise InvalidOneTimeToken(detail="longer than any of ours")
    return Secret(token)
