"""Where the tutorial is wrong in operation (contract, part 3): logs, load, start, proxies."""

from __future__ import annotations

import contextlib
import logging
import re
import signal
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import requires, version
from pathlib import Path
from urllib.request import urlopen

import pytest
from packaging.requirements import Requirement

from tests.contract.problems import assert_problem
from tests.contract.workers import another_worker
from watchword.errors import ConfigurationError
from watchword.secret import Secret
from watchword.settings.schema import Environment, MailMode
from watchword.testing import Running
from watchword.testing.running import PASSWORD

NEW = "quiet-lantern-by-the-sea"
ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.shapes("mounted-sqlite", "mounted-postgres")
def test_no_password_and_no_token_reaches_a_log_line(
    watchword: Running, caplog: pytest.LogCaptureFixture
) -> None:
    at = watchword.prefix
    # As our own configuration has it at its loudest: DEBUG for us, INFO for the libraries.
    caplog.set_level(logging.INFO)
    caplog.set_level(logging.DEBUG, logger="watchword")
    person = watchword.login_as(verified=False)
    secrets = {PASSWORD, NEW, person.access_token, person.refresh_token}
    person.post(f"{at}/auth/email/verification/request")
    watchword.client.post(f"{at}/auth/password/reset/request", json={"email": person.user["email"]})
    secrets |= {mail.token for mail in watchword.mailbox}
    reset = watchword.mailbox.last(kind="password_reset").token
    watchword.client.get(f"{watchword.path}/account/reset", params={"token": reset})
    watchword.client.post(
        f"{at}/auth/password/reset/confirm", json={"token": reset, "new_password": NEW}
    )
    watchword.client.post(
        f"{at}/auth/password/reset/confirm", json={"token": reset, "new_password": NEW}
    )
    watchword.client.post(f"{at}/auth/refresh", json={"refresh_token": person.refresh_token})
    watchword.client.post(f"{at}/auth/login", json={"username": NEW, "password": PASSWORD})
    watchword.client.post(f"{at}/auth/login", json={"username": ["x"], "password": PASSWORD})
    assert len(caplog.records) > 20
    assert any(record.name == "watchword.events" for record in caplog.records)
    for record in caplog.records:
        if not record.name.startswith(("httpx", "asyncio")):
            said = record.getMessage() + repr(record.__dict__)
            assert not [secret for secret in secrets if secret in said], record


SLOW_HASH = {"hash_memory_kib": 19_456, "hash_iterations": 10, "hash_threads": 1}


@pytest.mark.shapes("mounted-sqlite")
@pytest.mark.watchword(**SLOW_HASH)
def test_hashing_does_not_stall_everybody_else(watchword: Running) -> None:
    body = {"username": watchword.create(), "password": PASSWORD}
    login, health = f"{watchword.prefix}/auth/login", f"{watchword.prefix}/health"
    served = 0
    with ThreadPoolExecutor(4) as pool:
        signing_in = [pool.submit(watchword.client.post, login, json=body) for _ in range(4)]
        while not all(each.done() for each in signing_in):
            assert watchword.client.get(health).status_code == 200
            served += 1
    assert [each.result().status_code for each in signing_in] == [200] * 4
    # On the loop, at most one request got through between two of the four hashes.
    assert served > 12


@pytest.mark.shapes("mounted-sqlite")
@pytest.mark.watchword(**SLOW_HASH, hash_queue=1, limit_login="off")
def test_more_sign_ins_than_can_be_hashed_are_told_to_come_back(watchword: Running) -> None:
    login = f"{watchword.prefix}/auth/login"
    # For a name that does not exist too, because it costs the same.
    for name, answered in ((watchword.create(), 200), ("nobody", 401)):
        body = {"username": name, "password": PASSWORD}
        with ThreadPoolExecutor(10) as pool:
            sent = [pool.submit(watchword.client.post, login, json=body) for _ in range(10)]
        answers = [each.result() for each in sent]
        shed = [answer for answer in answers if answer.status_code != answered]
        assert 0 < len(shed) < 10
        for answer in shed:
            assert assert_problem(answer, 503)["code"] == "too_busy"
        assert watchword.client.post(login, json=body).status_code == answered


@pytest.mark.shapes("mounted-sqlite")
@pytest.mark.watchword(hash_memory_kib=19_456, hash_iterations=3, limit_login="off")
def test_a_name_that_does_not_exist_is_refused_no_faster(watchword: Running) -> None:
    name = watchword.create()

    def seconds(username: str) -> float:
        body = {"username": username, "password": "not-the-password"}
        began = time.perf_counter()
        answer = watchword.client.post(f"{watchword.prefix}/auth/login", json=body)
        took = time.perf_counter() - began
        assert answer.status_code == 401
        return took

    seconds(name)
    seconds("nobody")
    # In turn, and the least of several: whatever else the machine does only ever adds.
    both = [(seconds(name), seconds("nobody")) for _ in range(9)]
    there, nowhere = (min(times) for times in zip(*both, strict=True))
    assert 0.5 < nowhere / there < 2


@pytest.mark.shapes("mounted-sqlite")
def test_production_refuses_to_start_with_a_published_key(watchword: Running) -> None:
    published = (
        "your-secret-key-here-change-in-production",
        "09d25e094faa6ca2556c818166b7a9563b93f7099f6f0f4caa6cf63b88e8d3e7",
        "changethischangethischangethischangethis",
        "0123456789012345678901234567890123456789",
    )
    for key in (*published, "too-short"):
        with (
            pytest.raises(ConfigurationError, match="token_urlsafe") as refused,
            another_worker(
                watchword,
                environment=Environment.PRODUCTION,
                mail=MailMode.OFF,
                secret_key=Secret(key),
            ),
        ):
            pytest.fail("it started")
        assert key not in str(refused.value)


def test_the_pinned_versions_go_together_and_are_those_that_are_tested() -> None:
    lock = (ROOT / "requirements" / "run.txt").read_text()
    pinned = dict(re.findall(r"(?m)^([\w.-]+)==(\S+)", lock))
    needs = [Requirement(text) for text in requires("fastapi") or ()]
    starlette = next(need for need in needs if need.name == "starlette" and not need.marker)
    assert starlette.specifier.contains(pinned["starlette"])
    for name in ("fastapi", "starlette", "pydantic", "sqlalchemy", "joserfc"):
        assert pinned[name] == version(name), name


@pytest.mark.skipif(sys.platform == "win32", reason="systemd is Linux's")
def test_the_server_notifies_its_supervisor_once_it_serves(tmp_path: Path) -> None:
    with contextlib.ExitStack() as stack:
        free = stack.enter_context(socket.socket())
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        free.close()
        supervisor = stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
        supervisor.bind(str(tmp_path / "notify"))
        supervisor.settimeout(30)
        process = subprocess.Popen(
            [sys.executable, "-m", "watchword.cli.main", "serve", "--port", str(port)],
            cwd=tmp_path,
            env={
                "PATH": "/usr/bin:/bin",
                "NOTIFY_SOCKET": str(tmp_path / "notify"),
                "WATCHWORD_ENVIRONMENT": "development",
                "WATCHWORD_DATA_DIR": str(tmp_path / "data"),
            },
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            assert b"READY=1" in supervisor.recv(4096)
            with urlopen(f"http://127.0.0.1:{port}/api/v1/health", timeout=5) as answer:
                assert answer.status == 200
        finally:
            process.send_signal(signal.SIGTERM)
            assert process.wait(30) == 0


@pytest.mark.shapes("mounted-sqlite")
@pytest.mark.watchword(trusted_proxies=("127.0.0.1",), limit_login="2/60")
def test_limits_count_the_caller_behind_our_own_proxy(watchword: Running) -> None:
    def wrong_login(address: str, name: str) -> int:
        return watchword.client.post(
            f"{watchword.prefix}/auth/login",
            json={"username": name, "password": "wrong"},
            headers={"X-Forwarded-For": address},
        ).status_code

    assert [wrong_login("198.51.100.1", f"a{n}") for n in range(3)] == [401, 401, 429]
    assert wrong_login("198.51.100.2", "somebody-else") == 401
