"""The closed set of events. A new one is a line here, so that the log's readers know them all."""

from __future__ import annotations

from enum import StrEnum


class Event(StrEnum):
    """What happened, in the past tense of the thing it happened to."""

    USER_REGISTERED = "user.registered"
    USER_CREATED = "user.created"
    USER_UPDATED = "user.updated"
    USER_ROLE_CHANGED = "user.role_changed"
    USER_DEACTIVATED = "user.deactivated"
    USER_REACTIVATED = "user.reactivated"
    USER_DELETED = "user.deleted"
    USERS_IMPORTED = "users.imported"
    SIGNIN_SUCCEEDED = "signin.succeeded"
    SIGNIN_FAILED = "signin.failed"
    SESSION_ENDED = "session.ended"
    SESSION_REUSED = "session.reuse_detected"
    SESSIONS_ENDED = "sessions.ended"
    EVERYONE_SIGNED_OUT = "sessions.everyone_ended"
    PASSWORD_CHANGED = "password.changed"
    PASSWORD_RESET_REQUESTED = "password.reset_requested"
    PASSWORD_RESET = "password.reset"
    EMAIL_VERIFICATION_REQUESTED = "email.verification_requested"
    EMAIL_VERIFIED = "email.verified"
    EMAIL_CHANGE_REQUESTED = "email.change_requested"
    EMAIL_CHANGED = "email.changed"
    KEY_ROTATED = "key.rotated"
    KEY_RETIRED = "key.retired"
