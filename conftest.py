"""Every test that asks for a ``watchword`` runs in four shapes: alone and inside a hostile host,
on SQLite and on PostgreSQL. A test that is about less says so: ``@pytest.mark.shapes(...)``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from hypothesis import HealthCheck, settings
from tests.databases import (
    copy_of,
    postgres_database,
    postgres_template,
    postgres_url,
    sqlite_template,
)
from tests.hosts import HOSTILE_PATH, alone, hostile

from watchword import Watchword

SHAPES = ("alone-sqlite", "mounted-sqlite", "alone-postgres", "mounted-postgres")

settings.register_profile(
    "watchword",
    deadline=None,
    derandomize=True,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
settings.load_profile("watchword")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "shapes(*names): the shapes this test is run in")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "shape" not in metafunc.fixturenames:
        return
    mark = metafunc.definition.get_closest_marker("shapes")
    wanted = mark.args if mark else SHAPES
    if postgres_url() is None:
        wanted = tuple(shape for shape in wanted if not shape.endswith("postgres"))
    metafunc.parametrize("shape", wanted, scope="function")


@pytest.fixture(scope="session")
def migrated_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return sqlite_template(tmp_path_factory.mktemp("template"))


@pytest.fixture(scope="session")
def migrated_postgres() -> Iterator[str]:
    with postgres_template() as name:
        yield name


@pytest.fixture
def watchword_settings(
    shape: str, tmp_path: Path, request: pytest.FixtureRequest
) -> Iterator[dict[str, Any]]:
    public_url = "http://localhost:8000" + (HOSTILE_PATH if shape.startswith("mounted") else "")
    if shape.endswith("sqlite"):
        copy_of(request.getfixturevalue("migrated_sqlite"), tmp_path / "watchword")
        yield {"public_url": public_url}
    else:
        with postgres_database(request.getfixturevalue("migrated_postgres")) as url:
            yield {"public_url": public_url, "database_url": url}


@pytest.fixture
def watchword_host(shape: str) -> Callable[[Watchword], FastAPI]:
    return hostile if shape.startswith("mounted") else alone


@pytest.fixture
def watchword_path(shape: str) -> str:
    return HOSTILE_PATH if shape.startswith("mounted") else ""
