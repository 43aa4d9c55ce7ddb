"""Users from the command line: made with a password that no other process sees, shown, ended."""

from __future__ import annotations

import json
import os
import pty
import select
import subprocess
from pathlib import Path

import pytest

from watchword.server.tests.processes import PASSWORD, WATCHWORD, environment, watchword


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A place with one administrator, ada."""
    folder = tmp_path_factory.mktemp("users")
    made = watchword(
        folder,
        *("users", "create", "ada", "ada@example.org", "--role", "admin", "--verified"),
        *("--full-name", "Ada [b]Lovelace[/b]", "--password-stdin"),
        stdin=f"{PASSWORD}\n",
    )
    assert (made.returncode, made.stdout) == (0, "Made admin ada (id 1).\n"), made.stderr
    return folder


def test_a_made_user_is_listed_and_shown(folder: Path) -> None:
    (listed,) = json.loads(watchword(folder, "users", "list", "--role", "admin", "--json").stdout)
    shown = json.loads(watchword(folder, "users", "show", "ADA@example.org", "--json").stdout)
    assert shown == {**listed, "sessions": []}
    assert listed["full_name"] == "Ada [b]Lovelace[/b]"
    assert (listed["role"], listed["is_verified"], listed["is_active"]) == ("admin", True, True)
    assert "password" not in json.dumps(shown)

    table = watchword(folder, "users", "list").stdout
    assert "ada@example.org" in table
    # Square brackets in a name are a name, not a colour.
    assert "Ada [b]Lovelace[/b]" in watchword(folder, "users", "show", "ada").stdout


def test_a_list_says_that_it_was_cut(folder: Path) -> None:
    arguments = ("users", "create", "bob", "bob@example.org", "--password-stdin")
    assert watchword(folder, *arguments, stdin=PASSWORD).returncode == 0
    cut = watchword(folder, "users", "list", "--limit", "1").stdout
    assert "ada" in cut
    assert "bob" not in cut
    assert "There are more" in cut


@pytest.mark.parametrize(
    ("arguments", "stdin", "code", "said"),
    [
        (("ada", "other@example.org"), PASSWORD, 1, "Username already registered"),
        (("other", "ADA@example.org"), PASSWORD, 1, "Email already registered"),
        (("other", "other@example.org"), "password", 1, "password"),
        (("other", "no-address"), PASSWORD, 1, "email"),
        (("other", "other@example.org"), "", 2, "no password on standard input"),
        (("other", "other@example.org"), b"\xff\xfe\xfa\xfb\xfc", 2, "not UTF-8"),
        (("other", "other@example.org"), "x" * 70_000, 2, "too long"),
        (("other", "other@example.org", "--role", "root"), PASSWORD, 2, "role"),
    ],
)
def test_a_user_that_cant_be_made_is_refused_and_not_made(
    folder: Path, arguments: tuple[str, ...], stdin: str | bytes, code: int, said: str
) -> None:
    refused = watchword(folder, "users", "create", *arguments, "--password-stdin", stdin=stdin)
    assert refused.returncode == code
    assert said in refused.stderr
    assert refused.stdout == ""


def test_a_password_is_no_argument(folder: Path) -> None:
    arguments = ("users", "create", "eve", "eve@example.org")
    assert watchword(folder, *arguments, f"--password={PASSWORD}").returncode == 2
    asked = watchword(folder, *arguments)
    assert asked.returncode == 2
    assert "--password-stdin" in asked.stderr


def test_a_password_is_asked_for_twice_and_not_shown(folder: Path) -> None:
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [*WATCHWORD, "users", "create", "carol", "carol@example.org"],
        env=environment(folder),
        cwd=folder,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    )
    os.close(theirs)
    seen = b""
    try:
        for _ in range(2):
            # The space comes once the terminal shows no more what is typed.
            while not seen.endswith(b": "):
                seen += read_within(ours, 30)
            os.write(ours, f"{PASSWORD}\n".encode())
            seen += read_within(ours, 30)
        while b"Made user carol" not in seen:
            seen += read_within(ours, 30)
        assert process.wait(30) == 0
    finally:
        process.kill()
        process.wait(30)
        os.close(ours)
    assert PASSWORD.encode() not in seen


def read_within(terminal: int, seconds: int) -> bytes:
    ready, _, _ = select.select([terminal], [], [], seconds)
    assert ready, "nothing more is said"
    return os.read(terminal, 1000)


def test_the_last_administrator_stays_active(folder: Path) -> None:
    refused = watchword(folder, "users", "deactivate", "ada")
    assert refused.returncode == 1
    assert "last active administrator" in refused.stderr
    nobody = watchword(folder, "users", "show", "other")
    assert (nobody.returncode, nobody.stderr) == (1, "There is no user other\n")
