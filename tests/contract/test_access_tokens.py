"""Access tokens as others verify them: RFC 9068's claims, by PyJWT and the published keys."""

from __future__ import annotations

import uuid
from typing import Any

import jwt
import pytest

from tests.contract.problems import assert_problem
from watchword.testing import Running

pytestmark = pytest.mark.shapes("mounted-sqlite")

SECRET = "a-secret-key-of-the-tests-0123456789-abcdefgh"


def verified(running: Running, token: str, algorithm: str) -> dict[str, Any]:
    """The claims, as a resource server reads them with PyJWT and our JWKS."""
    answer = running.client.get(f"{running.path}/.well-known/jwks.json")
    assert answer.status_code == 200
    assert "max-age" in answer.headers["cache-control"]
    keys = answer.json()["keys"]
    assert not [key for key in keys if set(key) & {"d", "p", "q", "dp", "dq", "qi", "k"}]
    assert all(key["use"] == "sig" and key["alg"] == algorithm for key in keys)
    kid = jwt.get_unverified_header(token)["kid"]
    key = next(key for key in jwt.PyJWKSet.from_dict({"keys": keys}).keys if key.key_id == kid)
    base = running.auth.settings.base_url
    claims: dict[str, Any] = jwt.decode(
        token, key, algorithms=[algorithm], audience=base, issuer=base
    )
    return claims


def check_the_published_keys_verify(running: Running, algorithm: str) -> None:
    somebody = running.login_as()
    claims = verified(running, somebody.access_token, algorithm)
    assert claims["sub"] == str(somebody.id)
    assert jwt.get_unverified_header(somebody.access_token)["typ"] == "at+jwt"


@pytest.mark.watchword(algorithm="EdDSA")
def test_eddsa_tokens_verify_by_the_published_keys(watchword: Running) -> None:
    check_the_published_keys_verify(watchword, "EdDSA")


@pytest.mark.watchword(algorithm="ES256")
def test_es256_tokens_verify_by_the_published_keys(watchword: Running) -> None:
    check_the_published_keys_verify(watchword, "ES256")


@pytest.mark.watchword(algorithm="RS256")
def test_rs256_tokens_verify_by_the_published_keys(watchword: Running) -> None:
    check_the_published_keys_verify(watchword, "RS256")


@pytest.mark.watchword(algorithm="HS256", secret_key=SECRET)
def test_hs256_tokens_verify_by_the_secret_key_as_in_the_tutorial(watchword: Running) -> None:
    somebody = watchword.login_as()
    claims = jwt.decode(
        somebody.access_token,
        SECRET,
        algorithms=["HS256"],
        audience=watchword.auth.settings.base_url,
    )
    assert claims["sub"] == str(somebody.id)
    keys = watchword.client.get(f"{watchword.path}/.well-known/jwks.json").json()
    assert keys == {"keys": []}, "a shared key is never published"
    other = jwt.encode(claims, "x" * 40, algorithm="HS256")
    bearer = {"Authorization": f"Bearer {other}"}
    assert_problem(watchword.client.get(f"{watchword.prefix}/auth/me", headers=bearer), 401)


@pytest.mark.watchword(access_token_expire_minutes=5, audience="urn:example:api")
def test_the_claims_are_those_of_rfc_9068(watchword: Running) -> None:
    somebody = watchword.login_as(role="guest", verified=False)
    claims = jwt.decode(somebody.access_token, options={"verify_signature": False})
    assert claims["iss"] == watchword.auth.settings.base_url
    assert claims["aud"] == "urn:example:api"
    assert claims["sub"] == str(somebody.id)
    assert claims["exp"] - claims["iat"] == 300
    assert claims["auth_time"] <= claims["iat"]
    assert uuid.UUID(claims["jti"]) != uuid.UUID(claims["sid"])
    assert claims["client_id"]
    assert claims["amr"] == ["pwd"]
    assert (claims["role"], claims["verified"]) == ("guest", False)
    assert isinstance(claims["scope"], str)
    assert not {"email", "username", "password", "hashed_password"} & set(claims)
    again = watchword.sign_in(somebody.user["username"])
    other = jwt.decode(again.access_token, options={"verify_signature": False})
    assert {claims["jti"], claims["sid"]}.isdisjoint({other["jti"], other["sid"]})
    assert somebody.get(f"{watchword.prefix}/auth/me").status_code == 200
    watchword.clock.turn(minutes=4, seconds=55)
    assert somebody.get(f"{watchword.prefix}/auth/me").status_code == 200
    watchword.clock.turn(seconds=6)
    assert_problem(somebody.get(f"{watchword.prefix}/auth/me"), 401)
