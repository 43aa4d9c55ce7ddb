"""Checking access tokens (RFC 9068) with arithmetic and memory alone.

Stands by itself: needs joserfc and the standard library, imports nothing else of Watchword, so
that a resource server that is not the identity service can install just this. The service itself
verifies with the same class: one verifier to attack and to measure.
"""

from watchword.verify.errors import InvalidToken, UnknownKey
from watchword.verify.keys import KeySet, VerificationKey
from watchword.verify.token import AccessToken
from watchword.verify.verifier import Verifier

__all__ = ["AccessToken", "InvalidToken", "KeySet", "UnknownKey", "VerificationKey", "Verifier"]
