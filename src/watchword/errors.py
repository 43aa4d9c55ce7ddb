"""Every refusal that Watchword can give.

An error has a ``code`` for machines, a ``sentence`` for people that says what to do, and a private
``detail`` for the log which never reaches the caller. ``edge/wire.py`` maps them to HTTP, once.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar


class WatchwordError(Exception):
    """A refusal. ``status`` is the HTTP status it becomes at the edge."""

    code: ClassVar[str] = "internal_error"
    status: ClassVar[int] = 500
    title: ClassVar[str] = "Internal error"
    default: ClassVar[str] = "Something went wrong on our side. The request id tells us what."

    def __init__(
        self,
        sentence: str | None = None,
        *,
        detail: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self.sentence = sentence or self.default
        self.detail = detail
        self.headers: dict[str, str] = dict(headers or {})
        super().__init__(self.sentence)


# --- who are you -------------------------------------------------------------------------------


class NotAuthenticated(WatchwordError):
    """No credentials came with the request (RFC 6750, section 3: no ``error`` is named then)."""

    code = "not_authenticated"
    status = 401
    title = "Not authenticated"
    default = "Not authenticated"

    def __init__(self, sentence: str | None = None, *, detail: str | None = None) -> None:
        super().__init__(sentence, detail=detail, headers={"WWW-Authenticate": "Bearer"})


class InvalidAccessToken(WatchwordError):
    """The access token is malformed, expired, revoked, or not ours (RFC 6750, section 3.1)."""

    code = "invalid_token"
    status = 401
    title = "Invalid token"
    default = "Could not validate credentials"

    def __init__(self, sentence: str | None = None, *, detail: str | None = None) -> None:
        challenge = (
            'Bearer error="invalid_token", '
            'error_description="The access token is invalid, expired or revoked"'
        )
        super().__init__(sentence, detail=detail, headers={"WWW-Authenticate": challenge})


class InvalidCredentials(WatchwordError):
    """Unknown name or wrong password: one refusal, so that nobody learns which it was."""

    code = "invalid_credentials"
    status = 401
    title = "Sign-in refused"
    default = "Incorrect username or password"

    def __init__(self, sentence: str | None = None, *, detail: str | None = None) -> None:
        super().__init__(sentence, detail=detail, headers={"WWW-Authenticate": "Bearer"})


class InvalidRefreshToken(WatchwordError):
    """The refresh token is malformed, expired, replaced, or its session has ended."""

    code = "invalid_refresh_token"
    status = 401
    title = "Invalid refresh token"
    default = "Invalid or expired refresh token. Sign in again."

    def __init__(self, sentence: str | None = None, *, detail: str | None = None) -> None:
        challenge = (
            'Bearer error="invalid_token", error_description="The refresh token is of no use"'
        )
        super().__init__(sentence, detail=detail, headers={"WWW-Authenticate": challenge})


# --- you may not -------------------------------------------------------------------------------


class Forbidden(WatchwordError):
    """The caller is known, and may not do this."""

    code = "forbidden"
    status = 403
    title = "Forbidden"
    default = "Not enough permissions"


class RoleRequired(Forbidden):
    """The caller's role is not among those that would do; the sentence names them."""

    code = "role_required"
    title = "Role required"


class InactiveUser(Forbidden):
    """The account is deactivated."""

    code = "inactive_user"
    title = "Inactive user"
    default = "Inactive user"


class EmailNotVerified(Forbidden):
    """The route wants an account whose address is verified."""

    code = "email_not_verified"
    title = "Email not verified"
    default = "Email not verified"


# --- what you ask for can't be ------------------------------------------------------------------


class BadRequest(WatchwordError):
    """The request can't be read."""

    code = "bad_request"
    status = 400
    title = "Bad request"
    default = "The request can't be read"


class WrongCurrentPassword(BadRequest):
    """The current password, asked for again before a change, is wrong (ASVS 6.2.3)."""

    code = "wrong_current_password"
    title = "Wrong current password"
    default = "Current password is incorrect"


class InvalidOneTimeToken(BadRequest):
    """A reset, verification or set-up token is unknown, used, expired, or out of date."""

    code = "invalid_one_time_token"
    title = "Invalid token"
    default = "Invalid or expired token"


class NotFound(WatchwordError):
    """There is no such thing, or none that the caller may see."""

    code = "not_found"
    status = 404
    title = "Not found"
    default = "Not found"


class UserNotFound(NotFound):
    """There is no such user, or none that the caller may see."""

    code = "user_not_found"
    title = "User not found"
    default = "User not found"


class SessionNotFound(NotFound):
    """The caller has no such live session."""

    code = "session_not_found"
    title = "Session not found"
    default = "Session not found"


class Conflict(WatchwordError):
    """The request contradicts what is there."""

    code = "conflict"
    status = 409
    title = "Conflict"
    default = "The request contradicts what is there"


class UserReferenced(Conflict):
    """A table of the host's app refers to the user, and does not let it go."""

    code = "user_referenced"
    title = "User referred to"
    default = "Other data of this app refers to this user. Deactivate it, or delete the data first."


class UsernameTaken(Conflict):
    """Another account has this username, or one that reads the same."""

    code = "username_taken"
    title = "Username taken"
    default = "Username already registered"


class EmailTaken(Conflict):
    """Another account has this address."""

    code = "email_taken"
    title = "Email taken"
    default = "Email already registered"


class LastAdministrator(Conflict):
    """Nobody would be left who can administer the service."""

    code = "last_administrator"
    title = "Last administrator"
    default = "This is the last active administrator: make another one first"


class PayloadTooLarge(WatchwordError):
    """The body is larger than ``MAX_BODY_BYTES``."""

    code = "payload_too_large"
    status = 413
    title = "Payload too large"
    default = "The request body is too large"


class UnsupportedMediaType(WatchwordError):
    """The body is not of the type that the route reads."""

    code = "unsupported_media_type"
    status = 415
    title = "Unsupported media type"
    default = "Send the body as application/json"


class InvalidInput(WatchwordError):
    """A value breaks a rule; ``errors`` says where and what, and never repeats the value."""

    code = "invalid_input"
    status = 422
    title = "Invalid input"
    default = "The request has invalid values"

    def __init__(
        self, sentence: str | None = None, *, where: str, what: str, detail: str | None = None
    ) -> None:
        super().__init__(sentence or f"{where}: {what}", detail=detail)
        self.errors: list[dict[str, str]] = [{"where": where, "what": what}]


class PasswordRefused(InvalidInput):
    """The password breaks the policy; ``errors`` says which rule."""

    code = "password_refused"
    title = "Password refused"


# --- not now -----------------------------------------------------------------------------------


class TooManyRequests(WatchwordError):
    """A limit is reached (RFC 6585, section 4); ``Retry-After`` says for how long."""

    code = "too_many_requests"
    status = 429
    title = "Too many requests"
    default = "Too many attempts"

    def __init__(self, *, retry_after: int, detail: str | None = None) -> None:
        sentence = f"Too many attempts. Try again in {retry_after} seconds."
        super().__init__(sentence, detail=detail, headers={"Retry-After": str(retry_after)})


class ServiceUnavailable(WatchwordError):
    """We can't answer now; ``Retry-After`` says when to ask again."""

    code = "service_unavailable"
    status = 503
    title = "Service unavailable"
    default = "The service can't answer now. Try again shortly."

    def __init__(
        self, sentence: str | None = None, *, retry_after: int = 2, detail: str | None = None
    ) -> None:
        super().__init__(sentence, detail=detail, headers={"Retry-After": str(retry_after)})


class DatabaseUnavailable(ServiceUnavailable):
    """The database does not answer."""

    code = "database_unavailable"
    title = "Database unavailable"


class TooBusy(ServiceUnavailable):
    """The queue of passwords to hash is full: shed load rather than queue without end."""

    code = "too_busy"
    title = "Too busy"
    default = "Too many people are signing in at this moment. Try again in a few seconds."


# --- never on the wire --------------------------------------------------------------------------


class ConfigurationError(WatchwordError):
    """A setting is wrong or missing; the sentence says what to type. Raised before the start."""

    code = "configuration_error"
    title = "Configuration error"
