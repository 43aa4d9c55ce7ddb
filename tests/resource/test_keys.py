"""The keys of a service elsewhere: learnt in time, fetched seldom, and nobody else's."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest
from joserfc import jws
from joserfc.jwk import OctKey

from tests.resource.issuer import (
    JWKS,
    Answer,
    Clock,
    Issuer,
    answer,
    issuer,
    resource_server,
    wait_for,
)
from watchword.verify import CannotKnow, InvalidToken, ResourceServer, UnknownKey
from watchword.verify.keys import OneAlgorithm


@pytest.fixture
def known() -> Iterator[Issuer]:
    with issuer() as one:
        yield one


def verify(resource: ResourceServer, token: str) -> str:
    return asyncio.run(resource.verify_or_refresh(token)).subject


def test_a_key_that_is_new_is_learnt_with_the_first_token_that_names_it(known: Issuer) -> None:
    with resource_server(known) as resource:
        assert verify(resource, known.token()) == "7"
        known.add_key("second")
        with pytest.raises(UnknownKey):
            # Who can't wait is refused once; the keys are looked for all the same.
            resource.verify(known.token("second"))
        assert verify(resource, known.token("second")) == "7"
        assert known.asked[JWKS] == 2


def test_a_flood_of_made_up_key_ids_costs_one_fetch_and_turns_nobody_away(known: Issuer) -> None:
    clock = Clock()
    with resource_server(known, monotonic=clock) as resource:
        known.answers[JWKS] = slowly = _after(0.2, known.answers[JWKS])

        async def flood(count: int) -> list[str]:
            made_up = [known.token(named=f"made-up-{number}") for number in range(count)]
            coming = [resource.verify_or_refresh(token) for token in [*made_up, known.token()]]
            outcomes = await asyncio.gather(*coming, return_exceptions=True)
            return [type(outcome).__name__ for outcome in outcomes]

        for fetches in (2, 2, 3):
            if fetches == 3:
                clock.ahead += 31
            assert asyncio.run(flood(300)) == ["UnknownKey"] * 300 + ["AccessToken"]
            assert known.asked[JWKS] == fetches
        assert known.answers[JWKS] is slowly


def _after(seconds: float, then: Answer) -> Answer:
    def wait(request: BaseHTTPRequestHandler) -> None:
        time.sleep(seconds)
        then(request)

    return wait


def _trickle(request: BaseHTTPRequestHandler) -> None:
    request.send_response(200)
    request.end_headers()
    try:
        for _ in range(200):
            request.wfile.write(b" ")
            time.sleep(0.05)
    except OSError:
        return


BAD_ANSWERS: dict[str, Answer] = {
    "an error": lambda request: answer(request, b"", 500),
    "no JSON": lambda request: answer(request, b"\xff<html>"),
    "too deep": lambda request: answer(request, b"[" * 100_000),
    "no JWK set": lambda request: answer(request, ["keys"]),
    "keys of no kind": lambda request: answer(request, {"keys": {"kid": "first"}}),
    "no keys": lambda request: answer(request, {"keys": []}),
    "only nonsense": lambda request: answer(request, {"keys": [None, 1, {}, {"kid": "x"}]}),
    "too much": lambda request: answer(request, b'{"keys":[' + b" " * 300_000 + b"]}"),
    "nothing": lambda request: request.wfile.write(b""),
    "no HTTP": lambda request: request.wfile.write(b"\0" * 100),
}


def test_an_answer_that_is_no_good_leaves_the_keys_as_they_are(known: Issuer) -> None:
    clock = Clock()
    with resource_server(known, monotonic=clock) as resource:
        for name, bad in BAD_ANSWERS.items():
            known.answers[JWKS] = bad
            clock.ahead += 31
            before = known.asked[JWKS]
            with pytest.raises(UnknownKey):
                verify(resource, known.token(named="made-up"))
            assert known.asked[JWKS] > before, name
            assert verify(resource, known.token()) == "7", name


def test_keys_that_trickle_in_are_given_up(known: Issuer) -> None:
    clock = Clock()
    with resource_server(known, monotonic=clock) as resource:
        known.answers[JWKS] = _trickle
        with pytest.raises(UnknownKey):
            resource.verify(known.token(named="made-up"))
        fetched = resource._keys.ask()
        assert fetched is not None
        wait_for(lambda: known.asked[JWKS] == 2)
        clock.ahead += 6
        fetched.result(timeout=3)
        assert verify(resource, known.token()) == "7"


def test_a_redirect_to_another_host_is_not_followed(known: Issuer) -> None:
    with issuer() as thief:
        location = thief.url + JWKS
        known.answers[JWKS] = lambda request: answer(request, b"", 302, Location=location)
        with ResourceServer(known.url) as resource:
            # The second time it has certainly read the first answer.
            wait_for(lambda: known.asked[JWKS] > 1)
            with pytest.raises(CannotKnow):
                resource.verify(thief.token(iss=known.url, aud=known.url))
        assert thief.asked[JWKS] == 0


def test_one_odd_entry_does_not_cost_the_others_and_a_published_secret_is_no_key(
    known: Issuer,
) -> None:
    secret = OctKey.import_key("published-so-that-everybody-knows-it")
    odd: list[Any] = [
        None,
        "text",
        {"kid": "a", "alg": "EdDSA", "kty": "OKP", "crv": "Ed25519", "x": "!"},
        {"kid": "b", "alg": "EdDSA", "kty": "none"},
        {"kid": ["c"], "alg": "EdDSA", "kty": "OKP"},
        {**secret.as_dict(private=True), "kid": "shared", "alg": "HS256"},
    ]
    mixed = {"keys": [*odd, *known.jwks()["keys"]]}
    known.answers[JWKS] = lambda request: answer(request, mixed)
    with resource_server(known) as resource:
        good = known.token()
        assert verify(resource, good) == "7"
        header = {"alg": "HS256", "typ": "at+jwt", "kid": "shared"}
        claims = jws.extract_compact(good.encode()).payload
        forged = jws.serialize_compact(header, claims, secret, registry=OneAlgorithm("HS256"))
        with pytest.raises(InvalidToken):
            verify(resource, forged)


def test_before_the_keys_are_there_nobody_is_refused_for_good() -> None:
    with issuer() as known:
        known.answers[JWKS] = BAD_ANSWERS["an error"]
        with ResourceServer(known.url) as resource:
            with pytest.raises(CannotKnow):
                verify(resource, known.token())
            assert not resource.is_ready()


@pytest.mark.parametrize(
    "address",
    [
        "http://id.example.org",
        "http://localhost.example.org",
        "http://127.0.0.1@id.example.org",
        "ftp://localhost",
        "file:///etc/keys.json",
        "https://",
        "id.example.org",
        "https://id.example.org?to=",
    ],
)
def test_an_address_that_others_could_answer_for_is_refused(address: str) -> None:
    with pytest.raises(ValueError, match="https"):
        ResourceServer(address)
    with pytest.raises(ValueError, match="https"):
        ResourceServer("https://id.example.org", feed_url=address, feed_token="t")


def test_an_empty_feed_token_does_not_quietly_turn_revocation_off() -> None:
    with pytest.raises(ValueError, match="token"):
        ResourceServer("https://id.example.org", feed_token="")
