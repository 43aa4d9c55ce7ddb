"""A resource server beside a real service: what happens there holds here, or nobody is let in."""

import signal
import subprocess
import time
from pathlib import Path
from typing import Annotated, Any

import httpx2
from fastapi import Depends, FastAPI
from starlette.testclient import TestClient

from tests.ports import free_port
from tests.resource.issuer import wait_for
from tests.services import WATCHWORD, Service, environment, service
from watchword.verify import AccessToken, ResourceServer
from watchword.verify.fastapi import bearer

FEED_TOKEN = "a-token-of-the-feed-0123456789-abcdef"
PASSWORD = "violet-otter-rows-home"
STALE_SECONDS = 2.0


def post(running: Service, path: str, token: str | None = None, **body: str) -> Any:
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    answered = httpx2.post(f"{running.api}{path}", json=body, headers=headers)
    answered.raise_for_status()
    return answered.json()


def sign_in(running: Service) -> str:
    token: str = post(running, "/auth/login", username="ada", password=PASSWORD)["access_token"]
    return token


def ready(resource: ResourceServer) -> float:
    return wait_for(resource.is_ready, 20)


def elsewhere(resource: ResourceServer) -> TestClient:
    app = FastAPI()

    @app.get("/orders")
    async def orders(caller: Annotated[AccessToken, Depends(bearer(resource))]) -> str:
        return caller.role

    return TestClient(app)


def test_a_logout_a_killed_service_and_a_rotated_key_reach_a_resource_server(
    tmp_path: Path,
) -> None:
    port = free_port()
    settings = {
        "feed_tokens": f"an-older-token-of-the-feed-0123456789,{FEED_TOKEN}",
        "revocation_poll_seconds": "0.2",
    }
    resource = ResourceServer(
        f"http://localhost:{port}", feed_token=FEED_TOKEN, max_staleness=STALE_SECONDS
    )
    with resource, elsewhere(resource) as orders:

        def status(token: str) -> int:
            return orders.get("/orders", headers={"Authorization": f"Bearer {token}"}).status_code

        # Started before the service: unsure, and sure as soon as it is there.
        assert status("x.y.z") == 503
        with service(tmp_path, port=str(port), **settings) as running:
            post(
                running, "/auth/register",
                username="ada", email="ada@example.com", password=PASSWORD,
            )  # fmt: skip
            ready(resource)
            leaves, stays = sign_in(running), sign_in(running)
            assert (status(leaves), status(stays), status(stays + "A")) == (200, 200, 401)
            took = []
            for leaving in (leaves, *[sign_in(running) for _ in range(10)]):
                assert status(leaving) == 200
                post(running, "/auth/logout", leaving)
                took.append(wait_for(lambda token=leaving: status(token) == 401))  # type: ignore[misc]
            assert sorted(took)[5] < 0.3
            assert status(stays) == 200

            running.process.send_signal(signal.SIGKILL)
            running.process.wait()
            killed = time.monotonic()
            wait_for(lambda: status(stays) == 503)
            assert time.monotonic() - killed <= STALE_SECONDS + 0.5
            assert status(leaves) == 401
        for _ in range(2):
            subprocess.run(
                [*WATCHWORD, "keys", "rotate", "--at-once"],
                env=environment(tmp_path, port=str(port), **settings),
                cwd=tmp_path,
                check=True,
                capture_output=True,
            )
        with service(tmp_path, port=str(port), **settings) as running:
            # The key that signs now was made after the keys were last fetched.
            token = sign_in(running)
            ready(resource)
            assert status(token) == 200
            assert (status(stays), status(leaves)) == (200, 401)

            running.process.send_signal(signal.SIGTERM)
            stopped = time.monotonic()
            assert running.process.wait(15) == 0
            # A stream that goes on for minutes does not hold up the end.
            assert time.monotonic() - stopped < 5
        told = [line for line in running.output.read_text().splitlines() if "/stream" in line]
        assert told
        assert not [line for line in told if "slow" in line or "ERROR" in line.upper()]
