"""The secret that development makes for itself."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from watchword.errors import ConfigurationError
from watchword.secret import Secret
from watchword.settings.load import Loaded, load_settings, with_secret
from watchword.world import World

START = """
import sys
from pathlib import Path
from watchword.settings.load import load_settings, with_secret
from watchword.world import World
loaded = load_settings(env={}, env_file=None, environment="development", data_dir=sys.argv[1])
print("ready", flush=True)
sys.stdin.readline()
print(with_secret(loaded, World()).settings.secret_key.reveal())
"""


def development(folder: Path, **overrides: object) -> Loaded:
    return load_settings(
        env={}, env_file=None, environment="development", data_dir=folder, **overrides
    )


def test_the_first_start_makes_a_secret_and_the_next_finds_it(tmp_path: Path) -> None:
    folder = tmp_path / "a" / "data"
    first = with_secret(development(folder), World())
    second = with_secret(development(folder), World())

    assert first.settings.secret_key is not None
    assert len(bytes.fromhex(first.settings.secret_key.reveal())) == 32
    assert second.settings.secret_key == first.settings.secret_key
    assert first.sources["secret_key"] == f"made at first start in {folder / 'secret_key'}"
    assert [entry.name for entry in folder.iterdir()] == ["secret_key"]


def test_two_folders_have_two_secrets(tmp_path: Path) -> None:
    one = with_secret(development(tmp_path / "one"), World()).settings.secret_key
    other = with_secret(development(tmp_path / "other"), World()).settings.secret_key
    assert one != other


@pytest.mark.skipif(os.name != "posix", reason="modes are POSIX's")
def test_nobody_else_can_read_it(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    with_secret(development(folder), World())
    file = folder / "secret_key"
    assert folder.stat().st_mode & 0o777 == 0o700
    assert file.stat().st_mode & 0o777 == 0o600

    file.chmod(0o644)
    with pytest.raises(ConfigurationError, match=r"chmod 600"):
        with_secret(development(folder), World())


def test_processes_that_start_at_once_agree(tmp_path: Path) -> None:
    starts = [
        subprocess.Popen(
            [sys.executable, "-c", START, str(tmp_path / "data")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(6)
    ]
    for start in starts:
        assert start.stdout is not None
        assert start.stdout.readline() == "ready\n"
    for start in starts:
        assert start.stdin is not None
        start.stdin.write("\n")
        start.stdin.flush()
    said = {start.communicate(timeout=30)[0] for start in starts}
    assert len(said) == 1
    assert len(said.pop().strip()) == 64


def test_a_secret_that_was_set_is_kept(tmp_path: Path) -> None:
    loaded = development(tmp_path / "data", secret_key="mine")
    assert with_secret(loaded, World()) is loaded
    assert loaded.settings.secret_key == Secret("mine")
    assert not (tmp_path / "data").exists()


def test_production_makes_none_and_says_how(tmp_path: Path) -> None:
    loaded = load_settings(env={}, env_file=None, data_dir=tmp_path / "data")
    with pytest.raises(ConfigurationError, match=r"secrets\.token_urlsafe\(48\)"):
        with_secret(loaded, World())
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("damaged", [b"", b"short", b"\xff" * 64, b"a\x00" * 32])
def test_a_damaged_secret_is_not_replaced_unasked(tmp_path: Path, damaged: bytes) -> None:
    file = tmp_path / "secret_key"
    file.write_bytes(damaged)
    file.chmod(0o600)
    with pytest.raises(ConfigurationError, match="holds no secret"):
        with_secret(development(tmp_path), World())
    assert file.read_bytes() == damaged


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigurationError, match="Set SECRET_KEY, or DATA_DIR"):
        with_secret(development(tmp_path / "file" / "data"), World())
