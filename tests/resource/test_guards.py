"""The guards of a resource server: FastAPI's dependency, and the middleware for any ASGI app."""

import asyncio
from collections.abc import Iterator
from typing import Annotated, Any

import pytest
from fastapi import Depends, FastAPI
from httpx2 import Response
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route, WebSocketRoute
from starlette.testclient import TestClient, WebSocketDenialResponse
from starlette.websockets import WebSocket

from tests.resource.issuer import JWKS, Issuer, answer, issuer, resource_server
from watchword.verify import AccessToken, ResourceServer
from watchword.verify.asgi import BearerMiddleware, Message, Receive, Scope, Send
from watchword.verify.fastapi import bearer, require_scope


@pytest.fixture(scope="module")
def known() -> Iterator[Issuer]:
    with issuer() as one:
        yield one


@pytest.fixture(scope="module")
def resource(known: Issuer) -> Iterator[ResourceServer]:
    with resource_server(known) as one:
        yield one


def ask(app: Any, path: str, token: str | None) -> Response:
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    return TestClient(app).get(path, headers=headers)


def cut_off() -> ResourceServer:
    """One that has not been started: it knows nothing."""
    return ResourceServer("https://id.example.org")


# --- FastAPI ----------------------------------------------------------------------------------


def orders(resource: ResourceServer) -> FastAPI:
    app = FastAPI()

    @app.get("/orders")
    async def mine(caller: Annotated[AccessToken, Depends(bearer(resource))]) -> int:
        return caller.user_id

    @app.get("/ship")
    async def ship(
        caller: Annotated[AccessToken, Depends(require_scope(resource, "ship", "account"))],
    ) -> int:
        return caller.user_id

    return app


def test_a_route_gets_the_claims_or_the_caller_a_challenge(
    known: Issuer, resource: ResourceServer
) -> None:
    app = orders(resource)
    assert ask(app, "/orders", known.token(sub="12")).json() == 12
    nobody = ask(app, "/orders", None)
    assert (nobody.status_code, nobody.headers["WWW-Authenticate"]) == (401, "Bearer")
    for bad in (known.token(exp=1), known.token(aud="another"), "x.y.z", "", known.token() + "A"):
        refused = ask(app, "/orders", bad)
        assert refused.status_code == 401
        assert refused.headers["WWW-Authenticate"].startswith('Bearer error="invalid_token"')


def test_a_scope_that_is_missing_is_named(known: Issuer, resource: ResourceServer) -> None:
    app = orders(resource)
    assert ask(app, "/ship", known.token(scope="account ship more")).json() == 7
    refused = ask(app, "/ship", known.token(scope="account shipping"))
    assert refused.status_code == 403
    challenge = 'Bearer error="insufficient_scope", scope="account ship"'
    assert refused.headers["WWW-Authenticate"] == challenge
    assert refused.json()["detail"].endswith(": ship")
    for unspeakable in ([], [""], ["a b"], ['a"b'], ["a\\b"], ["ä"]):
        with pytest.raises(ValueError, match="scope"):
            require_scope(resource, *unspeakable)


def test_who_can_not_know_says_come_back_and_lets_nobody_in(known: Issuer) -> None:
    app = orders(cut_off())
    for path in ("/orders", "/ship"):
        unsure = ask(app, path, known.token())
        assert (unsure.status_code, unsure.headers["Retry-After"]) == (503, "2")
        assert ask(app, path, None).status_code == 401


def test_the_document_shows_a_bearer_scheme(resource: ResourceServer) -> None:
    document = orders(resource).openapi()
    (scheme,) = document["components"]["securitySchemes"].values()
    assert scheme == {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}
    assert document["paths"]["/orders"]["get"]["security"] == [{"Bearer": []}]
    assert "parameters" not in document["paths"]["/ship"]["get"]


def test_a_request_waits_for_a_key_that_is_new(known: Issuer, resource: ResourceServer) -> None:
    known.add_key("newer")
    assert ask(orders(resource), "/orders", known.token("newer")).json() == 7
    held = known.answers[JWKS]
    known.answers[JWKS] = lambda request: answer(request, b"", 500)
    assert ask(orders(resource), "/orders", known.token(named="made-up")).status_code == 401
    known.answers[JWKS] = held


# --- any ASGI app -----------------------------------------------------------------------------


def starlette(resource: ResourceServer, **options: Any) -> Starlette:
    async def who(request: Request) -> JSONResponse:
        access: AccessToken | None = request.state.access_token
        return JSONResponse(None if access is None else access.user_id)

    async def talk(socket: WebSocket) -> None:
        await socket.accept()
        await socket.send_json(socket.state.access_token.user_id)
        await socket.close()

    routes = [
        Route("/who", who),
        Route("/health", who),
        Route("/health/secrets", who),
        WebSocketRoute("/talk", talk),
    ]
    return Starlette(routes=routes, middleware=[Middleware(BearerMiddleware, resource, **options)])


def test_the_middleware_guards_every_path_but_those_named(
    known: Issuer, resource: ResourceServer
) -> None:
    app = starlette(resource)
    assert ask(app, "/who", known.token(sub="12")).json() == 12
    # An exempt path is looked at by nobody: not even a good token says who is asking.
    assert ask(app, "/health", known.token()).json() is None
    for path in ("/who", "/health/secrets", "//health", "/health/", "/HEALTH", "/none"):
        assert ask(app, path, None).status_code == 401, path
    refused = ask(app, "/who", known.token(exp=1))
    assert refused.status_code == 401
    assert refused.headers["Content-Type"] == "application/problem+json"
    assert refused.headers["WWW-Authenticate"].startswith('Bearer error="invalid_token"')
    assert refused.json()["code"] == "invalid_token"
    unsure = ask(starlette(cut_off()), "/who", known.token())
    assert (unsure.status_code, unsure.headers["Retry-After"]) == (503, "2")


def test_an_optional_token_may_be_missing_but_not_wrong(
    known: Issuer, resource: ResourceServer
) -> None:
    app = starlette(resource, required=False)
    assert ask(app, "/who", None).json() is None
    assert ask(app, "/who", known.token()).json() == 7
    assert ask(app, "/who", known.token(exp=1)).status_code == 401


def test_a_websocket_is_refused_before_it_is_accepted(
    known: Issuer, resource: ResourceServer
) -> None:
    client = TestClient(starlette(resource))
    headers = {"Authorization": f"Bearer {known.token()}"}
    with client.websocket_connect("/talk", headers=headers) as socket:
        assert socket.receive_json() == 7
    with (
        pytest.raises(WebSocketDenialResponse) as denied,
        client.websocket_connect("/talk"),
    ):
        pass
    assert denied.value.status_code == 401
    assert denied.value.headers["WWW-Authenticate"] == "Bearer"


def test_a_server_that_knows_no_denial_is_told_to_close(resource: ResourceServer) -> None:
    async def never(_scope: Scope, _receive: Receive, _send: Send) -> None:
        raise AssertionError("let in")

    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "websocket.connect"}

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {"type": "websocket", "path": "/talk", "headers": []}
    asyncio.run(BearerMiddleware(never, resource)(scope, receive, send))
    assert sent == [{"type": "websocket.close", "code": 1008}]


def test_a_bare_app_gets_the_claims_and_a_shared_state_is_left_alone(
    known: Issuer, resource: ResourceServer
) -> None:
    seen: list[Any] = []

    async def bare(scope: Scope, _receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            return
        seen.append(scope["state"])
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    guarded = BearerMiddleware(bare, resource)
    shared: dict[str, Any] = {"pool": 1}

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(_message: Message) -> None:
        return None

    async def both() -> None:
        await guarded({"type": "lifespan"}, receive, send)
        headers = [(b"authorization", b"bearer " + known.token(sub="12").encode())]
        scope = {"type": "http", "path": "/", "headers": headers}
        await guarded({**scope, "state": shared}, receive, send)
        await guarded(scope, receive, send)

    asyncio.run(both())
    assert [state["access_token"].user_id for state in seen] == [12, 12]
    assert seen[0]["pool"] == 1
    assert shared == {"pool": 1}
