"""What an operator sees: health with and without a database, metrics, slow requests."""

from __future__ import annotations

import itertools
import logging
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from tests.contract.problems import assert_problem
from tests.contract.workers import another_worker
from tests.databases import postgres_database, run_sql
from watchword.secret import Secret
from watchword.testing import Running
from watchword.world import World


@pytest.mark.shapes("mounted-postgres")
def test_without_its_database_it_says_so_and_comes_back_by_itself(
    watchword: Running, migrated_postgres: str
) -> None:
    with postgres_database(migrated_postgres) as url:
        name = url.rpartition("/")[2]
        with another_worker(watchword, database_url=Secret(url)) as worker:
            person = worker.login_as()
            asked = worker.client.get(f"{worker.prefix}/health/database")
            assert asked.status_code == 200

            run_sql(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
            # The connections that it has are cut off, too.
            run_sql(
                f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"  # noqa: S608
            )
            began = time.monotonic()
            problem = assert_problem(worker.client.get(f"{worker.prefix}/health/database"), 503)
            assert problem["code"] == "database_unavailable"
            assert time.monotonic() - began < 5
            assert worker.client.get(f"{worker.prefix}/health").status_code == 200
            assert_problem(person.get(f"{worker.prefix}/auth/me"), 503)
            login = {"username": person.user["username"], "password": person.password}
            refused = worker.client.post(f"{worker.prefix}/auth/login", json=login)
            assert_problem(refused, 503)

            run_sql(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
            assert worker.client.get(f"{worker.prefix}/health/database").status_code == 200
            assert person.get(f"{worker.prefix}/auth/me").status_code == 200


@pytest.mark.shapes("alone-sqlite")
def test_the_service_counts_requests_by_route_and_sign_ins_by_outcome(watchword: Running) -> None:
    name = watchword.create()
    watchword.sign_in(name)
    wrong = {"username": name, "password": "wrong"}
    watchword.client.post(f"{watchword.prefix}/auth/login", json=wrong)
    for n in range(3):
        watchword.client.get(f"{watchword.prefix}/users/{n}")
    metrics = watchword.client.get("/metrics")
    assert metrics.status_code == 200
    assert 'watchword_sign_ins_total{outcome="succeeded"} 1.0' in metrics.text
    assert 'watchword_sign_ins_total{outcome="refused"} 1.0' in metrics.text
    assert 'route="/users/{user_id}",status="401"} 3.0' in metrics.text
    assert "/users/2" not in metrics.text, "by template: an id is the caller's to invent"


@dataclass(frozen=True, slots=True)
class SluggishWorld(World):
    """A world where half a second goes by between any two looks at the clock."""

    looks: Iterator[int] = field(default_factory=itertools.count)

    def monotonic(self) -> float:
        return next(self.looks) / 2


@pytest.mark.shapes("mounted-sqlite")
def test_a_request_that_takes_longer_than_a_second_is_a_warning(
    watchword: Running, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="watchword.access")
    watchword.client.get(f"{watchword.prefix}/health").raise_for_status()
    with another_worker(watchword, world=SluggishWorld()) as slow:
        answer = slow.client.get(f"{slow.prefix}/health")
    assert float(answer.headers["x-process-time"]) == 0.5
    served = [record for record in caplog.records if record.name == "watchword.access"]
    assert [record.levelname for record in served] == ["INFO", "WARNING"]
    assert [record.__dict__["event"] for record in served] == ["request.served", "request.slow"]
