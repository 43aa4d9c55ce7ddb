"""What lies about: a copy in a cache, a file on the disk, a link in a terminal's history."""

from __future__ import annotations

import logging
import os
import stat
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from tests.contract.records import count
from tests.hosts import alone
from watchword import Watchword
from watchword.accounts._tables import users
from watchword.admin import setup
from watchword.settings.load import load_settings
from watchword.testing import Running


@pytest.mark.shapes("alone-sqlite", "mounted-sqlite")
@pytest.mark.parametrize("path", ["/auth/me", "/users/me", "/users", "/users/1", "/auth/sessions"])
def test_no_cache_on_the_way_keeps_what_is_personal(watchword: Running, path: str) -> None:
    answer = watchword.login_as("admin").get(watchword.prefix + path)
    assert answer.status_code == 200
    assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.shapes("alone-sqlite")
def test_what_may_be_kept_is_still_kept(watchword: Running) -> None:
    keys = watchword.client.get("/.well-known/jwks.json")
    assert "max-age" in keys.headers["Cache-Control"]
    style = watchword.client.get("/account/style.css")
    assert "immutable" in style.headers["Cache-Control"]


@pytest.mark.shapes("alone-sqlite")
def test_the_first_administrators_link_makes_no_second_one(watchword: Running) -> None:
    link = watchword.call(setup.offer)
    assert link is not None
    watchword.create(role="admin")
    token = link.reveal().partition("token=")[2]
    particulars = {"username": "mallory", "email": "mallory@example.com", "full_name": ""}
    answer = watchword.client.post(
        f"{watchword.path}/account/setup",
        data={"token": token, "password": "quiet-lantern-by-the-sea", **particulars},
    )
    assert answer.status_code == 400
    assert count(watchword, users) == 1


@pytest.mark.skipif(os.name != "posix", reason="file modes are POSIX's")
def test_a_database_in_a_folder_that_others_read_is_not_theirs_to_read(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    loaded = load_settings(
        env={},
        env_file=None,
        environment="development",
        database_url=f"sqlite:///{tmp_path / 'app.db'}",
        data_dir=tmp_path / "data",
    )
    before = os.umask(0o022)
    try:
        with TestClient(alone(Watchword(loaded))) as client:
            client.get("/health/database").raise_for_status()
            beside = sorted(tmp_path.glob("app.db*"))
            # The write-ahead log has the newest rows, hashes among them.
            assert [file.name for file in beside] == ["app.db", "app.db-shm", "app.db-wal"]
            assert {stat.S_IMODE(file.stat().st_mode) for file in beside} == {0o600}
    finally:
        os.umask(before)


@pytest.mark.shapes("alone-sqlite")
def test_a_password_typed_into_the_field_of_the_name_is_in_no_log(
    watchword: Running, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "watchword")
    body = {"username": "My-Secret-Passphrase", "password": "alice"}
    for _ in range(6):
        answer = watchword.client.post(f"{watchword.prefix}/auth/login", json=body)
    assert answer.status_code == 429
    said = [str(record.__dict__).casefold() for record in caplog.records]
    assert any("limit_login by account" in line for line in said)
    assert not any("my-secret-passphrase" in line for line in said)
