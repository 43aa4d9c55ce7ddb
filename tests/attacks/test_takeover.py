"""A thief who had a session for a moment: what he began ends with it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.contract.problems import assert_problem
from watchword.core import Core
from watchword.sessions import service as sessions
from watchword.testing import Running
from watchword.testing.running import PASSWORD, SignedIn

NEW = "quiet-lantern-by-the-sea"
THIEFS = "thief@evil.example.com"

# What is the same on both databases is tried on one, and once in a host.
pytestmark = pytest.mark.shapes("alone-sqlite", "mounted-sqlite")


def begun_by_a_thief(watchword: Running, owner: SignedIn) -> str:
    """The token of the mail that went to the thief, who has copied the owner's access token."""
    change = {"email": THIEFS}
    owner.patch(f"{watchword.prefix}/users/{owner.id}", json=change).raise_for_status()
    return watchword.mailbox.last(to=THIEFS, kind="email_change").token


def reset(watchword: Running, owner: SignedIn) -> None:
    at = f"{watchword.prefix}/auth/password/reset"
    watchword.client.post(f"{at}/request", json={"email": owner.user["email"]}).raise_for_status()
    token = watchword.mailbox.last(kind="password_reset").token
    body = {"token": token, "new_password": NEW}
    watchword.client.post(f"{at}/confirm", json=body).raise_for_status()


def change_password(watchword: Running, owner: SignedIn) -> None:
    body = {"current_password": PASSWORD, "new_password": NEW}
    owner.post(f"{watchword.prefix}/auth/password/change", json=body).raise_for_status()


def log_out_everywhere(watchword: Running, owner: SignedIn) -> None:
    again = watchword.sign_in(owner.user["username"])
    again.post(f"{watchword.prefix}/auth/logout/all").raise_for_status()


def end_that_session(watchword: Running, owner: SignedIn) -> None:
    again = watchword.sign_in(owner.user["username"])
    listed = again.get(f"{watchword.prefix}/auth/sessions").json()
    (that,) = [session["id"] for session in listed if not session["current"]]
    again.delete(f"{watchword.prefix}/auth/sessions/{that}").raise_for_status()


def reuse_the_refresh_token(watchword: Running, owner: SignedIn) -> None:
    at = f"{watchword.prefix}/auth/refresh"
    body = {"refresh_token": owner.refresh_token}
    watchword.client.post(at, json=body).raise_for_status()
    watchword.clock.turn(seconds=11)
    assert watchword.client.post(at, json=body).status_code == 401


def sign_everybody_out(watchword: Running, owner: SignedIn) -> None:
    async def end(core: Core) -> None:
        async with core.database.write() as unit:
            await sessions.end_everybodys(unit, core.settings, reason="the key leaked")

    watchword.call(end)


def be_deactivated_for_a_while(watchword: Running, owner: SignedIn) -> None:
    admin = watchword.login_as("admin")
    for active in (False, True):
        path = f"{watchword.prefix}/users/{owner.id}"
        admin.patch(path, json={"is_active": active}).raise_for_status()


@pytest.mark.parametrize(
    "defence",
    [
        reset,
        change_password,
        log_out_everywhere,
        end_that_session,
        reuse_the_refresh_token,
        sign_everybody_out,
        be_deactivated_for_a_while,
    ],
)
def test_a_thiefs_address_does_not_replace_the_owners_once_he_is_thrown_out(
    watchword: Running, defence: Callable[[Running, SignedIn], None]
) -> None:
    owner = watchword.login_as()
    token = begun_by_a_thief(watchword, owner)
    defence(watchword, owner)
    at = f"{watchword.prefix}/auth/email/verification/confirm"
    answer = watchword.client.post(at, json={"token": token})
    assert_problem(answer, 400, "Invalid or expired token")
    admin = watchword.login_as("admin")
    kept = admin.get(f"{watchword.prefix}/users/{owner.id}").json()
    assert kept["email"] == owner.user["email"]


def test_an_owner_who_signs_out_confirms_the_new_address_all_the_same(watchword: Running) -> None:
    owner = watchword.login_as()
    token = begun_by_a_thief(watchword, owner)
    owner.post(f"{watchword.prefix}/auth/logout").raise_for_status()
    at = f"{watchword.prefix}/auth/email/verification/confirm"
    watchword.client.post(at, json={"token": token}).raise_for_status()


@pytest.mark.shapes("alone-sqlite")
@pytest.mark.parametrize("wanted", ["straße@example.com", "ﬆrasse@example.com"])
def test_an_address_of_the_same_key_but_another_mailbox_is_proved_first(
    watchword: Running, wanted: str
) -> None:
    owner = watchword.login_as(username="strasse", email="strasse@example.com")
    path = f"{watchword.prefix}/users/{owner.id}"
    assert owner.patch(path, json={"email": wanted}).json()["email"] == "strasse@example.com"
    token = watchword.mailbox.last(to=wanted, kind="email_change").token
    at = f"{watchword.prefix}/auth/email/verification/confirm"
    watchword.client.post(at, json={"token": token}).raise_for_status()
    assert owner.get(path).json()["email"] == wanted
    # By case alone it is the same mailbox everywhere, and changes at once.
    assert owner.patch(path, json={"email": wanted.upper()}).status_code in {200, 422}


def test_the_owner_hears_of_a_thiefs_new_address_while_it_can_still_be_stopped(
    watchword: Running,
) -> None:
    owner = watchword.login_as()
    token = begun_by_a_thief(watchword, owner)
    warning = watchword.mailbox.last(to=owner.user["email"], kind="email_change_asked")
    assert THIEFS not in warning.text + warning.html
    change_password(watchword, owner)
    confirm = f"{watchword.prefix}/auth/email/verification/confirm"
    assert watchword.client.post(confirm, json={"token": token}).status_code == 400
