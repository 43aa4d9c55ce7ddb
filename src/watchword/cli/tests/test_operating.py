"""The schema, the settings, and what a command says when it can't."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from watchword import __version__
from watchword.server.tests.processes import (
    SECRET_KEY,
    environment,
    free_port,
    production,
    watchword,
)

BLOCKED = """
import sys
sys.modules[{name!r}] = None  # as if it were not installed
from watchword.cli.main import main
sys.argv = ["watchword", "version"]
main()
"""


def test_the_schema_goes_forward_and_back(tmp_path: Path) -> None:
    # Needs the database and nothing else: a deployment's migration has no secret at hand.
    settings = {"environment": "production"}
    before = watchword(tmp_path, "db", "check", **settings)
    assert (before.returncode, "watchword db upgrade" in before.stdout) == (1, True)
    up = watchword(tmp_path, "db", "upgrade", **settings)
    assert (up.returncode, "was empty" in up.stdout) == (0, True)
    assert "nothing to do" in watchword(tmp_path, "db", "upgrade", **settings).stdout
    assert watchword(tmp_path, "db", "check", **settings).returncode == 0
    current = json.loads(watchword(tmp_path, "db", "current", "--json", **settings).stdout)
    assert current["is_current"] is True
    assert current["current"] == current["wanted"]

    asked = watchword(tmp_path, "db", "downgrade", "base", **settings)
    assert (asked.returncode, "--yes" in asked.stderr) == (2, True)
    down = watchword(tmp_path, "db", "downgrade", "base", "--yes", **settings)
    assert (down.returncode, "is empty now" in down.stdout) == (0, True)
    assert "is empty" in watchword(tmp_path, "db", "current", **settings).stdout
    unknown = watchword(tmp_path, "db", "upgrade", "no-such-step", **settings)
    assert (unknown.returncode, "no-such-step" in unknown.stderr) == (2, True)


def test_settings_are_shown_with_where_they_came_from_and_without_a_secret(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("APP_NAME=Ours\n")
    settings = production(database_url="postgresql://me:s3cret@db.example.org/x")
    shown = watchword(tmp_path, "settings", "show", "--json", **settings)
    by_name = {one["name"]: one for one in json.loads(shown.stdout)}
    assert by_name["WATCHWORD_APP_NAME"]["value"] == "Ours"
    assert by_name["WATCHWORD_APP_NAME"]["source"] == ".env APP_NAME"
    assert by_name["WATCHWORD_MAIL"]["source"] == "environment WATCHWORD_MAIL"
    assert by_name["WATCHWORD_PORT"]["source"] == "default"
    table = watchword(tmp_path, "settings", "show", "--changed", **settings).stdout
    assert "WATCHWORD_APP_NAME" in table
    assert "WATCHWORD_PORT" not in table
    for output in (shown.stdout, table):
        assert SECRET_KEY not in output
        assert "s3cret" not in output


@pytest.mark.parametrize(
    ("settings", "code", "said"),
    [
        (production(), 0, "will do"),
        (production(limit_login="off"), 0, "LIMIT_LOGIN IS OFF"),
        (production(secret_key="changeme" * 5), 2, "SECRET_KEY"),
        (production(prot="80"), 2, "Did you mean WATCHWORD_PORT?"),
    ],
)
def test_settings_are_checked(
    tmp_path: Path, settings: dict[str, str], code: int, said: str
) -> None:
    checked = watchword(tmp_path, "settings", "check", **settings)
    assert checked.returncode == code
    assert said in checked.stdout + checked.stderr
    assert "changeme" not in checked.stdout + checked.stderr


def test_a_command_refuses_what_the_service_would_refuse_to_start_with(tmp_path: Path) -> None:
    refused = watchword(tmp_path, "users", "list", environment="production")
    assert refused.returncode == 2
    assert "SECRET_KEY is not set" in refused.stderr
    assert "SMTP_HOST" in refused.stderr


def test_a_database_that_does_not_answer_is_one_sentence(tmp_path: Path) -> None:
    url = f"postgresql://me:s3cret@127.0.0.1:{free_port()}/x"
    refused = watchword(tmp_path, "users", "list", database_url=url)
    assert refused.returncode == 1
    assert len(refused.stderr.splitlines()) == 1
    assert "Check DATABASE_URL" in refused.stderr
    assert "s3cret" not in refused.stderr


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        ("sslmode=verify-full&sslrootcert=/no/such.pem", "/no/such.pem, which DATABASE_URL names"),
        (f"sslmode=verify-full&sslrootcert={__file__}", "can't be read as certificates"),
        ("sslmode=verify-full&pgbouncer=true", "the parameter 'pgbouncer'"),
    ],
)
def test_what_a_database_url_asks_in_vain_is_one_sentence(
    tmp_path: Path, parameters: str, said: str
) -> None:
    url = f"postgresql://me:s3cret@127.0.0.1:{free_port()}/x?{parameters}"
    refused = watchword(tmp_path, "db", "check", database_url=url)
    assert refused.returncode == 2
    assert len(refused.stderr.splitlines()) == 1
    assert said in refused.stderr


@pytest.mark.parametrize("setting", ["data_dir", "database_url"])
def test_a_folder_that_cant_be_made_is_one_sentence(tmp_path: Path, setting: str) -> None:
    (tmp_path / "file").write_text("")
    place = str(tmp_path / "file" / "folder")
    value = place if setting == "data_dir" else f"sqlite:///{place}/app.db"
    refused = watchword(tmp_path, "db", "check", **{setting: value})
    assert refused.returncode == 2
    assert len(refused.stderr.splitlines()) == 1
    assert place in refused.stderr
    assert "DATA_DIR" in refused.stderr


def test_the_version_is_told(tmp_path: Path) -> None:
    assert watchword(tmp_path, "--version").stdout == f"watchword {__version__}\n"
    assert watchword(tmp_path, "version").stdout == f"watchword {__version__}\n"


@pytest.mark.parametrize("name", ["typer", "uvicorn", "sqlalchemy"])
def test_a_missing_package_is_answered_with_what_to_type(tmp_path: Path, name: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", BLOCKED.format(name=name)],
        env=environment(tmp_path),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 2
    assert 'pip install "watchword[service]"' in done.stderr
    assert len(done.stderr.splitlines()) == 1
