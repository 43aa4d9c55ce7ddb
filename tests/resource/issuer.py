"""An issuer of a few lines on loopback: real keys, real HTTP, and whatever answer a test wants."""

from __future__ import annotations

import json
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from joserfc import jws

from watchword.keys.keyring import make_key
from watchword.verify import ResourceServer
from watchword.verify.keys import OneAlgorithm

JWKS = "/.well-known/jwks.json"
FEED = "/api/v1/revocations/stream"
Answer = Callable[[BaseHTTPRequestHandler], object]


class Issuer:
    """Keys by their id, an answer for each path, and how often each was asked for."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.keys: dict[str, Any] = {}
        self.asked: Counter[str] = Counter()
        self.answers: dict[str, Answer] = {JWKS: lambda request: answer(request, self.jwks())}
        self.add_key("first")

    def add_key(self, kid: str) -> None:
        """Publish another key."""
        self.keys[kid] = make_key("EdDSA")

    def jwks(self) -> dict[str, Any]:
        """The public keys."""
        public = [
            {**key.as_dict(private=False), "kid": kid, "alg": "EdDSA", "use": "sig"}
            for kid, key in self.keys.items()
        ]
        return {"keys": public}

    def token(self, kid: str = "first", *, named: str | None = None, **claims: Any) -> str:
        """A token signed with a key of ours; ``named`` is the kid that it claims."""
        now = int(time.time())
        header = {"alg": "EdDSA", "typ": "at+jwt", "kid": named or kid}
        whole = {
            "iss": self.url, "aud": self.url, "sub": "7", "exp": now + 600, "iat": now,
            "jti": str(uuid.uuid4()), "sid": str(uuid.uuid4()), "client_id": "watchword",
            "auth_time": now, "amr": ["pwd"], "scope": "account", "role": "user",
            "verified": True, "epoch": 0, **claims,
        }  # fmt: skip
        payload, registry = json.dumps(whole), OneAlgorithm("EdDSA")
        return jws.serialize_compact(header, payload, self.keys[kid], registry=registry)


def answer(
    request: BaseHTTPRequestHandler,
    body: bytes | object,
    status: int = 200,
    **headers: str,
) -> None:
    """Send an answer; what is not bytes goes as JSON."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    request.send_response(status)
    for name, value in {"Content-Length": str(len(content)), **headers}.items():
        request.send_header(name.replace("_", "-"), value)
    request.end_headers()
    request.wfile.write(content)


def _not_here(request: BaseHTTPRequestHandler) -> None:
    answer(request, b"", 404)


@contextmanager
def issuer() -> Iterator[Issuer]:
    """An issuer that listens."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = self.path.partition("?")[0]
            known.asked[path] += 1
            known.answers.get(path, _not_here)(self)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    known = Issuer(server.server_address[1])
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield known
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def wait_for(true: Callable[[], bool], seconds: float = 10) -> float:
    """Wait until it is so, and give how long that took."""
    began = time.monotonic()
    while not true():
        assert time.monotonic() - began < seconds, "it never was so"
        time.sleep(0.005)
    return time.monotonic() - began


class Clock:
    """Monotonic time that can be turned on."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def __call__(self) -> float:
        """Seconds."""
        return time.monotonic() + self.ahead


@contextmanager
def resource_server(known: Issuer, **options: Any) -> Iterator[ResourceServer]:
    """A resource server for this issuer, once it is ready."""
    with ResourceServer(known.url, **options) as resource:
        wait_for(resource.is_ready)
        yield resource
