"""Keys change, and nobody notices: the signing keys, and SECRET_KEY itself."""

from __future__ import annotations

import jwt
import pytest

from tests.contract.problems import assert_problem
from tests.contract.workers import another_worker, seen_from
from watchword.core import Core
from watchword.errors import ConfigurationError
from watchword.keys import service as keys
from watchword.mount.background import keep_house, reload_keys
from watchword.secret import Secret
from watchword.testing import Running

NEW_SECRET = Secret("nUq7Vt0rWm3xKpZ9sYfJ2hLdQbEcGa5T8vRiO1oN")


async def rotate(core: Core) -> None:
    """What ``watchword keys rotate`` does, and what each worker then does by itself."""
    await keys.rotate(core.database, core.sealer, core.settings)
    await reload_keys(core)


def published(running: Running) -> set[str]:
    answer = running.client.get(f"{running.path}/.well-known/jwks.json")
    return {key["kid"] for key in answer.json()["keys"]}


def kid_of(token: str) -> str:
    return str(jwt.get_unverified_header(token)["kid"])


@pytest.mark.shapes("mounted-sqlite", "mounted-postgres")
def test_keys_rotate_and_nobody_notices(watchword: Running) -> None:
    me = f"{watchword.prefix}/auth/me"
    before = watchword.login_as()
    old = kid_of(before.access_token)
    assert len(published(watchword)) == 2, "the next key is published before it signs"
    coming = (published(watchword) - {old}).pop()
    watchword.clock.turn(minutes=2)
    with another_worker(watchword) as slow:
        watchword.call(rotate)
        assert before.get(me).status_code == 200
        after = watchword.sign_in(before.user["username"])
        assert kid_of(after.access_token) == coming
        assert {old, coming} < published(watchword)
        assert len(published(watchword)) == 3, "next, active and retiring"
        # A worker that has not looked yet accepts what the others sign, and they what it signs.
        assert coming in published(slow)
        assert seen_from(slow, after.headers) == 200
        still = slow.sign_in(before.user["username"])
        assert kid_of(still.access_token) == old
        assert seen_from(watchword, still.headers) == 200

    watchword.clock.turn(minutes=28)
    watchword.call(keep_house)
    watchword.call(reload_keys)
    assert old in published(watchword), "its last token may still be about"
    refreshed = watchword.client.post(
        f"{watchword.prefix}/auth/refresh", json={"refresh_token": before.refresh_token}
    )
    assert refreshed.status_code == 200
    watchword.clock.turn(minutes=5)
    watchword.call(keep_house)
    watchword.call(reload_keys)
    assert old not in published(watchword)
    bearer = {"Authorization": f"Bearer {refreshed.json()['access_token']}"}
    assert seen_from(watchword, bearer) == 200


def test_a_new_secret_key_opens_what_the_previous_one_closed(watchword: Running) -> None:
    somebody = watchword.login_as(verified=False)
    somebody.post(f"{watchword.prefix}/auth/email/verification/request")
    old = watchword.auth.settings.secret_key
    assert old is not None
    with another_worker(watchword, secret_key=NEW_SECRET, secret_key_previous=(old,)) as renewed:
        assert seen_from(renewed, somebody.headers) == 200
        assert renewed.mailbox.last(to=somebody.user["email"]).token
        refresh = f"{renewed.prefix}/auth/refresh"
        turned = renewed.client.post(refresh, json={"refresh_token": somebody.refresh_token})
        assert turned.status_code == 200
        # What the new key makes, the old one alone does not open.
        fresh = {"refresh_token": turned.json()["refresh_token"]}
        assert_problem(watchword.client.post(f"{watchword.prefix}/auth/refresh", json=fresh), 401)
        assert renewed.client.post(refresh, json=fresh).status_code == 200


@pytest.mark.shapes("mounted-sqlite")
def test_a_new_secret_key_without_the_previous_one_does_not_start(watchword: Running) -> None:
    with (
        pytest.raises(ConfigurationError, match="SECRET_KEY_PREVIOUS"),
        another_worker(watchword, secret_key=NEW_SECRET),
    ):
        pytest.fail("it started")


@pytest.mark.shapes("mounted-sqlite")
@pytest.mark.watchword(algorithm="HS256")
def test_tokens_of_the_previous_secret_key_live_on_with_hs256(watchword: Running) -> None:
    somebody = watchword.login_as()
    old = watchword.auth.settings.secret_key
    assert old is not None
    with another_worker(watchword, secret_key=NEW_SECRET, secret_key_previous=(old,)) as renewed:
        assert seen_from(renewed, somebody.headers) == 200
        assert kid_of(renewed.sign_in(somebody.user["username"]).access_token) != kid_of(
            somebody.access_token
        )
    with another_worker(watchword, secret_key=NEW_SECRET) as forgetful:
        assert seen_from(forgetful, somebody.headers) == 401


@pytest.mark.shapes("mounted-sqlite")
def test_another_algorithm_takes_over_beside_the_old_tokens(watchword: Running) -> None:
    somebody = watchword.login_as()
    with another_worker(watchword, algorithm="ES256") as renewed:
        assert seen_from(renewed, somebody.headers) == 200
        fresh = renewed.sign_in(somebody.user["username"])
        assert jwt.get_unverified_header(fresh.access_token)["alg"] == "ES256"
