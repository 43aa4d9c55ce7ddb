"""The verifier: from a string to claims that can be believed, or InvalidToken."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any, TypeAlias

from joserfc.errors import JoseError
from joserfc.util import json_b64decode, urlsafe_b64decode

from watchword.verify.errors import InvalidToken, UnknownKey
from watchword.verify.keys import KeySet, VerificationKey
from watchword.verify.token import AccessToken

# Ours are some 700 bytes. A longer one is refused before anything is parsed.
MAX_TOKEN_BYTES = 4096

# NumericDates that datetime can hold: an odd ``exp`` must be refused, not overflow later.
_MAX_DATE = 253_402_300_799

# User ids are what a database's 64-bit column holds, session ids are UUIDs.
_MAX_ID = 2**63 - 1
_USER_ID = re.compile(r"[0-9]{1,19}")
_SESSION_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")

# Tokens of one key share a few spellings of their header; more than this is nobody's.
_MOST_HEADERS = 64

# A verified token, and between which moments (seconds since the epoch) it is good.
_Remembered: TypeAlias = tuple[AccessToken, float, float]


class Verifier:
    """Checks access tokens of one issuer for one audience (RFC 9068, section 4).

    ``keys`` gives the present key set, ``now`` the time in seconds since the epoch, and
    ``is_revoked`` says whether a token that is otherwise good has been revoked; all three are
    memory look-ups. ``leeway`` (seconds) is how far the issuer's clock may be ahead or behind.

    A token older than ``longest_life`` (seconds) is expired whatever it says: revocations are kept
    for as long as the present setting lets a token live, and one that outlived its own would be
    good again.

    A token that has been verified is remembered (``cache_size`` of them): its signature is not
    checked again, its expiry and revocation are, on every call.
    """

    def __init__(
        self,
        *,
        issuer: str,
        audience: str,
        keys: Callable[[], KeySet],
        now: Callable[[], float],
        is_revoked: Callable[[AccessToken], bool],
        leeway: float = 0,
        longest_life: float = float("inf"),
        cache_size: int = 10_000,
    ) -> None:
        self._issuer = issuer
        self._audience = audience
        self._keys = keys
        self._now = now
        self._is_revoked = is_revoked
        self._leeway = leeway
        self._longest_life = longest_life
        self._cache_size = cache_size
        self._known_keys = keys()
        self._tokens: dict[str | bytes, _Remembered] = {}
        self._headers: dict[str, VerificationKey] = {}

    def verify(self, token: str) -> AccessToken:
        """The token's claims. Raises InvalidToken when anything at all is wrong with it."""
        if self._keys() is not self._known_keys:
            self._use_other_keys()
        remembered = self._tokens.get(token)
        if remembered is None:
            remembered = self._remember(token, self._check(token))
        return self._live(token, remembered)

    def verify_header(self, value: bytes) -> AccessToken | None:
        """The claims of an Authorization header; none where it is of another scheme than Bearer.

        What every request does: a header that is remembered as it was sent is not taken apart and
        copied to be found again. Raises InvalidToken.
        """
        if self._keys() is not self._known_keys:
            self._use_other_keys()
        remembered = self._tokens.get(value)
        if remembered is None:
            token = bearer_in(value)
            if token is None:
                return None
            remembered = self._remember(value, self._check(token))
        return self._live(value, remembered)

    def _use_other_keys(self) -> None:
        # What a retired key has signed must not live on in the memory of it.
        self._known_keys, self._tokens, self._headers = self._keys(), {}, {}

    def _live(self, sent: str | bytes, remembered: _Remembered) -> AccessToken:
        access, begins, ends = remembered
        now = self._now()
        if now >= ends:
            self._tokens.pop(sent, None)
            raise InvalidToken("expired")
        if now < begins:
            raise InvalidToken("issued in the future")
        if self._is_revoked(access):
            raise InvalidToken("revoked")
        return access

    def _remember(self, sent: str | bytes, access: AccessToken) -> _Remembered:
        ends = min(access.expires_at, access.issued_at + self._longest_life) + self._leeway
        remembered = (access, access.issued_at - self._leeway - 60, ends)
        if self._cache_size > 0:
            if len(self._tokens) >= self._cache_size:
                # dicts keep their order: the one that came first goes first.
                self._tokens.pop(next(iter(self._tokens)), None)
            self._tokens[sent] = remembered
        return remembered

    def _check(self, token: str) -> AccessToken:
        if len(token) > MAX_TOKEN_BYTES:
            raise InvalidToken("too long")
        header, _, rest = token.partition(".")
        payload, _, signature = rest.partition(".")
        try:
            key = self._headers.get(header) or self._key_named_by(header)
            signed = f"{header}.{payload}".encode("ascii")
            if not key.verify(signed, urlsafe_b64decode(signature.encode("ascii"))):
                raise InvalidToken("bad signature")
            claims = json.loads(urlsafe_b64decode(payload.encode("ascii")))
        except (JoseError, ValueError, TypeError, KeyError, RecursionError) as error:
            raise InvalidToken(f"malformed: {type(error).__name__}") from error
        if not isinstance(claims, dict):
            raise InvalidToken("claims are no object")
        # Kept only now: a header that nobody has signed must not fill the memory.
        if len(self._headers) < _MOST_HEADERS:
            self._headers[header] = key
        return self._read(claims)

    def _key_named_by(self, segment: str) -> VerificationKey:
        header = json_b64decode(segment.encode("ascii"))
        if not isinstance(header, dict):
            raise InvalidToken("the header is no object")
        kid = header.get("kid")
        key = self._known_keys.get(kid) if isinstance(kid, str) else None
        if key is None:
            raise UnknownKey("no such key")
        # RFC 9068, section 4: only at+jwt, so that no other kind of token of ours (ID token,
        # logout token) passes for an access token.
        if header.get("typ") != "at+jwt":
            raise InvalidToken("not an access token")
        if header.get("alg") != key.algorithm:
            raise InvalidToken("another algorithm than the key's")
        # We know no extension, and an empty list is none (RFC 7515, section 4.1.11).
        if "crit" in header:
            raise InvalidToken("a critical extension")
        key.registry.check_header(header)
        return key

    def _read(self, claims: dict[str, Any]) -> AccessToken:
        if claims.get("iss") != self._issuer:
            raise InvalidToken("another issuer")
        if claims.get("aud") != self._audience:
            raise InvalidToken("another audience")
        if "nbf" in claims and _date(claims, "nbf") > self._now() + self._leeway:
            raise InvalidToken("not yet valid")
        scope = _text(claims, "scope")
        amr = claims.get("amr")
        if not isinstance(amr, list) or not all(isinstance(method, str) for method in amr):
            raise InvalidToken("amr is no list of names")
        verified = claims.get("verified")
        if not isinstance(verified, bool):
            raise InvalidToken("verified is no boolean")
        subject = _text(claims, "sub")
        if not _USER_ID.fullmatch(subject) or int(subject) > _MAX_ID:
            raise InvalidToken("sub is no user id")
        # In its one spelling: another would look like a session that nobody has revoked.
        session_id = _text(claims, "sid")
        if not _SESSION_ID.fullmatch(session_id):
            raise InvalidToken("sid is no session id")
        return AccessToken(
            issuer=self._issuer,
            audience=self._audience,
            subject=subject,
            client_id=_text(claims, "client_id"),
            scopes=frozenset(scope.split()),
            issued_at=_date(claims, "iat"),
            expires_at=_date(claims, "exp"),
            token_id=_text(claims, "jti"),
            session_id=session_id,
            auth_time=_date(claims, "auth_time"),
            amr=tuple(amr),
            role=_text(claims, "role"),
            verified=verified,
            epoch=_whole(claims, "epoch"),
        )


def _text(claims: dict[str, Any], name: str) -> str:
    value = claims.get(name)
    if not isinstance(value, str):
        raise InvalidToken(f"{name} is no text")
    return value


def _whole(claims: dict[str, Any], name: str) -> int:
    value = claims.get(name)
    # bool is an int in Python: "exp": true would be the second after the epoch.
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise InvalidToken(f"{name} is no whole number")
    return value


def _date(claims: dict[str, Any], name: str) -> int:
    value = _whole(claims, name)
    if value > _MAX_DATE:
        raise InvalidToken(f"{name} is out of range")
    return value


def bearer_in(value: bytes) -> str | None:
    """The token in an Authorization header (RFC 6750, section 2.1), or none of another scheme."""
    scheme, _, token = value.partition(b" ")
    if scheme.lower() != b"bearer":
        return None
    # Bytes that no token has are kept as characters that none has either.
    return token.strip().decode("latin-1")
