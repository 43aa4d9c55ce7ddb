"""Making tokens that no library would make: any header, any payload, any spelling."""

from __future__ import annotations

import base64
import json
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from httpx2 import Response

from tests.contract.problems import assert_problem
from watchword.testing import Running


def b64(raw: bytes) -> str:
    """The one spelling of base64url that JOSE knows."""
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def as_json(value: bytes | dict[str, Any]) -> bytes:
    """JSON as we write it; what is bytes already stays as odd as it is."""
    return value if isinstance(value, bytes) else json.dumps(value, separators=(",", ":")).encode()


def our_key(running: Running) -> Ed25519PrivateKey:
    """The private key that this Watchword signs with."""
    key = running.auth.core.keyring._in_use.signing.key.private_key
    assert isinstance(key, Ed25519PrivateKey)
    return key


def header_of(token: str) -> dict[str, Any]:
    return dict(jwt.get_unverified_header(token))


def claims_of(token: str) -> dict[str, Any]:
    claims: dict[str, Any] = jwt.decode(token, options={"verify_signature": False})
    return claims


def signed(
    key: Ed25519PrivateKey, header: bytes | dict[str, Any], claims: bytes | dict[str, Any]
) -> str:
    """A token of this header and these claims, whatever they are, well signed by the key."""
    signing_input = f"{b64(as_json(header))}.{b64(as_json(claims))}"
    return f"{signing_input}.{b64(key.sign(signing_input.encode()))}"


def show(running: Running, token: str) -> Response:
    """What the token opens: the route that reads the row of whom it speaks of."""
    bearer = {"Authorization": f"Bearer {token}"}
    return running.client.get(f"{running.prefix}/auth/me", headers=bearer)


def assert_refused(running: Running, token: str, why: object = None) -> None:
    """The token opens nothing, and the answer does not say what was wrong with it."""
    answer = show(running, token)
    assert answer.status_code == 401, (why, answer.text)
    assert_problem(answer, 401, "Could not validate credentials")
    assert 'error="invalid_token"' in answer.headers["www-authenticate"]
