"""A token of one kind, purpose or service offered where another is asked for."""

from __future__ import annotations

import base64

import pytest

from tests.attacks.forgery import assert_refused, b64, show
from tests.contract.problems import assert_problem
from watchword.admin import setup
from watchword.core import Core
from watchword.testing import Running
from watchword.testing.running import PASSWORD

pytestmark = pytest.mark.shapes("mounted-sqlite")

NEW = "quiet-lantern-by-the-sea"


def refuse_refresh(running: Running, token: str) -> None:
    body = {"refresh_token": token}
    answer = running.client.post(f"{running.prefix}/auth/refresh", json=body)
    assert_problem(answer, 401, "Invalid or expired refresh token. Sign in again.")


def test_refresh_and_access_tokens_don_t_stand_in_for_each_other(watchword: Running) -> None:
    person = watchword.login_as()
    assert_refused(watchword, person.refresh_token)
    refuse_refresh(watchword, person.access_token)
    refuse_refresh(watchword, "wwr_" + person.access_token[:190])


@pytest.mark.watchword(limit_token="off")
def test_a_one_time_token_serves_its_own_purpose_only_whatever_its_prefix(
    watchword: Running,
) -> None:
    at = watchword.prefix

    async def offer(core: Core) -> str:
        link = await setup.offer(core)
        assert link is not None
        return link.reveal().partition("token=")[2]

    person = watchword.login_as(verified=False)
    watchword.client.post(f"{at}/auth/password/reset/request", json={"email": person.user["email"]})
    person.post(f"{at}/auth/email/verification/request")
    person.patch(f"{at}/users/{person.id}", json={"email": "moved@example.com"})
    tokens = {
        "wwp_": watchword.mailbox.last(kind="password_reset").token,
        "wwv_": watchword.mailbox.last(kind="verification").token,
        "wwe_": watchword.mailbox.last(kind="email_change").token,
        "wwa_": watchword.call(offer),
    }
    doors = {
        "wwp_": ("/auth/password/reset/confirm", {"new_password": NEW}),
        "wwv_": ("/auth/email/verification/confirm", {}),
        "wwe_": ("/auth/email/verification/confirm", {}),
    }
    for kind, token in tokens.items():
        assert token.startswith(kind)
        assert_refused(watchword, token)
        refuse_refresh(watchword, token)
        for other, (path, more) in doors.items():
            for shown in {token, token.replace(kind, other, 1)} - {token if other == kind else ""}:
                if kind in ("wwv_", "wwe_") and shown == token and path.endswith("ation/confirm"):
                    continue
                if shown == token and other == kind:
                    continue
                answer = watchword.client.post(at + path, json={"token": shown, **more})
                assert_problem(answer, 400, "Invalid or expired token")
    me = person.get(f"{at}/auth/me").json()
    assert (me["email"], me["is_verified"]) == (person.user["email"], False)
    assert watchword.sign_in(person.user["username"], PASSWORD)
    # The set-up link opens the set-up page, and no token of another purpose does.
    for kind, token in tokens.items():
        page = watchword.client.get(f"{watchword.path}/account/setup", params={"token": token})
        assert (page.status_code == 200) == (kind == "wwa_")


@pytest.mark.watchword(limit_refresh="off")
def test_a_refresh_token_can_t_be_bent(watchword: Running) -> None:
    person = watchword.login_as()
    other = watchword.login_as()
    token = person.refresh_token
    raw = bytearray(base64.urlsafe_b64decode(token[4:] + "=="))
    theirs = base64.urlsafe_b64decode(other.refresh_token[4:] + "==")
    for place in (0, 15, 16, 23, 24, len(raw) - 1):
        bent = bytearray(raw)
        bent[place] ^= 1
        refuse_refresh(watchword, "wwr_" + b64(bytes(bent)))
    refuse_refresh(watchword, "wwr_" + b64(bytes(theirs[:16]) + bytes(raw[16:])))
    refuse_refresh(watchword, "wwr_" + b64(bytes(raw) + b"\x00"))
    refuse_refresh(watchword, "wwr_" + b64(bytes(raw[:-1])))
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    twin = alphabet[alphabet.index(token[-1]) ^ 1]
    spellings = ("=", "==", "A", " ", "\n", ".", "\x00", "é", "\U0001f511")
    for spelt in (token[:-1] + twin, token.upper(), *(token + end for end in spellings)):
        refuse_refresh(watchword, spelt)
    for junk in ("", "wwr_", "wwr_" + "A" * 75, "wwr_" + "A" * 900, "null", "é"):
        refuse_refresh(watchword, junk)
    # None of it was taken for reuse: a stranger can't end a session by guessing.
    body = {"refresh_token": token}
    assert watchword.client.post(f"{watchword.prefix}/auth/refresh", json=body).is_success


def test_the_token_of_a_deleted_user_opens_nothing_not_even_its_successor(
    watchword: Running,
) -> None:
    admin, person = watchword.login_as(role="admin"), watchword.login_as()
    assert show(watchword, person.access_token).status_code == 200
    admin.delete(f"{watchword.prefix}/users/{person.id}").raise_for_status()
    watchword.create(username=person.user["username"], email=person.user["email"])
    assert_refused(watchword, person.access_token)
    refuse_refresh(watchword, person.refresh_token)
    listed = person.get(f"{watchword.prefix}/auth/sessions")
    assert_problem(listed, 401)
