"""What one worker ends, every other one learns of; and the list of it does not grow for ever."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.contract.records import count, rows
from tests.contract.workers import another_worker, seen_from, within
from watchword.mount.background import keep_house
from watchword.revocations._tables import token_blacklist
from watchword.sessions._tables import sessions
from watchword.testing import Running, SignedIn
from watchword.testing.running import PASSWORD
from watchword.tokens._tables import one_time_tokens

NEW = "quiet-lantern-by-the-sea"


@pytest.mark.shapes("mounted-sqlite", "mounted-postgres")
@pytest.mark.watchword(revocation_poll_seconds=0.2)
def test_every_revocation_reaches_another_worker_within_the_stated_bound(
    watchword: Running,
) -> None:
    at = watchword.prefix
    admin = watchword.login_as(role="admin")

    def reset(person: SignedIn) -> None:
        email = person.user["email"]
        watchword.client.post(f"{at}/auth/password/reset/request", json={"email": email})
        token = watchword.mailbox.last(to=email, kind="password_reset").token
        confirm = {"token": token, "new_password": NEW}
        watchword.client.post(f"{at}/auth/password/reset/confirm", json=confirm).raise_for_status()

    def change(person: SignedIn) -> None:
        # From another session: this one is among the others that end.
        body = {"current_password": PASSWORD, "new_password": NEW}
        other = watchword.sign_in(person.user["username"])
        other.post(f"{at}/auth/password/change", json=body).raise_for_status()

    def reuse(person: SignedIn) -> None:
        body = {"refresh_token": person.refresh_token}
        watchword.client.post(f"{at}/auth/refresh", json=body).raise_for_status()
        watchword.clock.turn(seconds=11)
        assert watchword.client.post(f"{at}/auth/refresh", json=body).status_code == 401

    def patch(**fields: object) -> Callable[[SignedIn], object]:
        return lambda p: admin.patch(f"{at}/users/{p.id}", json=fields).raise_for_status()

    ways: dict[str, Callable[[SignedIn], object]] = {
        "logout": lambda p: p.post(f"{at}/auth/logout").raise_for_status(),
        "logout everywhere": lambda p: p.post(f"{at}/auth/logout/all").raise_for_status(),
        "password change": change,
        "password reset": reset,
        "refresh token reused": reuse,
        "role changed": patch(role="guest"),
        "address no longer verified": patch(is_verified=False),
        "deactivated": patch(is_active=False),
        "deleted": lambda p: admin.delete(f"{at}/users/{p.id}").raise_for_status(),
    }
    with another_worker(watchword) as other:
        bystander = watchword.login_as()
        for name, end in ways.items():
            person = watchword.login_as()
            assert seen_from(other, person.headers) == 200, name
            end(person)
            assert seen_from(watchword, person.headers) == 401, f"{name}: at once here"
            heard = within(1.5, lambda p=person: seen_from(other, p.headers) == 401)  # type: ignore[misc]
            assert heard, name
        assert seen_from(other, bystander.headers) == 200
    # A worker that starts later knows at once.
    with another_worker(watchword, revocation_poll_seconds=60.0) as late:
        assert seen_from(late, person.headers) == 401
        assert seen_from(late, bystander.headers) == 200


def test_the_blacklist_keeps_an_entry_as_long_as_a_token_it_concerns_and_no_longer(
    watchword: Running,
) -> None:
    person = watchword.login_as()
    person.post(f"{watchword.prefix}/auth/logout")
    assert count(watchword, token_blacklist) == 1
    watchword.clock.turn(minutes=29, seconds=55)
    watchword.call(keep_house)
    assert count(watchword, token_blacklist) == 1
    assert seen_from(watchword, person.headers) == 401
    watchword.clock.turn(minutes=5)
    watchword.call(keep_house)
    assert count(watchword, token_blacklist) == 0
    assert seen_from(watchword, person.headers) == 401, "expired by itself"


@pytest.mark.shapes("mounted-sqlite", "mounted-postgres")
def test_what_has_ended_is_deleted_in_the_end_and_what_lives_is_not(watchword: Running) -> None:
    person = watchword.login_as(verified=False)
    person.post(f"{watchword.prefix}/auth/logout")
    watchword.clock.turn(days=40)
    living = watchword.sign_in(person.user["username"])
    watchword.client.post(
        f"{watchword.prefix}/auth/password/reset/request", json={"email": person.user["email"]}
    )
    watchword.call(keep_house)
    assert len(rows(watchword, sessions)) == 1
    assert [row.purpose for row in rows(watchword, one_time_tokens)] == ["reset_password"]
    assert [mail.kind for mail in watchword.mailbox] == ["password_reset"]
    assert seen_from(watchword, living.headers) == 200
