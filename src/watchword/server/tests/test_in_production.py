"""One service in production mode, shared: its paths, its log, and who may read its metrics."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import pytest

from watchword.email.tests.post_office import PostOffice, open_office
from watchword.server.tests.processes import (
    PASSWORD,
    SECRET_KEY,
    Service,
    free_port,
    production,
    serving,
    watchword,
)

METRICS_TOKEN = "scrape-7f3a1c-0123456789-abcdefghij"
SMTP_PORT = free_port()
SETTINGS = production(
    mail="smtp",
    smtp_host="127.0.0.1",
    smtp_port=str(SMTP_PORT),
    smtp_tls="none",
    emails_from_email="no-reply@id.example.org",
    public_url="https://id.example.org",
    metrics_token=METRICS_TOKEN,
    auto_migrate="true",
)


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with serving(tmp_path_factory.mktemp("production"), **SETTINGS) as running:
        yield running


@pytest.fixture
def client(service: Service) -> Iterator[httpx2.Client]:
    with service.client as client:
        yield client


def test_the_terminal_says_where_to_go_and_how_to_make_an_administrator(service: Service) -> None:
    assert "https://id.example.org/docs" in service.terminal
    assert f"127.0.0.1 port {service.port}" in service.terminal
    # Without --password-stdin: whoever types that at a terminal waits before an empty line.
    assert "watchword users create USERNAME EMAIL --role admin --verified\n" in service.terminal
    assert "/account/setup" not in service.terminal
    assert "/dev/mail" not in service.terminal


def test_the_root_points_to_the_documentation(client: httpx2.Client) -> None:
    assert client.get("/").json() == {"app": "Watchword", "version": "0.5.0", "docs": "/docs"}
    assert "swagger-ui" in client.get("/docs").text
    assert "redoc" in client.get("/redoc").text


def test_the_command_prints_the_document_that_is_served(
    service: Service, client: httpx2.Client
) -> None:
    printed = watchword(service.folder, "openapi", **SETTINGS)
    assert json.loads(printed.stdout) == client.get("/openapi.json").json()
    file = service.folder / "openapi.json"
    assert watchword(service.folder, "openapi", "--output", str(file), **SETTINGS).returncode == 0
    assert file.read_text() == printed.stdout


@pytest.mark.parametrize("path", ["/health", "/api/v1/health"])
def test_health_is_asked_at_the_root_and_below_the_prefix(client: httpx2.Client, path: str) -> None:
    assert client.get(path).json()["status"] == "healthy"
    assert client.get(f"{path}/database").json()["database"] == "connected"


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/no/such/thing", 404),
        ("GET", "/api/v1/nothing", 404),
        ("GET", "/docs/", 404),
        ("POST", "/docs", 405),
        ("GET", "/api/v1/auth/login", 405),
        ("GET", "/api/v1/auth/me", 401),
        ("GET", "/health", 200),
    ],
)
def test_every_answer_has_each_header_once_and_every_refusal_is_a_problem(
    client: httpx2.Client, method: str, path: str, status: int
) -> None:
    answer = client.request(method, path, headers={"X-Request-ID": f"mine-{status}"})
    assert answer.status_code == status
    assert answer.headers.get_list("x-request-id") == [f"mine-{status}"]
    assert len(answer.headers.get_list("x-process-time")) == 1
    assert "server" not in answer.headers
    if status >= 400:
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["request_id"] == f"mine-{status}"


def test_each_request_is_counted_once_and_logged_once(
    service: Service, client: httpx2.Client
) -> None:
    before = counted(client)
    for number in range(3):
        client.get("/no/such/thing", headers={"X-Request-ID": f"lost-{number}"})
        client.get("/api/v1/auth/me", headers={"X-Request-ID": f"asked-{number}"})
    after = counted(client)
    for route, status in (("none", "404"), ("/auth/me", "401")):
        labels = f'{{method="GET",route="{route}",status="{status}"}}'
        assert after[labels] - before.get(labels, 0) == 3
    served = [line["request_id"] for line in lines(service) if line["event"] == "request.served"]
    assert [served.count(f"lost-{number}") for number in range(3)] == [1, 1, 1]
    assert [served.count(f"asked-{number}") for number in range(3)] == [1, 1, 1]


def test_metrics_are_for_this_machine_or_for_who_has_the_token(client: httpx2.Client) -> None:
    assert "watchword_outbox_waiting" in client.get("/metrics").text
    # As a proxy on this machine passes a stranger's request on.
    strange = {"X-Forwarded-For": "203.0.113.7"}
    stranger = client.get("/metrics", headers=strange)
    assert stranger.status_code == 401
    assert "watchword_" not in stranger.text
    for wrong in ("Bearer wrong", f"Bearer {METRICS_TOKEN}x", f"Basic {METRICS_TOKEN}"):
        refused = client.get("/metrics", headers={**strange, "Authorization": wrong})
        assert refused.status_code == 401
    right = {**strange, "Authorization": f"Bearer {METRICS_TOKEN}"}
    assert "watchword_hash_queue" in client.get("/metrics", headers=right).text


def test_a_caller_cant_write_its_own_address_into_the_log(
    service: Service, client: httpx2.Client
) -> None:
    client.get("/health", headers={"X-Forwarded-For": "198.51.100.9", "X-Request-ID": "liar"})
    (line,) = [one for one in lines(service) if one["request_id"] == "liar"]
    assert line["address"] == "127.0.0.1"


def test_every_log_line_is_json_with_the_same_fields(service: Service) -> None:
    found = lines(service)
    assert {"settings.unsafe", "request.served"} <= {line["event"] for line in found}
    fields = ["time", "level", "logger", "event", "message", "request_id", "address", "user_id"]
    for line in found:
        assert list(line)[: len(fields)] == fields
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z", line["time"])


def test_no_secret_reaches_the_log_or_the_terminal(service: Service) -> None:
    secrets = asyncio.run(a_whole_life(service))
    events = {line["event"] for line in lines(service) if line["user_id"] is not None}
    written = service.log + service.terminal
    assert [secret for secret in secrets if secret in written] == []
    assert {"user.registered", "password.reset", "email.verified", "request.served"} <= events


async def a_whole_life(service: Service) -> list[str]:
    """All that a person does with secrets; gives each of them."""
    secrets = [SECRET_KEY, METRICS_TOKEN, PASSWORD]
    who = {"username": "ada", "email": "ada@example.org"}
    async with open_office(PostOffice(port=SMTP_PORT)) as office, calls(service) as call:
        await call("register", 201, {**who, "password": PASSWORD})
        await call("login", 401, {"username": "ada", "password": "mistyped-secret-word"})
        secrets.append("mistyped-secret-word")
        pair = await call("login", 200, {"username": "ada", "password": PASSWORD})
        renewed = await call("refresh", 200, {"refresh_token": pair["refresh_token"]})
        await call("refresh", 401, {"refresh_token": renewed["refresh_token"] + "x"})
        secrets.append(await mailed(office, "wwv_"))
        await call("email/verification/confirm", 200, {"token": secrets[-1]})
        await call("password/reset/request", 200, {"email": who["email"]})
        secrets.append(await mailed(office, "wwp_"))
        for status in (200, 400):
            reset = {"token": secrets[-1], "new_password": "second-violet-otter"}
            await call("password/reset/confirm", status, reset)
        last = await call("login", 200, {"username": "ada", "password": "second-violet-otter"})
        secrets.append("second-violet-otter")
        await call("logout", 200, {}, last["access_token"])
        await call("logout", 401, {}, last["access_token"])
        pairs = (pair, renewed, last)
        secrets += [p[kind] for p in pairs for kind in ("access_token", "refresh_token")]
    return secrets


@asynccontextmanager
async def calls(service: Service) -> AsyncIterator[Any]:
    async with httpx2.AsyncClient(base_url=service.url, trust_env=False) as client:

        async def call(path: str, status: int, body: Any, token: str | None = None) -> Any:
            headers = {} if token is None else {"Authorization": f"Bearer {token}"}
            answer = await client.post(f"/api/v1/auth/{path}", json=body, headers=headers)
            assert answer.status_code == status, answer.text
            return answer.json()

        yield call


async def mailed(office: PostOffice, prefix: str) -> str:
    """The token that a mail brings, once it is there."""
    for _ in range(200):
        for mail in office.received:
            body = mail.get_body(("plain",))
            found = re.search(rf"{prefix}[\w-]+", body.get_content() if body else "")
            if found:
                return found[0]
        await asyncio.sleep(0.05)
    raise AssertionError(f"no mail with {prefix} came")


def lines(service: Service) -> list[dict[str, Any]]:
    # A request is logged after its answer: once another is answered, those before it are there.
    with service.client as client:
        client.get("/health")
    return [json.loads(line) for line in service.log.splitlines()]


def counted(client: httpx2.Client) -> dict[str, float]:
    text = client.get("/metrics").text
    found = re.findall(r"^watchword_requests_total(\{.*\}) (\S+)$", text, re.MULTILINE)
    return {labels: float(count) for labels, count in found}
