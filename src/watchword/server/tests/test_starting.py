"""Starting and stopping: what is said, what is refused, and what is waited for."""

from __future__ import annotations

import base64
import json
import re
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from watchword.server.tests.processes import (
    PASSWORD,
    free_port,
    production,
    serving,
    watchword,
)

LINK = re.compile(r"http://localhost:\d+/account/setup\?token=(\S+)")


def test_the_first_administrators_link_is_offered_until_there_is_one(tmp_path: Path) -> None:
    with serving(tmp_path) as service:
        (token,) = LINK.findall(service.terminal)
        assert token not in service.log
        assert f"http://localhost:{service.port}/docs" in service.terminal
        assert f"http://localhost:{service.port}/dev/mail" in service.terminal
        with service.client as client:
            assert client.get(f"/account/setup?token={token}").status_code == 200
            assert client.get("/metrics", headers={"X-Forwarded-For": "1.2.3.4"}).is_success
    made = watchword(
        tmp_path,
        *("users", "create", "root", "root@example.org", "--role", "admin", "--password-stdin"),
        stdin=PASSWORD,
    )
    assert made.returncode == 0, made.stderr
    with serving(tmp_path) as service:
        assert "/account/setup" not in service.terminal
        assert service.end() == 0
    assert re.search(r"info +\] request\.served +\[watchword\.access\] method=GET", service.log)
    assert "{" not in service.log


def test_a_request_under_way_is_finished_before_the_end(tmp_path: Path) -> None:
    name = f"@watchword-{tmp_path.name}-{free_port()}"
    with supervisor(name) as told, serving(tmp_path, notify_socket=name) as service:
        assert told.recv(100) == b"READY=1"
        body = json.dumps({"username": "nobody", "password": PASSWORD}).encode()
        with socket.create_connection(("127.0.0.1", service.port), timeout=20) as caller:
            head = (
                "POST /api/v1/auth/login HTTP/1.1\r\nHost: here\r\nExpect: 100-continue\r\n"
                f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
            )
            caller.sendall(head.encode())
            assert b"100 Continue" in caller.recv(1000)
            service.process.send_signal(signal.SIGTERM)
            assert told.recv(100) == b"STOPPING=1"
            caller.sendall(body)
            answer = caller.recv(10_000)
        assert answer.startswith(b"HTTP/1.1 401")
        assert service.process.wait(20) == 0


def test_two_workers_share_the_port_and_what_the_command_line_said(tmp_path: Path) -> None:
    name = f"@watchword-{tmp_path.name}-{free_port()}"
    with (
        supervisor(name) as told,
        serving(tmp_path, "--workers", "2", notify_socket=name) as service,
    ):
        assert told.recv(100) == b"READY=1"
        assert len(set(re.findall(r"Started server process \[(\d+)\]", service.log))) == 2
        assert len(LINK.findall(service.terminal)) == 1
        who = {"username": "ada", "email": "ada@example.org", "password": PASSWORD}
        for _ in range(10):
            # A connection each: the workers take turns at accepting.
            with service.client as client:
                client.post("/api/v1/auth/register", json=who)
                pair = client.post("/api/v1/auth/login", json=who).json()
                bearer = {"Authorization": f"Bearer {pair['access_token']}"}
                assert client.get("/api/v1/auth/me", headers=bearer).status_code == 200
            assert claims(pair["access_token"])["iss"] == f"http://localhost:{service.port}"
        assert service.end() == 0
        assert told.recv(100) == b"STOPPING=1"
        assert "Traceback" not in service.log


def test_production_says_every_reason_not_to_start(tmp_path: Path) -> None:
    refused = watchword(
        tmp_path,
        "serve",
        environment="production",
        allowed_origins="*",
        trusted_proxies="everybody",
    )
    assert refused.returncode == 2
    for name in ("SECRET_KEY", "SMTP_HOST", "ALLOWED_ORIGINS", "TRUSTED_PROXIES"):
        assert name in refused.stderr
    assert refused.stdout == ""


def test_production_waits_for_the_operator_to_migrate(tmp_path: Path) -> None:
    refused = watchword(tmp_path, "serve", "--port", str(free_port()), **production())
    assert refused.returncode == 2
    assert "watchword db upgrade" in refused.stderr


@pytest.mark.parametrize("port", ["0", "taken"])
def test_a_port_that_cant_be_had_is_said_in_one_sentence(tmp_path: Path, port: str) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        taken = str(other.getsockname()[1])
        refused = watchword(tmp_path, "serve", "--port", taken if port == "taken" else port)
    assert refused.returncode == 1
    assert len(refused.stderr.splitlines()) == 1
    assert "port" in refused.stderr.lower()


def test_a_database_that_does_not_answer_is_said_in_one_sentence(tmp_path: Path) -> None:
    refused = watchword(
        tmp_path,
        *("serve", "--port", str(free_port())),
        database_url=f"postgresql://u:s3cret@127.0.0.1:{free_port()}/x",
    )
    assert refused.returncode == 1
    assert "Check DATABASE_URL" in refused.stderr
    assert "s3cret" not in refused.stderr


@contextmanager
def supervisor(name: str) -> Iterator[socket.socket]:
    """systemd's end of NOTIFY_SOCKET."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as told:
        told.bind("\0" + name[1:])
        told.settimeout(30)
        yield told


def claims(token: str) -> dict[str, Any]:
    payload = token.split(".")[1]
    found: dict[str, Any] = json.loads(
        base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4))
    )
    return found
