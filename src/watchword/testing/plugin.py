"""The pytest plugin. Installed with Watchword; its fixtures are there without an import.

- ``watchword``: a running Watchword (``Running``), new for each test.
- ``login_as``: ``login_as(role="admin").get("/api/v1/users")``.
- ``mailbox``: the mails that were written, with their links and tokens.
- ``clock``: ``clock.turn(minutes=31)``.

To test your own app, override ``watchword_host`` in your conftest::

    @pytest.fixture
    def watchword_host():
        return build_app  # a function that takes the Watchword and gives your FastAPI app

``watchword_settings`` sets anything for all tests, and a mark for one::

    @pytest.mark.watchword(access_token_expire_minutes=5)
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

# The plugin is loaded by every run of pytest, also those that have nothing to do with us: what it
# needs is imported when a fixture is asked for.
if TYPE_CHECKING:
    from fastapi import FastAPI

    from watchword.mount.watchword import Watchword
    from watchword.testing.running import Mailbox, Running, SignedIn
    from watchword.testing.world import Clock


def pytest_configure(config: pytest.Config) -> None:
    """Make the mark known."""
    config.addinivalue_line("markers", "watchword(**settings): settings of this test's Watchword")


@pytest.fixture
def watchword_settings() -> dict[str, Any]:
    """Settings for the test's Watchword, on top of cheap hashing and a temporary database."""
    return {}


@pytest.fixture
def watchword_host() -> Callable[[Watchword], FastAPI]:
    """The app that Watchword is in: a function that takes it and gives the app."""
    from fastapi import FastAPI

    def build(auth: Watchword) -> FastAPI:
        app = FastAPI()
        auth.mount(app)
        return app

    return build


@pytest.fixture
def watchword_path() -> str:
    """The path that ``watchword_host`` mounts Watchword at."""
    return ""


@pytest.fixture
def clock() -> Clock:
    """The clock of the test's Watchword: ``clock.turn(minutes=31)``."""
    from watchword.testing.world import Clock

    return Clock()


@pytest.fixture
def watchword(
    watchword_settings: dict[str, Any],
    watchword_host: Callable[[Watchword], FastAPI],
    watchword_path: str,
    clock: Clock,
    tmp_path: Path,
    request: pytest.FixtureRequest,
) -> Iterator[Running]:
    """A running Watchword, in development mode, with a database of its own."""
    from starlette.testclient import TestClient

    from watchword.mount.watchword import Watchword
    from watchword.settings.load import load_settings
    from watchword.testing.running import Running
    from watchword.testing.world import TurnableWorld

    settings = {
        "environment": "development",
        "data_dir": tmp_path / "watchword",
        "secret_key": "a-secret-key-of-the-tests-0123456789-abcdefgh",
        "hash_memory_kib": 8,
        "hash_iterations": 1,
        "hash_threads": 1,
        **watchword_settings,
    }
    for mark in reversed(list(request.node.iter_markers("watchword"))):
        settings |= mark.kwargs
    # The developer's own environment and .env must not leak into the tests.
    loaded = load_settings(env={}, env_file=None, **settings)
    auth = Watchword(loaded, world=TurnableWorld(clock))
    app = watchword_host(auth)
    with TestClient(
        app,
        base_url="http://localhost:8000",
        client=("127.0.0.1", 50000),
        follow_redirects=False,
    ) as client:
        yield Running(auth, client, clock, watchword_path)


@pytest.fixture
def login_as(watchword: Running) -> Callable[..., SignedIn]:
    """``login_as(role="admin")``: somebody of that role, signed in."""
    return watchword.login_as


@pytest.fixture
def mailbox(watchword: Running) -> Mailbox:
    """The mails that were written."""
    return watchword.mailbox
