"""Refresh tokens: a session id, a generation, and a MAC that only ``SECRET_KEY`` can make.

Opaque to the client. The MAC key is derived from ``SECRET_KEY`` and never in the database, so a
copy of the database mints no token, and a forged token is refused without a read. The token of a
generation is a pure function: asked twice within the leeway, the same successor comes out twice.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from watchword.errors import InvalidRefreshToken
from watchword.keys.seal import derive_key
from watchword.secret import Secret

_PREFIX = "wwr_"
_GENERATION_BYTES = 8
_MAC_BYTES = 32
_BODY_BYTES = 16 + _GENERATION_BYTES + _MAC_BYTES


@dataclass(frozen=True, slots=True)
class RefreshClaim:
    """What an authentic refresh token says: which session, and which of its generations."""

    session_id: uuid.UUID
    generation: int


class RefreshTokens:
    """Makes refresh tokens with the newest ``SECRET_KEY`` and reads those of any known one."""

    def __init__(self, secrets: Sequence[Secret]) -> None:
        self._keys = tuple(derive_key(secret, "refresh-token") for secret in secrets)

    def make(self, claim: RefreshClaim) -> str:
        """The token of this generation of this session; always the same one."""
        body = claim.session_id.bytes + claim.generation.to_bytes(_GENERATION_BYTES, "big")
        return _PREFIX + _encode(body + self._mac(self._keys[0], body))

    def read(self, token: Secret) -> RefreshClaim:
        """What the token says. Raises InvalidRefreshToken, without a read, when it is not ours."""
        text = token.reveal()
        if not text.startswith(_PREFIX) or len(text) > 200:
            raise InvalidRefreshToken(detail="not a refresh token")
        try:
            raw = base64.urlsafe_b64decode(text[len(_PREFIX) :].encode("ascii") + b"==")
        except (binascii.Error, ValueError) as error:
            raise InvalidRefreshToken(detail="malformed") from error
        # One token, one spelling: base64 has spare bits and ignores foreign characters.
        if len(raw) != _BODY_BYTES or _PREFIX + _encode(raw) != text:
            raise InvalidRefreshToken(detail="malformed")
        body, mac = raw[:-_MAC_BYTES], raw[-_MAC_BYTES:]
        if not any(hmac.compare_digest(mac, self._mac(key, body)) for key in self._keys):
            raise InvalidRefreshToken(detail="bad MAC")
        return RefreshClaim(
            session_id=uuid.UUID(bytes=body[:16]), generation=int.from_bytes(body[16:], "big")
        )

    @staticmethod
    def _mac(key: bytes, body: bytes) -> bytes:
        return hmac.digest(key, body, "sha256")


def _encode(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode("ascii")
