"""What every answer has, whichever route gives it (contract, part 1)."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from httpx2 import Response

from tests.contract.problems import assert_problem
from watchword.testing import Running
from watchword.world import uuid7

BAD_BODIES: tuple[tuple[bytes, str], ...] = (
    (b"", "application/json"),
    (b"{", "application/json"),
    (b"[]", "application/json"),
    (b"null", "application/json"),
    (b"\xff\xfe", "application/json"),
    (b'{"a":' * 5000 + b"1" + b"}" * 5000, "application/json"),
    (b"<a/>", "text/xml"),
    (b"\x00", "application/x-www-form-urlencoded"),
    (b"--x", "multipart/form-data; boundary=x"),
)


def operations(running: Running) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Every method and path that our document names, and what it says of it."""
    for path, item in running.auth.openapi().get("paths", {}).items():
        for method, operation in item.items():
            filled = path.replace("{user_id}", "1").replace("{session_id}", str(uuid.uuid4()))
            yield method.upper(), running.path + filled, operation


def documented(operation: dict[str, Any], answer: Response) -> bool:
    return str(answer.status_code) in operation["responses"]


@pytest.mark.watchword(limit_login="off", limit_register="off", limit_token="off")
def test_every_route_refuses_a_stranger_and_a_bad_body_by_a_problem_document(
    watchword: Running,
) -> None:
    admin = watchword.login_as(role="admin")
    protected = bodied = 0
    for method, path, operation in operations(watchword):
        if "security" in operation:
            protected += 1
            answer = watchword.client.request(method, path)
            assert_problem(answer, 401, "Not authenticated")
            assert answer.headers["www-authenticate"] == "Bearer"
            bad = watchword.client.request(method, path, headers={"Authorization": "Bearer x.y.z"})
            assert_problem(bad, 401, "Could not validate credentials")
            assert 'error="invalid_token"' in bad.headers["www-authenticate"]
        if "requestBody" in operation:
            bodied += 1
            for body, kind in BAD_BODIES:
                answer = admin.request(method, path, content=body, headers={"Content-Type": kind})
                assert answer.status_code in (400, 415, 422), (method, path, body[:20])
                assert_problem(answer, answer.status_code)
                assert documented(operation, answer)
            large = admin.request(method, path, content=b"x" * 300_000)
            assert_problem(large, 413)
            # Without a length that would tell at once.
            kind = next(iter(operation["requestBody"]["content"]))
            hidden = admin.request(
                method,
                path,
                content=iter([b"x" * 100_000] * 3),
                headers={"Content-Type": kind},
            )
            assert_problem(hidden, 413)
            assert documented(operation, large)
    assert protected >= 14
    assert bodied >= 10


@pytest.mark.shapes("mounted-sqlite")
def test_a_path_of_ours_with_a_foreign_method_is_405(watchword: Running) -> None:
    answer = watchword.client.get(f"{watchword.prefix}/auth/login")
    assert_problem(answer, 405)
    assert answer.headers["allow"] == "POST"
    odd = watchword.client.request("BREW", f"{watchword.prefix}/auth/me")
    assert_problem(odd, 405)


@pytest.mark.shapes("mounted-sqlite")
def test_the_401s_of_rfc_6750_tell_no_token_from_a_bad_one(watchword: Running) -> None:
    me = f"{watchword.prefix}/auth/me"
    for absent in ({}, {"Authorization": ""}, {"Authorization": "Basic YTpi"}):
        answer = watchword.client.get(me, headers=absent)
        assert_problem(answer, 401, "Not authenticated")
        assert answer.headers["www-authenticate"] == "Bearer"
    bad = watchword.client.get(me, headers={"Authorization": "bearer nonsense"})
    assert_problem(bad, 401, "Could not validate credentials")
    assert bad.headers["www-authenticate"].startswith('Bearer error="invalid_token", ')
    body = {"refresh_token": "nonsense"}
    refused = watchword.client.post(f"{watchword.prefix}/auth/refresh", json=body)
    assert_problem(refused, 401)
    assert 'error="invalid_token"' in refused.headers["www-authenticate"]


@pytest.mark.shapes("mounted-sqlite")
def test_a_sane_request_id_is_kept_and_any_other_replaced(watchword: Running) -> None:
    health = f"{watchword.prefix}/health"
    for sane in ("abc-123", "A.b_c-1", "x" * 128, str(uuid7(1, b"0123456789"))):
        answer = watchword.client.get(health, headers={"X-Request-ID": sane})
        assert answer.headers["x-request-id"] == sane
    for odd in (b"", b"a b", b"x" * 129, b"<script>", b"a;b", b"%0d%0a", b"na\xefve"):
        answer = watchword.client.get(health, headers={b"X-Request-ID": odd})
        made = uuid.UUID(answer.headers["x-request-id"])
        assert made.version == 7
    first, second = watchword.client.get(health), watchword.client.get(health)
    assert first.headers["x-request-id"] != second.headers["x-request-id"]
    assert 0 <= float(first.headers["x-process-time"]) < 60
    missing = watchword.client.get(f"{watchword.prefix}/users/1", headers={"X-Request-ID": "mine"})
    assert assert_problem(missing, 401)["request_id"] == "mine"


def test_health_is_for_anyone_and_really_asks_the_database(watchword: Running) -> None:
    health = watchword.client.get(f"{watchword.prefix}/health")
    assert health.status_code == 200
    assert health.json()["status"] == "healthy"
    asked = watchword.client.get(f"{watchword.prefix}/health/database")
    assert asked.json() == {"status": "healthy", "database": "connected"}


ORIGIN = "https://app.example.org"


@pytest.mark.shapes("mounted-sqlite")
@pytest.mark.watchword(allowed_origins=(ORIGIN,))
def test_cors_lets_the_allowed_origin_in_and_shows_it_our_headers(watchword: Running) -> None:
    login = f"{watchword.prefix}/auth/login"
    ask = {
        "Origin": ORIGIN,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "Authorization, Content-Type",
    }
    preflight = watchword.client.options(login, headers=ask)
    assert preflight.status_code == 200
    assert preflight.headers["access-control-allow-origin"] == ORIGIN
    assert "POST" in preflight.headers["access-control-allow-methods"]
    assert "authorization" in preflight.headers["access-control-allow-headers"].lower()
    # An answer and a refusal alike: a page must be able to read why.
    body = {"username": "nobody", "password": "wrong"}
    for answer in (
        watchword.client.get(f"{watchword.prefix}/health", headers={"Origin": ORIGIN}),
        watchword.client.post(login, json=body, headers={"Origin": ORIGIN}),
        watchword.client.post(login, content=b"x" * 300_000, headers={"Origin": ORIGIN}),
    ):
        assert answer.headers["access-control-allow-origin"] == ORIGIN
        exposed = answer.headers["access-control-expose-headers"].lower()
        assert "x-request-id" in exposed
        assert "x-process-time" in exposed
        assert "origin" in answer.headers["vary"].lower()
    for other in (
        "https://evil.example",
        "null",
        ORIGIN + ".evil.example",
        "http://app.example.org",
    ):
        answer = watchword.client.get(f"{watchword.prefix}/health", headers={"Origin": other})
        assert "access-control-allow-origin" not in answer.headers
        refused = watchword.client.options(login, headers=ask | {"Origin": other})
        assert "access-control-allow-origin" not in refused.headers


@pytest.mark.shapes("mounted-sqlite")
def test_without_allowed_origins_there_is_no_cors_header(watchword: Running) -> None:
    answer = watchword.client.get(f"{watchword.prefix}/health", headers={"Origin": ORIGIN})
    assert not [name for name in answer.headers if name.startswith("access-control")]


@pytest.mark.shapes("mounted-sqlite")
def test_every_limit_is_answered_429_with_how_long_to_wait(watchword: Running) -> None:
    somebody = watchword.login_as(verified=False)
    for _ in range(5):
        assert somebody.post(f"{watchword.prefix}/auth/email/verification/request").is_success
    limited = somebody.post(f"{watchword.prefix}/auth/email/verification/request")
    wait = int(limited.headers["retry-after"])
    assert_problem(limited, 429, f"Too many attempts. Try again in {wait} seconds.")
    assert 3500 < wait <= 3601
    watchword.clock.turn(seconds=wait)
    somebody = watchword.sign_in(somebody.user["username"])
    assert somebody.post(f"{watchword.prefix}/auth/email/verification/request").is_success
