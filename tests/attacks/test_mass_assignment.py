"""Fields that are not the caller's to set, slipped in beside those that are."""

from __future__ import annotations

import pytest

from tests.contract.problems import assert_problem
from tests.contract.records import rows
from watchword.accounts._tables import users
from watchword.testing import Running
from watchword.testing.running import PASSWORD

pytestmark = pytest.mark.shapes("mounted-sqlite")

SLIPPED_IN = {
    "id": 4711,
    "is_verified": True,
    "is_active": False,
    "is_admin": True,
    "role": "admin",
    "epoch": 99,
    "username_key": "somebody",
    "email_key": "somebody@example.com",
    "hashed_password": "$argon2id$v=19$m=8,t=1,p=1$AAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAA",
    "hash": "x",
    "created_at": "2000-01-01T00:00:00Z",
    "updated_at": "2000-01-01T00:00:00Z",
    "last_login": "2000-01-01T00:00:00Z",
    "__proto__": {"role": "admin"},
}


def test_registration_takes_its_fields_and_nothing_else(watchword: Running) -> None:
    body = {"username": "plain", "email": "plain@example.com", "password": PASSWORD}
    answer = watchword.client.post(f"{watchword.prefix}/auth/register", json=SLIPPED_IN | body)
    assert answer.status_code in (201, 422)
    if answer.status_code == 422:
        watchword.client.post(f"{watchword.prefix}/auth/register", json=body).raise_for_status()
    user = watchword.sign_in("plain").user
    assert (user["role"], user["is_active"], user["is_verified"]) == ("user", True, False)
    assert user["id"] != 4711
    (row,) = rows(watchword, users)
    assert (row.epoch, row.username_key, row.email_key) == (1, "plain", "plain@example.com")
    assert row.created_at.year > 2020


def test_a_patch_of_a_field_that_is_not_there_to_patch_changes_nothing(watchword: Running) -> None:
    admin, person = watchword.login_as(role="admin"), watchword.login_as()
    mine = f"{watchword.prefix}/users/{person.id}"
    before = [tuple(row) for row in rows(watchword, users)]
    for name, value in SLIPPED_IN.items():
        body = {"full_name": "Slipped In", name: value}
        answer = person.patch(mine, json=body)
        assert answer.status_code in (403, 422), name
        assert_problem(answer, answer.status_code)
        if name not in ("role", "is_active", "is_verified"):
            assert_problem(admin.patch(mine, json=body), 422)
    assert [tuple(row) for row in rows(watchword, users)] == before
