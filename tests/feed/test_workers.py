"""Four real worker processes: how long after a logout's answer another still takes the token."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.databases import postgres_database, postgres_url
from tests.feed.hammering import figures, measure
from tests.services import service
from watchword.settings.schema import Settings

WORKERS = 4
LOGOUTS = 20
BOUND = Settings().revocation_max_staleness_seconds


@pytest.fixture(params=["sqlite", "postgres"])
def database_setting(request: pytest.FixtureRequest) -> Iterator[dict[str, str]]:
    if request.param == "sqlite":
        yield {}
    elif postgres_url() is None:
        pytest.skip("WATCHWORD_TEST_POSTGRES is not set")
    else:
        with postgres_database(request.getfixturevalue("migrated_postgres")) as url:
            yield {"database_url": url}


@pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="the kernel tells who answers")
def test_a_logout_is_heard_of_by_all_four_workers_within_the_bound(
    tmp_path: Path, database_setting: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    with service(tmp_path, "--workers", str(WORKERS), port=None, **database_setting) as running:
        seconds = measure(running, WORKERS, LOGOUTS)
    with capsys.disabled():
        sys.stdout.write(f"\nlogout to the last acceptance: {figures(seconds)}\n")
    assert max(seconds) <= BOUND
