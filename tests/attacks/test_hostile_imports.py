"""A file of accounts from elsewhere: one line of it must not keep the others out."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from watchword.cli.rows import read_accounts
from watchword.core import Core
from watchword.passwords import transfer
from watchword.passwords.transfer import Arrival, Turned
from watchword.testing import Running

HEX = "ab" * 32


@pytest.mark.shapes("alone-sqlite", "alone-postgres")
@pytest.mark.parametrize(
    "stored", [f"pbkdf2:sha256:1000$\0${HEX}", f"scrypt:32768:8:1$\0${HEX}{HEX}"]
)
def test_a_hash_that_no_database_takes_is_refused_by_its_line(
    watchword: Running, tmp_path: Path, stored: str
) -> None:
    lines = [
        {"username": "first", "email": "first@example.com"},
        {"username": "odd", "email": "odd@example.com", "password_hash": stored},
        {"username": "last", "email": "last@example.com"},
    ]
    file = tmp_path / "people.jsonl"
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    found = list(read_accounts(file, lambda _: None))
    assert [one.line for one in found if isinstance(one, Turned)] == [2]
    arrivals = [one for one in found if isinstance(one, Arrival)]

    async def take_in(core: Core) -> list[Turned]:
        return await transfer.take_in(core, arrivals)

    assert watchword.call(take_in) == []
