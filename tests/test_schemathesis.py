"""Schemathesis reads our OpenAPI document and finds no answer that contradicts it."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import schemathesis
import uvicorn
from hypothesis import strategies as st
from schemathesis.engine import Status, events, from_schema

from watchword.testing import Running
from watchword.verify import InvalidToken

_LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789"
names = st.text(_LETTERS, min_size=4, max_size=20).map(lambda text: f"n{text}")
# What these formats mean is more than a schema can say; each value is a good one.
schemathesis.openapi.format("username", names)
schemathesis.openapi.format("full-name", names.map(str.title))
schemathesis.openapi.format("email", names.map(lambda name: f"{name}@example.com"))
schemathesis.openapi.format(
    "password", st.text(_LETTERS, min_size=12, max_size=40).map(lambda text: f"{text} otters row")
)

CONFIG: dict[str, Any] = {
    "seed": 1,
    "generation": {"max-examples": 15, "deterministic": True, "unique-inputs": True},
    "phases": {"stateful": {"max-steps": 6}},
    "operations": [
        {
            # What only a mail or a memory holds can't be guessed: 400 is the right answer.
            "include-path-regex": "/(password/reset|email/verification)/confirm$|/password/change$",
            "checks": {"positive_data_acceptance": {"expected-statuses": ["2xx", 400, 401, 403]}},
        },
        {
            # These methods belong to /users/{user_id}, and the answer is that "me" is no id.
            "include-path-regex": "/users/me$",
            "checks": {"unsupported_method": {"enabled": False}},
        },
    ],
}


@contextmanager
def served(watchword: Running) -> Iterator[str]:
    """The running service behind a real server on loopback; gives its address."""
    portal = watchword.client.portal
    assert portal is not None
    # Named TCP, so that asyncio turns Nagle off: each answer would wait for an acknowledgement.
    with socket.socket(proto=socket.IPPROTO_TCP) as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        config = uvicorn.Config(watchword.client.app, lifespan="off", log_config=None)
        server = uvicorn.Server(config)
        running = portal.start_task_soon(server.serve, [listening])
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            server.should_exit = True
            running.result()


def as_admin(schema: Any, watchword: Running) -> None:
    """Send every request as an administrator; as another one when this one was signed out."""
    verifier = watchword.auth.core.verifier
    admins = [watchword.login_as("admin")]

    class Admin:
        def get(self, _case: Any, _context: Any) -> str:
            try:
                verifier.verify(admins[-1].access_token)
            except InvalidToken:
                admins.append(watchword.login_as("admin"))
            return admins[-1].access_token

        def set(self, case: Any, token: str, _context: Any) -> None:
            case.headers["Authorization"] = f"Bearer {token}"

    schema.auth(refresh_interval=None)(Admin)


def findings(schema: Any) -> tuple[list[str], set[str], int]:
    """What was found, which operations were tried, and by how many requests."""
    found: list[str] = []
    tried: set[str] = set()
    requests = 0
    for event in from_schema(schema).execute():
        match event:
            case events.ScenarioFinished():
                recorder = event.recorder
                requests += len(recorder.interactions)
                for case_id, checks in recorder.checks.items():
                    case = recorder.cases[case_id].value
                    tried.add(case.operation.label)
                    found += [
                        f"{check.name} by {case.as_curl_command()}: {check.failure_info.failure}"
                        for check in checks
                        if check.status is Status.FAILURE and check.failure_info
                    ]
            case events.NonFatalError():
                found.append(f"{event.label}: {event.value}")
            case events.FatalError():
                raise event.exception
    return found, tried, requests


@pytest.mark.parametrize("who", ["nobody", "administrator"])
@pytest.mark.shapes("alone-sqlite")
@pytest.mark.watchword(
    limit_login="off",
    limit_register="off",
    limit_password_reset="off",
    limit_verification="off",
    limit_refresh="off",
    limit_token="off",
)
def test_schemathesis_finds_nothing(watchword: Running, who: str) -> None:
    with served(watchword) as address:
        config = schemathesis.Config.from_dict(CONFIG)
        schema = schemathesis.openapi.from_url(f"{address}/openapi.json", config=config)
        if who == "administrator":
            as_admin(schema, watchword)
        found, tried, requests = findings(schema)
    assert not found, f"{len(found)} found:\n" + "\n".join(found[:20])
    assert len(tried) > 20
    assert requests > 500
