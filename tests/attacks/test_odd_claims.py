"""Well-signed tokens whose claims are off: what a leaked key or a bug elsewhere would make."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.attacks.forgery import (
    as_json,
    assert_refused,
    claims_of,
    header_of,
    our_key,
    show,
    signed,
)
from tests.contract.problems import assert_problem
from watchword.testing import Running, SignedIn

pytestmark = pytest.mark.shapes("mounted-sqlite")

MISSING = object()


def forge(running: Running, person: SignedIn, header: dict[str, Any], **claims: Any) -> str:
    wanted = {
        k: v for k, v in (claims_of(person.access_token) | claims).items() if v is not MISSING
    }
    return signed(our_key(running), header_of(person.access_token) | header, wanted)


def raw(running: Running, person: SignedIn, name: str, value: str) -> str:
    """A token with a value that no JSON library writes."""
    claims = claims_of(person.access_token)
    claims.pop(name, None)
    text = as_json(claims)[:-1] + f',"{name}":{value}}}'.encode()
    return signed(our_key(running), header_of(person.access_token), text)


def test_times_that_are_no_numeric_dates_are_refused(watchword: Running) -> None:
    person = watchword.login_as()
    now = claims_of(person.access_token)["iat"]
    odd: tuple[object, ...] = (
        str(now + 600),
        True,
        now + 600.5,
        -1,
        -(now + 600),
        2**63,
        2**64,
        253_402_300_800,
        None,
        [],
        [now + 600],
        {},
        "",
        MISSING,
    )
    for name in ("exp", "iat", "auth_time", "nbf"):
        for value in odd:
            if (name, value) != ("nbf", MISSING):
                assert_refused(
                    watchword, forge(watchword, person, {}, **{name: value}), (name, value)
                )
        for value in ("1e400", "-1e400", "1e10", "NaN", "Infinity", "9" * 400, "0x7fffffff", "01"):
            assert_refused(watchword, raw(watchword, person, name, value), (name, value))
    assert show(watchword, forge(watchword, person, {}, nbf=now)).status_code == 200
    assert show(watchword, raw(watchword, person, "exp", str(now + 600))).status_code == 200


def test_expired_early_and_future_tokens_are_refused(watchword: Running) -> None:
    person = watchword.login_as()
    now = claims_of(person.access_token)["iat"]
    assert_refused(watchword, forge(watchword, person, {}, exp=now - 1), "expired")
    assert_refused(watchword, forge(watchword, person, {}, exp=0), "expired long ago")
    assert_refused(watchword, forge(watchword, person, {}, nbf=now + 300), "not yet valid")
    assert_refused(watchword, forge(watchword, person, {}, iat=now + 300), "from the future")
    watchword.clock.turn(minutes=29, seconds=50)
    assert show(watchword, person.access_token).status_code == 200
    watchword.clock.turn(seconds=11)
    assert_refused(watchword, person.access_token, "expired")


def test_another_issuer_or_audience_is_refused(watchword: Running) -> None:
    person = watchword.login_as()
    ours = watchword.auth.settings.base_url
    for value in (
        "https://evil.example",
        f"{ours}/",
        ours.upper(),
        f"{ours}.evil.example",
        "",
        None,
        MISSING,
        [ours],
        [ours, "https://evil.example"],
        {ours: ours},
        True,
    ):
        assert_refused(watchword, forge(watchword, person, {}, iss=value), ("iss", value))
        assert_refused(watchword, forge(watchword, person, {}, aud=value), ("aud", value))


def test_a_token_of_another_kind_is_no_access_token(watchword: Running) -> None:
    person = watchword.login_as()
    kinds = ("JWT", "jwt", "id+jwt", "logout+jwt", "secevent+jwt", "dpop+jwt", "", None, 1)
    for kind in kinds:
        assert_refused(watchword, forge(watchword, person, {"typ": kind}), kind)
    header = header_of(person.access_token)
    del header["typ"]
    claims = claims_of(person.access_token)
    assert_refused(watchword, signed(our_key(watchword), header, claims), "no typ")
    # An ID token has an issuer, a subject and a signature of ours as well (OIDC Core, section 2).
    kept = ("iss", "sub", "aud", "exp", "iat", "auth_time", "amr")
    id_token = {name: claims[name] for name in kept} | {"nonce": "n"}
    for kind in ("JWT", "at+jwt"):
        token = signed(our_key(watchword), header | {"typ": kind}, id_token)
        assert_refused(watchword, token, "id token")


def test_a_subject_that_is_no_user_id_is_refused(watchword: Running) -> None:
    person = watchword.login_as()
    for value in (
        "",
        "-1",
        "+1",
        " 1",
        "1 ",
        "1.0",
        "1e0",
        "0x1",
        "1_0",
        "１",
        "١",
        person.user["username"],
        person.id,
        True,
        None,
        MISSING,
        [str(person.id)],
        "0",
        str(2**63 - 1),
        str(2**63),
        "9" * 19,
        "1" * 20,
        "1" * 400,
    ):
        assert_refused(watchword, forge(watchword, person, {}, sub=value), value)


def test_every_other_claim_must_be_what_it_is_said_to_be(watchword: Running) -> None:
    person = watchword.login_as()
    for name in ("jti", "sid", "client_id", "scope", "role"):
        for value in (None, MISSING, 1, True, [], {}):
            assert_refused(watchword, forge(watchword, person, {}, **{name: value}), (name, value))
    for name, values in {
        "amr": (None, MISSING, "pwd", [1], [None], {}),
        "verified": (None, MISSING, 1, 0, "true", "false"),
        "epoch": (None, MISSING, "1", -1, True, 1.0, []),
    }.items():
        for value in values:
            assert_refused(watchword, forge(watchword, person, {}, **{name: value}), (name, value))
    for claims in (b"[]", b"null", b'"x"', b"1", b"{}", b"", b"\xef\xbb\xbf{}", b"{} {}"):
        token = signed(our_key(watchword), header_of(person.access_token), claims)
        assert_refused(watchword, token, claims)


def test_an_odd_session_id_ends_nobody_elses_session(watchword: Running) -> None:
    person, other = watchword.login_as(), watchword.login_as()
    theirs = claims_of(other.access_token)["sid"]
    for sid in ("", "x", "%", "' OR 1=1 --", theirs, theirs.upper(), "0" * 36):
        bearer = {"Authorization": f"Bearer {forge(watchword, person, {}, sid=sid)}"}
        for path in ("/auth/logout", "/auth/password/change"):
            body = {"current_password": person.password, "new_password": person.password + "!"}
            answer = watchword.client.post(watchword.prefix + path, headers=bearer, json=body)
            assert answer.status_code < 500, (sid, path, answer.text)
        assert (
            watchword.client.get(f"{watchword.prefix}/auth/sessions", headers=bearer).status_code
            < 500
        )
    assert other.get(f"{watchword.prefix}/auth/me").status_code == 200


def test_a_role_that_only_the_token_claims_opens_no_door(watchword: Running) -> None:
    person = watchword.login_as()
    for role in ("admin", "root", ""):
        token = forge(watchword, person, {}, role=role)
        bearer = {"Authorization": f"Bearer {token}"}
        answer = watchword.client.get(f"{watchword.prefix}/users/stats/count", headers=bearer)
        assert_problem(answer, 403)


def test_the_refusal_never_says_what_was_wrong(watchword: Running) -> None:
    person = watchword.login_as()
    tokens = (
        "x",
        forge(watchword, person, {}, exp=1),
        forge(watchword, person, {}, iss="https://evil.example"),
        forge(watchword, person, {"kid": "mine"}),
        person.access_token[:-4] + "AAAA",
    )
    said = set()
    for token in tokens:
        answer = show(watchword, token)
        problem = answer.json() | {"request_id": ""}
        said.add(json.dumps(problem) + answer.headers["www-authenticate"])
    assert len(said) == 1
