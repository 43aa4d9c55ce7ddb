"""Changing a password, resetting one, verifying an address (contract, part 1)."""

from __future__ import annotations

import pytest

from tests.contract.problems import assert_problem
from tests.contract.records import events
from watchword.audit.events import Event
from watchword.testing import Running
from watchword.testing.running import PASSWORD

NEW = "quiet-lantern-by-the-sea"


def test_changing_the_password_keeps_this_session_and_ends_the_others(watchword: Running) -> None:
    here = watchword.login_as()
    there = watchword.sign_in(here.user["username"])
    change = {"current_password": "not-the-password", "new_password": NEW}
    wrong = here.post(f"{watchword.prefix}/auth/password/change", json=change)
    assert_problem(wrong, 400, "Current password is incorrect")
    short = {"current_password": PASSWORD, "new_password": "short12"}
    refused = here.post(f"{watchword.prefix}/auth/password/change", json=short)
    assert assert_problem(refused, 422)["errors"][0]["where"] == "new_password"
    common = {"current_password": PASSWORD, "new_password": "password1"}
    refused = here.post(f"{watchword.prefix}/auth/password/change", json=common)
    assert assert_problem(refused, 422)["code"] == "password_refused"
    assert there.get(f"{watchword.prefix}/auth/me").status_code == 200

    change["current_password"] = PASSWORD
    done = here.post(f"{watchword.prefix}/auth/password/change", json=change)
    assert done.status_code == 200
    assert done.json() == {"message": "Password changed successfully", "success": True}
    assert here.get(f"{watchword.prefix}/auth/me").status_code == 200
    assert watchword.client.post(
        f"{watchword.prefix}/auth/refresh", json={"refresh_token": here.refresh_token}
    ).is_success
    assert_problem(there.get(f"{watchword.prefix}/auth/me"), 401)
    assert_problem(
        watchword.client.post(
            f"{watchword.prefix}/auth/refresh", json={"refresh_token": there.refresh_token}
        ),
        401,
    )
    old = {"username": here.user["username"], "password": PASSWORD}
    assert_problem(watchword.client.post(f"{watchword.prefix}/auth/login", json=old), 401)
    watchword.sign_in(here.user["username"], NEW)
    assert watchword.mailbox.last(to=here.user["email"], kind="password_changed")
    assert_problem(
        watchword.client.post(f"{watchword.prefix}/auth/password/change", json=change), 401
    )


def test_a_reset_by_mail_sets_the_password_once_and_ends_every_session(watchword: Running) -> None:
    somebody = watchword.login_as()
    email = somebody.user["email"]
    asked = watchword.client.post(
        f"{watchword.prefix}/auth/password/reset/request", json={"email": email.upper()}
    )
    assert asked.status_code == 200
    assert asked.json()["success"] is True
    mail = watchword.mailbox.last(to=email, kind="password_reset")
    said = asked.json()["message"]
    assert said == f"Password reset token (DEV ONLY): {mail.token}"
    assert said.split(": ") == ["Password reset token (DEV ONLY)", mail.token]

    confirm = f"{watchword.prefix}/auth/password/reset/confirm"
    # A password that the policy refuses does not cost the token.
    refused = watchword.client.post(confirm, json={"token": mail.token, "new_password": "12345678"})
    assert assert_problem(refused, 422)["errors"][0]["where"] == "new_password"
    done = watchword.client.post(confirm, json={"token": mail.token, "new_password": NEW})
    assert done.json() == {"message": "Password reset successfully", "success": True}
    again = watchword.client.post(confirm, json={"token": mail.token, "new_password": PASSWORD})
    assert_problem(again, 400, "Invalid or expired token")
    assert_problem(somebody.get(f"{watchword.prefix}/auth/me"), 401)
    assert_problem(
        watchword.client.post(
            f"{watchword.prefix}/auth/refresh", json={"refresh_token": somebody.refresh_token}
        ),
        401,
    )
    watchword.sign_in(email, NEW)
    assert watchword.mailbox.last(to=email, kind="password_changed")
    assert len(events(watchword, Event.PASSWORD_RESET)) == 1


@pytest.mark.shapes("mounted-sqlite")
def test_a_reset_token_dies_of_age_of_use_of_another_and_of_a_new_password(
    watchword: Running,
) -> None:
    somebody = watchword.login_as()
    confirm = f"{watchword.prefix}/auth/password/reset/confirm"

    def token() -> str:
        watchword.client.post(
            f"{watchword.prefix}/auth/password/reset/request",
            json={"email": somebody.user["email"]},
        )
        return watchword.mailbox.last(kind="password_reset").token

    old = token()
    watchword.clock.turn(minutes=61)
    answer = watchword.client.post(confirm, json={"token": old, "new_password": NEW})
    assert_problem(answer, 400, "Invalid or expired token")
    first, second = token(), token()
    assert watchword.client.post(confirm, json={"token": second, "new_password": NEW}).is_success
    answer = watchword.client.post(confirm, json={"token": first, "new_password": PASSWORD})
    assert_problem(answer, 400, "Invalid or expired token")
    waiting = token()
    somebody = watchword.sign_in(somebody.user["username"], NEW)
    change = {"current_password": NEW, "new_password": PASSWORD}
    assert somebody.post(f"{watchword.prefix}/auth/password/change", json=change).is_success
    answer = watchword.client.post(confirm, json={"token": waiting, "new_password": NEW})
    assert_problem(answer, 400, "Invalid or expired token")
    for junk in ("", "junk", waiting[:-1], waiting + "A", "wwp_" + "A" * 43):
        answer = watchword.client.post(confirm, json={"token": junk, "new_password": NEW})
        assert_problem(answer, 400, "Invalid or expired token")


def test_verifying_the_address_by_the_mailed_token(watchword: Running) -> None:
    somebody = watchword.login_as(verified=False)
    request = f"{watchword.prefix}/auth/email/verification/request"
    confirm = f"{watchword.prefix}/auth/email/verification/confirm"
    assert_problem(watchword.client.post(request), 401)
    asked = somebody.post(request)
    token = watchword.mailbox.last(to=somebody.user["email"], kind="verification").token
    assert asked.json()["message"] == f"Verification token (DEV ONLY): {token}"
    done = watchword.client.post(confirm, json={"token": token})
    assert done.json() == {"message": "Email verified successfully", "success": True}
    assert_problem(
        watchword.client.post(confirm, json={"token": token}), 400, "Invalid or expired token"
    )
    assert somebody.get(f"{watchword.prefix}/auth/me").json()["is_verified"] is True
    assert somebody.post(request).json()["message"] == "Email already verified"

    late = watchword.login_as(verified=False)
    late.post(request)
    token = watchword.mailbox.last(to=late.user["email"], kind="verification").token
    watchword.clock.turn(hours=25)
    assert_problem(watchword.client.post(confirm, json={"token": token}), 400)


@pytest.mark.shapes("mounted-sqlite")
@pytest.mark.watchword(
    environment="production",
    mail="off",
    secret_key="nUq7Vt0rWm3xKpZ9sYfJ2hLdQbEcGa5T8vRiO1oN",
)
def test_in_production_no_answer_carries_a_token(watchword: Running) -> None:
    somebody = watchword.login_as(verified=False)
    asked = watchword.client.post(
        f"{watchword.prefix}/auth/password/reset/request", json={"email": somebody.user["email"]}
    )
    assert asked.status_code == 200
    assert "DEV ONLY" not in asked.text
    unknown = watchword.client.post(
        f"{watchword.prefix}/auth/password/reset/request", json={"email": "nobody@example.com"}
    )
    assert asked.json() == unknown.json()
    asked = somebody.post(f"{watchword.prefix}/auth/email/verification/request")
    assert asked.status_code == 200
    assert "DEV ONLY" not in asked.text
    # The mailbox of development is not there at all: the host's catch-all answers.
    assert watchword.client.get(f"{watchword.path}/dev/mail.json").json() == {
        "hostile": "id/dev/mail.json"
    }
