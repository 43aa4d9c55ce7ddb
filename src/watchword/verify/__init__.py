"""Checking access tokens (RFC 9068) with arithmetic and memory alone.

Stands by itself: needs joserfc and the standard library, imports nothing else of Watchword, so
that a resource server that is not the identity service can install just this. The service itself
verifies with the same class: one verifier to attack and to measure.

``ResourceServer`` loads when it is first asked for: the service has no use for its HTTP client.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from watchword.verify.errors import CannotKnow, InvalidToken, UnknownKey
from watchword.verify.keys import KeySet, VerificationKey
from watchword.verify.token import AccessToken
from watchword.verify.verifier import Verifier

if TYPE_CHECKING:
    from watchword.verify.resource import ResourceServer

__all__ = [
    "AccessToken",
    "CannotKnow",
    "InvalidToken",
    "KeySet",
    "ResourceServer",
    "UnknownKey",
    "VerificationKey",
    "Verifier",
]


def __getattr__(name: str) -> Any:
    if name != "ResourceServer":
        raise AttributeError(f"module 'watchword.verify' has no attribute {name!r}")
    from watchword.verify.resource import ResourceServer

    return ResourceServer
