"""Reading, changing, deleting and counting users (contract, part 1)."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from tests.contract.problems import assert_problem
from tests.contract.records import events
from watchword.audit.events import Event
from watchword.core import Core
from watchword.testing import Running


def test_an_administrator_pages_through_everybody_and_narrows_by_role(watchword: Running) -> None:
    admin = watchword.login_as(role="admin")
    names = [watchword.create(role="guest" if n % 3 == 0 else "user") for n in range(11)]
    users = f"{watchword.prefix}/users"
    first = admin.get(users).json()
    assert len(first) == 10, "ten unless asked"
    assert [user["id"] for user in first] == sorted(user["id"] for user in first)
    rest = admin.get(users, params={"skip": 10, "limit": 10}).json()
    assert [user["username"] for user in (*first, *rest)] == [admin.user["username"], *names]
    guests = admin.get(users, params={"role": "guest", "limit": 100}).json()
    assert [user["username"] for user in guests] == names[::3]
    assert admin.get(users, params={"skip": 2**63 - 1}).json() == []
    for wrong in (
        {"skip": -1},
        {"limit": 0},
        {"limit": 101},
        {"skip": 2**63},
        {"limit": "ten"},
        {"role": "root"},
    ):
        problem = assert_problem(admin.get(users, params=wrong), 422)
        assert problem["errors"][0]["where"] == f"query.{next(iter(wrong))}"


def test_a_plain_user_sees_itself_and_a_missing_user_looks_the_same_as_another(
    watchword: Running,
) -> None:
    plain, other = watchword.login_as(), watchword.login_as()
    users = f"{watchword.prefix}/users"
    assert [user["id"] for user in plain.get(users).json()] == [plain.id]
    assert plain.get(users, params={"role": "admin"}).json() == []
    assert plain.get(f"{users}/{plain.id}").json()["email"] == plain.user["email"]
    there = assert_problem(plain.get(f"{users}/{other.id}"), 404, "User not found")
    nowhere = assert_problem(plain.get(f"{users}/987654321"), 404, "User not found")
    assert there | {"request_id": ""} == nowhere | {"request_id": ""}
    admin = watchword.login_as(role="admin")
    assert admin.get(f"{users}/{other.id}").json()["username"] == other.user["username"]
    assert_problem(admin.get(f"{users}/987654321"), 404, "User not found")
    for odd in ("0", "-1", str(2**63), "1e3", "x", "%00", "٣"):
        assert_problem(admin.get(f"{users}/{odd}"), 422)


@pytest.mark.shapes("mounted-sqlite")
@pytest.mark.watchword(open_directory=True)
def test_the_open_directory_shows_everybody_to_everybody(watchword: Running) -> None:
    plain, other = watchword.login_as(), watchword.login_as()
    seen = plain.get(f"{watchword.prefix}/users").json()
    assert [user["id"] for user in seen] == [plain.id, other.id]
    assert plain.get(f"{watchword.prefix}/users/{other.id}").status_code == 200
    answer = plain.patch(f"{watchword.prefix}/users/{other.id}", json={"full_name": "Mine"})
    assert_problem(answer, 403, "You may only change your own account")


def test_a_user_changes_its_own_name_and_no_privilege(watchword: Running) -> None:
    plain, other = watchword.login_as(), watchword.login_as()
    mine = f"{watchword.prefix}/users/{plain.id}"
    changed = plain.patch(mine, json={"username": "Renamed", "full_name": "  Re Named "})
    assert changed.status_code == 200
    assert (changed.json()["username"], changed.json()["full_name"]) == ("Renamed", "Re Named")
    assert changed.json()["updated_at"] > plain.user["updated_at"]
    assert plain.patch(mine, json={"username": "RENAMED"}).json()["username"] == "RENAMED"
    assert plain.patch(mine, json={"full_name": None}).json()["full_name"] is None
    before = plain.get(mine).json()
    assert plain.patch(mine, json={}).json() == before

    for name, value in {"role": "admin", "is_active": True, "is_verified": True}.items():
        answer = plain.patch(mine, json={name: value, "full_name": "Slipped in"})
        assert_problem(answer, 403, f"Only an administrator may change {name}")
    assert_problem(plain.patch(mine, json={"username": other.user["username"].upper()}), 409)
    assert_problem(plain.patch(mine, json={"email": other.user["email"].upper()}), 409)
    for name in ("username", "email", "role", "is_active", "is_verified"):
        assert_problem(plain.patch(mine, json={name: None}), 422)
    password = plain.patch(mine, json={"password": "quiet-lantern-by-the-sea"})
    assert "/auth/password/change" in assert_problem(password, 422)["detail"]
    theirs = f"{watchword.prefix}/users/{other.id}"
    assert_problem(plain.patch(theirs, json={"full_name": "Mine"}), 403)
    assert_problem(watchword.client.patch(mine, json={"full_name": "Mine"}), 401)
    assert plain.get(mine).json() == before


def test_an_administrator_changes_every_field_of_anybody_at_once(watchword: Running) -> None:
    admin, other = watchword.login_as(role="admin"), watchword.login_as()
    theirs = f"{watchword.prefix}/users/{other.id}"
    fields = {
        "username": "othername",
        "email": "othername@example.com",
        "full_name": "Other Name",
        "role": "guest",
        "is_active": False,
        "is_verified": False,
    }
    changed = admin.patch(theirs, json=fields)
    assert changed.status_code == 200
    assert {name: changed.json()[name] for name in fields} == fields
    assert watchword.mailbox.last(to=other.user["email"], kind="email_changed_notice")
    assert admin.patch(theirs, json={"is_active": True}).json()["is_active"] is True
    assert_problem(admin.patch(f"{watchword.prefix}/users/987654321", json={}), 404)
    told = events(watchword, Event.USER_ROLE_CHANGED)
    assert [(row.user_id, row.actor_id) for row in told] == [(other.id, admin.id)]


def test_a_new_address_takes_over_once_it_is_confirmed_and_the_old_one_is_told(
    watchword: Running,
) -> None:
    plain = watchword.login_as()
    old, new = plain.user["email"], "moved@example.com"
    mine = f"{watchword.prefix}/users/{plain.id}"
    asked = plain.patch(mine, json={"email": new})
    assert asked.status_code == 200
    assert (asked.json()["email"], asked.json()["is_verified"]) == (old, True)
    watchword.client.post(f"{watchword.prefix}/auth/password/reset/request", json={"email": old})
    reset = watchword.mailbox.last(to=old, kind="password_reset").token
    token = watchword.mailbox.last(to=new, kind="email_change").token
    confirm = f"{watchword.prefix}/auth/email/verification/confirm"
    assert watchword.client.post(confirm, json={"token": token}).status_code == 200
    now = plain.get(mine).json()
    assert (now["email"], now["is_verified"]) == (new, True)
    notice = watchword.mailbox.last(to=old, kind="email_changed_notice")
    assert new not in notice.text
    assert_problem(watchword.client.post(confirm, json={"token": token}), 400)
    # What was sent to the old address opens nothing any more.
    answer = watchword.client.post(
        f"{watchword.prefix}/auth/password/reset/confirm",
        json={"token": reset, "new_password": "quiet-lantern-by-the-sea"},
    )
    assert_problem(answer, 400, "Invalid or expired token")


@pytest.mark.shapes("mounted-sqlite")
def test_an_address_that_somebody_takes_meanwhile_is_not_taken_over(watchword: Running) -> None:
    plain = watchword.login_as()
    plain.patch(f"{watchword.prefix}/users/{plain.id}", json={"email": "wanted@example.com"})
    token = watchword.mailbox.last(to="wanted@example.com", kind="email_change").token
    watchword.create(email="Wanted@example.com")
    confirm = f"{watchword.prefix}/auth/email/verification/confirm"
    answer = watchword.client.post(confirm, json={"token": token})
    assert_problem(answer, 409, "Email already registered")
    assert plain.get(f"{watchword.prefix}/auth/me").json()["email"] == plain.user["email"]


def test_deleting_takes_an_administrator_and_takes_everything(watchword: Running) -> None:
    admin, plain = watchword.login_as(role="admin"), watchword.login_as()
    theirs = f"{watchword.prefix}/users/{plain.id}"
    assert_problem(plain.delete(theirs), 403)
    assert_problem(watchword.client.delete(theirs), 401)
    gone = admin.delete(theirs)
    assert (gone.status_code, gone.content) == (204, b"")
    assert_problem(admin.get(theirs), 404, "User not found")
    assert_problem(admin.delete(theirs), 404, "User not found")
    assert_problem(plain.get(f"{watchword.prefix}/auth/me"), 401)
    refresh = {"refresh_token": plain.refresh_token}
    assert_problem(watchword.client.post(f"{watchword.prefix}/auth/refresh", json=refresh), 401)
    # The name is free again, and whoever takes it is somebody else.
    watchword.create(username=plain.user["username"], email=plain.user["email"])
    again = watchword.sign_in(plain.user["username"])
    assert again.id != plain.id
    assert_problem(plain.get(f"{watchword.prefix}/auth/me"), 401)


@pytest.mark.shapes("mounted-sqlite", "mounted-postgres")
def test_a_user_that_the_hosts_own_data_refers_to_is_not_deleted(watchword: Running) -> None:
    admin, buyer = watchword.login_as(role="admin"), watchword.login_as()

    async def refer(core: Core) -> None:
        async with core.database.write() as unit:
            await unit.execute(text("CREATE TABLE orders (buyer INTEGER REFERENCES users(id))"))
            await unit.execute(text("INSERT INTO orders VALUES (:id)").bindparams(id=buyer.id))

    watchword.call(refer)
    refused = admin.delete(f"{watchword.prefix}/users/{buyer.id}")
    assert_problem(refused, 409)
    assert refused.json()["code"] == "user_referenced"
    assert buyer.get(f"{watchword.prefix}/auth/me").status_code == 200


def test_the_last_administrator_stays(watchword: Running) -> None:
    admin = watchword.login_as(role="admin")
    me = f"{watchword.prefix}/users/{admin.id}"
    said = "This is the last active administrator: make another one first"
    assert_problem(admin.delete(me), 409, said)
    assert_problem(admin.patch(me, json={"role": "user"}), 409, said)
    assert_problem(admin.patch(me, json={"is_active": False}), 409, said)
    sleeping = watchword.login_as(role="admin")
    admin.patch(f"{watchword.prefix}/users/{sleeping.id}", json={"is_active": False})
    assert_problem(admin.delete(me), 409, said)
    admin.patch(f"{watchword.prefix}/users/{sleeping.id}", json={"is_active": True})
    assert admin.patch(me, json={"role": "user"}).json()["role"] == "user"


def test_the_counts_are_for_administrators(watchword: Running) -> None:
    admin = watchword.login_as(role="admin")
    watchword.create(role="guest", verified=False)
    plain = watchword.login_as()
    admin.patch(f"{watchword.prefix}/users/{plain.id}", json={"is_active": False})
    counted = admin.get(f"{watchword.prefix}/users/stats/count").json()
    assert counted == {
        "total_users": 3,
        "active_users": 2,
        "verified_users": 2,
        "admin_users": 1,
        "user_users": 1,
        "guest_users": 1,
    }
    other = watchword.login_as()
    assert_problem(other.get(f"{watchword.prefix}/users/stats/count"), 403)
    assert_problem(watchword.client.get(f"{watchword.prefix}/users/stats/count"), 401)
