"""Accounts move in from another service with their passwords, and out again."""

from __future__ import annotations

import json
import os
import re
import sqlite3
import stat
from contextlib import closing
from pathlib import Path

import bcrypt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.testclient import TestClient

from watchword.cli.rows import read_accounts
from watchword.mount.watchword import Watchword
from watchword.passwords.transfer import Arrival, Turned
from watchword.server.app import create_app
from watchword.server.tests.processes import PASSWORD, watchword

THEIRS = bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(4)).decode()
CSV = f"""\ufeffusername,email,full_name,role,is_active,is_verified,created_at,password_hash
grace,grace@example.org,"Hopper, Grace",user,true,yes,2020-01-02 03:04:05,{THEIRS}
broken,broken@example.org,"Two
lines",user,,,,
GRACE,other@example.org,,user,,,,
edsger,edsger@example.org,,guest,no,,2019-05-06T07:08:09+02:00,!
dave,dave@example.org,,root,,,,
erin,erin@example.org,,,maybe,,,
frank,frank@example.org,,,,,yesterday,
heidi,heidi@example.org,,,,,,md5$1234
ivan,ivan@example.org
judy,not-an-address,,,,,,
"""
REFUSED_LINES = {"3", "5", "7", "8", "9", "10", "11", "12"}


def test_a_csv_file_is_imported_but_for_what_is_wrong_with_it(tmp_path: Path) -> None:
    file = tmp_path / "people.csv"
    file.write_text(CSV)
    tried = watchword(tmp_path, "users", "import", str(file), "--dry-run")
    assert (tried.returncode, tried.stdout) == (1, "2 would be imported, 8 refused.\n")
    assert json.loads(watchword(tmp_path, "users", "list", "--json").stdout) == []

    done = watchword(tmp_path, "users", "import", str(file))
    assert (done.returncode, done.stdout) == (1, "2 imported, 8 refused.\n")
    assert set(re.findall(r"^line (\d+): ", done.stderr, re.MULTILINE)) == REFUSED_LINES
    assert sorted(done.stderr.splitlines()) == sorted(tried.stderr.splitlines())
    assert THEIRS not in done.stderr

    grace, edsger = json.loads(watchword(tmp_path, "users", "list", "--json").stdout)
    assert (grace["username"], grace["full_name"]) == ("grace", "Hopper, Grace")
    assert (grace["is_verified"], grace["created_at"]) == (True, "2020-01-02T03:04:05Z")
    assert (edsger["is_active"], edsger["created_at"]) == (False, "2019-05-06T05:08:09Z")
    assert facts(tmp_path, "users.imported") == [{"count": 2}]

    again = watchword(tmp_path, "users", "import", str(file))
    assert again.stdout == "0 imported, 10 refused.\n"


def test_who_was_imported_signs_in_and_what_was_exported_can_be_imported(tmp_path: Path) -> None:
    file = tmp_path / "people.jsonl"
    people = [
        {"username": f"person{n}", "email": f"p{n}@example.org", "password_hash": THEIRS}
        for n in range(450)
    ]
    file.write_text("\n".join(map(json.dumps, people)) + "\n\n")
    done = watchword(tmp_path, "users", "import", str(file))
    assert (done.returncode, done.stdout) == (0, "450 imported, 0 refused.\n"), done.stderr
    assert [each["count"] for each in facts(tmp_path, "users.imported")] == [200, 200, 50]

    auth = Watchword(
        environment="development",
        data_dir=tmp_path / "data",
        hash_memory_kib=8,
        hash_iterations=1,
    )
    with TestClient(create_app(auth)) as client:
        body = {"username": "person449", "password": PASSWORD}
        assert client.post("/api/v1/auth/login", json=body).status_code == 200
        wrong = {"username": "person448", "password": PASSWORD + "x"}
        assert client.post("/api/v1/auth/login", json=wrong).status_code == 401

    plain = watchword(tmp_path, "users", "export")
    assert "hash" not in plain.stdout
    whole = tmp_path / "whole.jsonl"
    os.umask(0o022)
    assert watchword(tmp_path, "users", "export", str(whole), "--with-hashes").returncode == 0
    assert stat.S_IMODE(whole.stat().st_mode) == 0o600
    exported = [json.loads(line) for line in whole.read_text().splitlines()]
    assert len(exported) == len(plain.stdout.splitlines()) == 450
    assert exported[0]["password_hash"] == THEIRS
    # Signing in has replaced it by one of ours.
    assert exported[449]["password_hash"].startswith("$argon2id$")

    other = tmp_path / "other"
    other.mkdir()
    moved = watchword(other, "users", "import", str(whole))
    assert (moved.returncode, moved.stdout) == (0, "450 imported, 0 refused.\n")
    back = watchword(other, "users", "export", "-", "--with-hashes")
    hashes = [json.loads(line)["password_hash"] for line in back.stdout.splitlines()]
    assert hashes == [line["password_hash"] for line in exported]


def test_an_export_that_cant_be_written_leaves_nothing(tmp_path: Path) -> None:
    refused = watchword(tmp_path, "users", "export", str(tmp_path / "no" / "such" / "file"))
    assert refused.returncode == 1
    assert "can't be written" in refused.stderr


def read(folder: Path, name: str, content: bytes) -> list[Arrival | Turned]:
    file = folder / name
    file.write_bytes(content)
    return list(read_accounts(file, lambda _: None))


def test_a_slip_in_a_fields_name_is_refused_rather_than_passed_over(tmp_path: Path) -> None:
    line = b'{"username": "ada", "email": "a@example.org", "pasword_hash": "x"}'
    (turned,) = read(tmp_path, "people.jsonl", line)
    assert turned == Turned(1, "pasword_hash: is no field of a user")


def test_what_is_no_account_is_refused_by_its_line(tmp_path: Path) -> None:
    content = b"\n".join(
        [
            b"[]",
            b"{",
            b"[" * 100_000,
            b'{"username": 7, "email": "a@example.org"}',
            b'{"username": "ada", "email": "a@example.org", "is_active": 2}',
            b'{"username": "ad\xff", "email": "a@example.org"}',
            b'{"username": "ad\\ud800", "email": "a@example.org"}',
            b'{"username": "ada", "email": "a@example.org", "created_at": "0001-01-01T00:00+09"}',
            b'{"username": "ada", "email": "a@example.org"}',
        ]
    )
    found = read(tmp_path, "people.jsonl", content)
    assert [one.line for one in found] == list(range(1, 10))
    assert [type(one) for one in found] == [Turned] * 8 + [Arrival]


@pytest.mark.parametrize("name", ["people.csv", "people.jsonl"])
def test_any_file_at_all_gives_accounts_and_refusals(tmp_path: Path, name: str) -> None:
    @given(st.binary())
    def check(content: bytes) -> None:
        lines = [one.line for one in read(tmp_path, name, content)]
        # Each line speaks once, in the file's order.
        assert lines == sorted(set(lines))
        assert all(1 <= line <= content.count(b"\n") + content.count(b"\r") + 1 for line in lines)

    check()


def facts(folder: Path, event: str) -> list[dict[str, object]]:
    """What the audit log has of an event."""
    with closing(sqlite3.connect(folder / "data" / "watchword.db")) as database:
        found = database.execute(
            "SELECT facts FROM audit_events WHERE event = ? ORDER BY id", (event,)
        ).fetchall()
    return [json.loads(row[0]) for row in found]
