"""What every refusal has in common: a document that says why, and a database as it was."""

from __future__ import annotations

from typing import Any

from httpx2 import Response
from sqlalchemy import select

from tests.described import MARK
from watchword.core import Core
from watchword.db.metadata import metadata
from watchword.testing import Running

Everything = dict[str, set[tuple[str, ...]]]


def everything(watchword: Running) -> Everything:
    """Every row of every table; failed sign-ins apart, which are recorded (contract, part 2)."""

    async def read(core: Core) -> Everything:
        async with core.database.read() as unit:
            tables = {}
            for table in metadata.sorted_tables:
                rows = (await unit.execute(select(table))).all()
                tables[table.name] = {
                    tuple(repr(value) for value in row)
                    for row in rows
                    if row._mapping.get("event") != "signin.failed"
                }
            return tables

    return watchword.call(read)


def refused(answer: Response, *statuses: int) -> dict[str, Any]:
    """The problem document of a refusal that says what is wrong."""
    told = f"{answer.request.method} {answer.request.url!s:.200}: {answer.status_code}"
    assert 400 <= answer.status_code < 500, told
    assert not statuses or answer.status_code in statuses, f"{told} {answer.text:.300}"
    assert answer.headers["content-type"] == "application/problem+json", told
    problem: dict[str, Any] = answer.json()
    assert problem["status"] == answer.status_code
    assert problem["type"] == f"urn:watchword:{problem['code']}"
    assert problem["title"]
    assert problem["detail"]
    assert problem["request_id"] == answer.headers["x-request-id"]
    assert MARK not in answer.text, f"{told} repeats what was sent"
    if answer.status_code == 401:
        assert answer.headers["www-authenticate"].startswith("Bearer")
    if answer.status_code == 405:
        assert answer.headers["allow"]
    if answer.status_code == 422:
        assert all(error["where"] and error["what"] for error in problem["errors"]), told
    return problem
