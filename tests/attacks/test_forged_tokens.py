"""Access tokens that we did not make (RFC 8725): none of them opens anything."""

from __future__ import annotations

import hmac
import json
import socket
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from joserfc.jwk import OKPKey, RSAKey

from tests.attacks.forgery import (
    as_json,
    assert_refused,
    b64,
    claims_of,
    header_of,
    our_key,
    show,
    signed,
)
from tests.contract.workers import another_worker
from watchword.testing import Running, SignedIn

pytestmark = pytest.mark.shapes("mounted-sqlite")


@pytest.fixture
def victim(watchword: Running) -> SignedIn:
    return watchword.login_as(role="admin")


def test_the_forger_of_these_tests_makes_good_tokens_when_it_has_our_key(
    watchword: Running, victim: SignedIn
) -> None:
    header, claims = header_of(victim.access_token), claims_of(victim.access_token)
    answer = show(watchword, signed(our_key(watchword), header, claims))
    assert answer.json()["id"] == victim.id


def test_alg_none_is_refused_however_it_is_spelt(watchword: Running, victim: SignedIn) -> None:
    header, claims = header_of(victim.access_token), claims_of(victim.access_token)
    signature = victim.access_token.rpartition(".")[2]
    others: tuple[object, ...] = ("none", "None", "NONE", "nOnE", "", None, "EdDSA ", ["EdDSA"], 0)
    for algorithm in others:
        forged = f"{b64(as_json(header | {'alg': algorithm}))}.{b64(as_json(claims))}."
        for end in ("", signature, b64(b"none")):
            assert_refused(watchword, forged + end, algorithm)
        # Nor does our own signature make up for it: the key fixes the algorithm.
        ours = signed(our_key(watchword), header | {"alg": algorithm}, claims)
        assert_refused(watchword, ours, algorithm)
    del header["alg"]
    assert_refused(watchword, signed(our_key(watchword), header, claims))


def _keys_to_confuse(running: Running) -> list[bytes]:
    public = running.auth.core.keyring._in_use.signing.key
    assert isinstance(public, OKPKey | RSAKey)
    jwk = running.client.get(f"{running.path}/.well-known/jwks.json").json()["keys"][0]
    return [
        public.as_pem(private=False),
        public.as_pem(private=False).strip(),
        public.as_der(private=False),
        json.dumps(jwk).encode(),
        json.dumps(jwk, separators=(",", ":")).encode(),
        str(jwk.get("x") or jwk.get("n")).encode(),
        b"",
    ]


def _hmac_signed(key: bytes, header: dict[str, Any], claims: dict[str, Any]) -> str:
    signing_input = f"{b64(as_json(header))}.{b64(as_json(claims))}"
    return f"{signing_input}.{b64(hmac.digest(key, signing_input.encode(), 'sha256'))}"


def test_the_public_key_is_no_hmac_secret(watchword: Running, victim: SignedIn) -> None:
    claims = claims_of(victim.access_token)
    header = header_of(victim.access_token) | {"alg": "HS256"}
    for key in _keys_to_confuse(watchword):
        assert_refused(watchword, _hmac_signed(key, header, claims), key)


@pytest.mark.watchword(algorithm="RS256")
def test_an_rsa_public_key_is_no_hmac_secret(watchword: Running, victim: SignedIn) -> None:
    claims = claims_of(victim.access_token)
    assert header_of(victim.access_token)["alg"] == "RS256"
    header = header_of(victim.access_token) | {"alg": "HS256"}
    for key in _keys_to_confuse(watchword):
        assert_refused(watchword, _hmac_signed(key, header, claims), key)


@pytest.mark.watchword(algorithm="HS256")
def test_the_shared_secret_signs_with_its_one_algorithm_only(
    watchword: Running, victim: SignedIn
) -> None:
    header, claims = header_of(victim.access_token), claims_of(victim.access_token)
    secret = watchword.auth.settings.secret_key
    assert secret is not None
    key = secret.reveal().encode()
    assert show(watchword, _hmac_signed(key, header, claims)).status_code == 200
    signing_input = f"{b64(as_json(header | {'alg': 'HS512'}))}.{b64(as_json(claims))}"
    longer = b64(hmac.digest(key, signing_input.encode(), "sha512"))
    assert_refused(watchword, f"{signing_input}.{longer}")
    assert_refused(watchword, _hmac_signed(b"", header, claims))
    assert_refused(watchword, _hmac_signed(b"secret", header, claims))


def test_kid_injection_finds_no_key(watchword: Running, victim: SignedIn) -> None:
    header, claims = header_of(victim.access_token), claims_of(victim.access_token)
    mine = Ed25519PrivateKey.generate()
    kids = (
        header["kid"],
        "../../../../dev/null",
        "/dev/null",
        "x' OR '1'='1",
        "x' UNION SELECT 'AA' -- ",
        "http://127.0.0.1:9/jwks.json",
        "",
        "\x00",
        "None",
        None,
        0,
        [header["kid"]],
        {"kid": header["kid"]},
        "k" * 2000,
    )
    for kid in kids:
        assert_refused(watchword, signed(mine, header | {"kid": kid}, claims), kid)
        assert_refused(watchword, _hmac_signed(b"", header | {"alg": "HS256", "kid": kid}, claims))
        if kid != header["kid"]:
            ours = signed(our_key(watchword), header | {"kid": kid}, claims)
            assert_refused(watchword, ours, kid)
    del header["kid"]
    assert_refused(watchword, signed(our_key(watchword), header, claims), "no kid")


def test_a_key_that_comes_with_the_token_is_never_followed(
    watchword: Running, victim: SignedIn
) -> None:
    claims = claims_of(victim.access_token)
    mine = Ed25519PrivateKey.generate()
    public = mine.public_key().public_bytes_raw()
    jwk = {"kty": "OKP", "crv": "Ed25519", "x": b64(public), "kid": "mine", "alg": "EdDSA"}
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        listener.setblocking(False)
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/keys"
        for extra in (
            {"jwk": jwk},
            {"jku": url},
            {"x5u": url},
            {"x5c": [b64(public)]},
            {"jku": url, "jwk": jwk, "x5u": url},
        ):
            for kid in ("mine", header_of(victim.access_token)["kid"]):
                header = header_of(victim.access_token) | {"kid": kid} | extra
                assert_refused(watchword, signed(mine, header, claims), extra)
        with pytest.raises(BlockingIOError):
            listener.accept()


def test_a_critical_extension_that_we_do_not_know_is_refused(
    watchword: Running, victim: SignedIn
) -> None:
    # RFC 7515, section 4.1.11: what is critical and not understood makes a token invalid.
    header, claims = header_of(victim.access_token), claims_of(victim.access_token)
    criticals: tuple[dict[str, object], ...] = (
        {"crit": ["exp"], "exp": 1},
        {"crit": ["http://example.com/x"], "http://example.com/x": True},
        {"crit": []},
        {"crit": "b64"},
        {"crit": ["b64"], "b64": False},
        {"crit": ["typ"]},
    )
    for critical in criticals:
        assert_refused(watchword, signed(our_key(watchword), header | critical, claims), critical)


def test_a_token_of_another_service_opens_nothing_here(
    watchword: Running, victim: SignedIn, tmp_path: Any
) -> None:
    elsewhere = tmp_path / "elsewhere"
    with another_worker(watchword, data_dir=elsewhere, database_url=None) as other:
        theirs = other.login_as(role="admin")
        assert theirs.get(f"{other.prefix}/auth/me").status_code == 200
        assert_refused(watchword, theirs.access_token)
        assert (
            theirs.client.get(f"{other.prefix}/auth/me", headers=victim.headers).status_code == 401
        )


def test_another_spelling_of_a_good_token_is_refused(watchword: Running, victim: SignedIn) -> None:
    token = victim.access_token
    header, payload, signature = token.split(".")
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    # The last character of 86 carries four spare bits: fifteen others decode to the same bytes.
    last = alphabet.index(signature[-1])
    twins = [alphabet[last ^ spare] for spare in range(1, 16)]
    for twin in twins:
        assert_refused(watchword, token[:-1] + twin, twin)
    for end in (
        "A",
        "=",
        "==",
        "=" * 8,
        ".",
        "..",
        ".x",
        f".{signature}",
        " x",
        "%00",
        "\x00",
        "!",
    ):
        assert_refused(watchword, token + end, end)
    for spelt in (
        f"{header}=.{payload}.{signature}",
        f"{header}.{payload}=.{signature}",
        f"{header}.{payload}.{signature[:40]} {signature[40:]}",
        f"{header}.{payload}.{signature[:40]}\t{signature[40:]}",
        f"{header}.{payload}.{signature[:40]}!{signature[40:]}",
        f"{header}.{payload}.{signature.replace('-', '+').replace('_', '/')}="
        if set("-_") & set(signature)
        else f"{header}.{payload}.{signature}+",
        f"{header}..{signature}",
        f".{payload}.{signature}",
        f"{header}.{payload}.",
        f"{header}.{payload}",
        f"{header}.{payload}.{signature[:-1]}",
        f"{header}.{payload}.{signature[4:]}",
        f"{header}.{payload}.{signature}.{payload}.{signature}",
        header,
        ".",
        "..",
        "....",
    ):
        assert_refused(watchword, spelt, spelt)
    assert show(watchword, token).status_code == 200


def test_a_huge_or_deep_token_costs_nothing_and_is_refused(
    watchword: Running, victim: SignedIn
) -> None:
    header, claims = header_of(victim.access_token), claims_of(victim.access_token)
    ours = our_key(watchword)
    assert_refused(watchword, signed(ours, header, claims | {"x": "x" * 4000}), "too long")
    for length in (5_000, 50_000):
        assert_refused(watchword, "A" * length)
        assert_refused(watchword, "." * length)
        assert_refused(watchword, f"{b64(b'[' * length)}.e30.e30")
    for deep in (
        b"[" * 1400,
        b'{"a":' * 300,
        b"[" * 1000 + b"]" * 1000,
        b"9" * 1500,
        b"-",
        b"\xff",
    ):
        assert_refused(watchword, signed(ours, deep, claims), deep[:9])
        assert_refused(watchword, signed(ours, header, deep), deep[:9])
        inside = as_json(claims)[:-1] + b',"x":' + deep + b"}"
        answer = show(watchword, signed(ours, header, inside))
        # What nests too deep or is no JSON is refused; a long number merely says nothing to us.
        assert answer.status_code == 401 or (answer.status_code == 200 and deep[-1:] in b"]9")


def test_of_a_claim_that_comes_twice_the_first_never_counts(
    watchword: Running, victim: SignedIn
) -> None:
    # RFC 7519, section 4: refuse it, or take the last, as the verifiers of others do.
    thief = watchword.login_as()
    header, claims = header_of(thief.access_token), claims_of(thief.access_token)
    doubled = f'{{"sub":"{victim.id}",'.encode() + as_json(claims)[1:]
    answer = show(watchword, signed(our_key(watchword), header, doubled))
    assert answer.status_code == 401 or answer.json()["id"] == thief.id
    expired = b'{"exp":4102444800,' + as_json(claims | {"exp": 1})[1:]
    assert_refused(watchword, signed(our_key(watchword), header, expired))
    mine = Ed25519PrivateKey.generate()
    twice = b'{"alg":"none","kid":"mine",' + as_json(header)[1:]
    assert_refused(watchword, signed(mine, twice, claims))
