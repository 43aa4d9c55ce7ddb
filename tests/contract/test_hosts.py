"""Inside somebody else's app: theirs stays as it is, and ours works (contract, part 1; issue 2)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import urljoin

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from tests.contract.problems import assert_problem
from tests.contract.workers import another_worker
from tests.hosts import HOSTILE_PATH, alone, hostile
from watchword import Watchword
from watchword.testing import Running
from watchword.testing.running import PASSWORD

# The host's catch-all takes three methods, and FastAPI warns of their common id.
pytestmark = pytest.mark.filterwarnings("ignore:Duplicate Operation ID:UserWarning")


def with_a_number(auth: Watchword) -> FastAPI:
    """The hostile host, with a route of its own that can refuse its input."""
    app = hostile(auth)

    @app.get("/numbers/{number}")
    async def read(number: int) -> int:
        return number

    # Before its catch-all.
    app.router.routes.insert(0, app.router.routes.pop())
    return app


@pytest.fixture
def watchword_host(shape: str) -> Callable[[Watchword], FastAPI]:
    return with_a_number if shape.startswith("mounted") else alone


@pytest.mark.shapes("mounted-sqlite")
def test_what_fails_in_the_hosts_own_route_fails_its_test_where_it_happened(
    watchword: Running,
) -> None:
    with pytest.raises(RuntimeError, match="the host's own trouble"):
        watchword.client.get("/broken")


@pytest.mark.shapes("mounted-sqlite")
def test_the_hosts_own_routes_handlers_and_middleware_stay_its_own(watchword: Running) -> None:
    client = watchword.client
    invalid = client.get("/numbers/x")
    assert (invalid.status_code, invalid.json()) == (418, {"hostile": "invalid"})
    assert client.get("/numbers/7").json() == 7
    broken = TestClient(client.app, raise_server_exceptions=False).get("/broken")
    assert (broken.status_code, broken.json()) == (599, {"hostile": "failed"})
    assert client.get("/nicknames").json() == [{"nickname": "mine"}]
    # What merely looks like ours, below our path too, is the host's.
    for path in (
        "/anything",
        "/id",
        "/id/",
        "/id/api/v1",
        "/id/api/v1/auth/nothing",
        "/api/v1/auth/me",
    ):
        assert client.get(path).json() == {"hostile": path[1:]}
    ours = client.get(f"{watchword.prefix}/health")
    assert ours.headers["x-host"] == "hostile", "the host's middleware sees our answers too"
    refused = client.post(f"{watchword.prefix}/auth/login", json={})
    assert_problem(refused, 422)
    assert refused.headers["x-host"] == "hostile"


@pytest.mark.shapes("mounted-sqlite")
def test_the_hosts_routes_depend_on_our_user_and_show_refusals_their_way(
    watchword: Running,
) -> None:
    somebody = watchword.login_as()
    name = somebody.user["username"]
    assert somebody.get("/before").json() == {"before": name}
    assert somebody.get("/id/api/v1/chat").json() == {"chat": name, "state": "kept"}
    for path in ("/before", "/id/api/v1/chat"):
        refused = watchword.client.get(path)
        assert (refused.status_code, refused.json()) == (401, {"hostile": "Not authenticated"})
        assert refused.headers["www-authenticate"] == "Bearer"
    somebody.post(f"{watchword.prefix}/auth/logout")
    refused = somebody.get("/before")
    assert refused.json() == {"hostile": "Could not validate credentials"}
    assert 'error="invalid_token"' in refused.headers["www-authenticate"]


@pytest.mark.shapes("mounted-sqlite")
def test_the_hosts_lifespan_runs_inside_ours(watchword: Running) -> None:
    with another_worker(watchword, hostile, HOSTILE_PATH) as other:
        app: Any = other.client.app
        state = app.app.state if hasattr(app, "app") else app.state
        assert state.opened is True
        assert not hasattr(state, "closed")
        assert other.client.get(f"{other.prefix}/health").status_code == 200
    assert state.closed is True


def test_the_documentation_shows_ours_and_its_authorize_signs_in(watchword: Running) -> None:
    document = watchword.client.get("/openapi.json").json()
    assert f"{watchword.prefix}/auth/register" in document["paths"]
    assert f"{watchword.prefix}/users/{{user_id}}" in document["paths"]
    flow = document["components"]["securitySchemes"]["Watchword"]["flows"]["password"]
    assert watchword.client.get("/docs").status_code == 200
    assert watchword.client.get("/redoc").status_code == 200
    # As a browser does: the address is relative to the page that the button is on.
    url = urljoin("http://localhost:8000/docs", flow["tokenUrl"])
    form = {"grant_type": "password", "username": watchword.create(), "password": PASSWORD}
    answer = watchword.client.post(url, data=form)
    assert answer.status_code == 200
    bearer = {"Authorization": f"Bearer {answer.json()['access_token']}"}
    assert watchword.client.get(f"{watchword.prefix}/auth/me", headers=bearer).status_code == 200

    for path, item in document["paths"].items():
        if path.startswith(watchword.prefix) and "Watchword" in str(item):
            for operation in item.values():
                for status, response in operation["responses"].items():
                    if status.isdigit() and int(status) >= 400:
                        assert set(response["content"]) <= {
                            "application/problem+json",
                            "application/json",
                        }


@pytest.mark.shapes("mounted-sqlite")
def test_the_hosts_own_user_schema_is_unharmed(watchword: Running) -> None:
    document = watchword.client.get("/openapi.json").json()
    schemas = document["components"]["schemas"]
    assert set(schemas["User"]["properties"]) == {"nickname"}
    nicknames = document["paths"]["/nicknames"]["get"]["responses"]["200"]
    assert nicknames["content"]["application/json"]["schema"]["items"] == {
        "$ref": "#/components/schemas/User"
    }
    me = document["paths"][f"{watchword.prefix}/auth/me"]["get"]["responses"]["200"]
    ours = me["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2]
    assert ours != "User"
    assert "email" in schemas[ours]["properties"]
    assert not any("hash" in name for name in schemas[ours]["properties"])
    again = watchword.client.get("/openapi.json").json()
    assert again == document, "asked twice, merged once"


@pytest.mark.shapes("mounted-sqlite")
def test_every_reference_in_the_merged_document_leads_somewhere(watchword: Running) -> None:
    document = watchword.client.get("/openapi.json").json()
    references: list[str] = []

    def walk(node: object) -> None:
        if isinstance(node, dict):
            references.extend(v for k, v in node.items() if k == "$ref")
            for value in node.values():
                walk(value)
        elif isinstance(node, list):
            for value in node:
                walk(value)

    walk(document)
    assert references
    for reference in references:
        node = document
        for part in reference.removeprefix("#/").split("/"):
            node = node[part]
