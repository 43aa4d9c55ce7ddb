"""Keys and revocations of a service elsewhere: fetched by threads, read from memory.

No request waits for the network here. The threads are daemons: a process that ends without saying
so is not held up by them.
"""

from __future__ import annotations

import ipaddress
import json
import logging
import os
import socket
import threading
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from http.client import HTTPException, HTTPResponse
from math import isfinite
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, OpenerDirector, ProxyHandler, Request, build_opener
from urllib.request import getproxies as proxies_of_the_system

from joserfc.errors import JoseError

from watchword.verify.keys import KeySet, VerificationKey
from watchword.verify.revocations import Revocation, RevocationView

_log = logging.getLogger("watchword.verify")

# The service says that its keys may be kept for a minute.
_REFRESH_SECONDS = 60.0
# Between two refreshes that tokens ask for: anybody can make up a kid.
_COOL_DOWN_SECONDS = 30.0
_MOST_KEYS = 100
_MOST_BYTES = 262_144
_TIMEOUT_SECONDS = 5.0
_HEARTBEAT_SECONDS = 3.0
_LONGEST_WAIT_SECONDS = 5.0

# What goes wrong on the way, and what can't be read when it has come.
_TROUBLE = (OSError, HTTPException, ValueError, RecursionError)


class RemoteKeys:
    """The keys at a JWKS URL: fetched every minute, and when a token names an unknown one.

    A fetch that fails leaves the keys as they are; an entry that can't be read is left out.
    ``monotonic`` gives seconds. Raises ValueError for a URL that is neither https nor loopback.
    """

    def __init__(self, url: str, *, monotonic: Callable[[], float]) -> None:
        self._request = _request(url, {"Accept": "application/json"})
        self._monotonic = monotonic
        self._opener = _opener()
        self._keys = KeySet(())
        self._body: bytes | None = None
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._awaited: Future[None] | None = None
        self._asked_at: float | None = None
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Fetch from now on. A second start does nothing."""
        if self._thread is None:
            # One of each thread's own: a slow one that was stopped must not go on with the next.
            self._stopping = threading.Event()
            self._thread = threading.Thread(
                target=self._run, args=(self._stopping,), name="watchword-keys", daemon=True
            )
            self._thread.start()

    def stop(self) -> None:
        """Fetch no more."""
        if self._thread is not None:
            self._stopping.set()
            self._wake.set()
            self._thread.join(1)
            self._thread = None

    def current(self) -> KeySet:
        """The keys as they are known; none before the first fetch has succeeded."""
        return self._keys

    def ask(self) -> Future[None] | None:
        """Have the keys fetched now. Done when they have been, well or not; however many ask,
        there is one fetch. None where the last asking is less than 30 seconds ago.
        """
        with self._lock:
            if self._awaited is None:
                now = self._monotonic()
                if self._asked_at is not None and now - self._asked_at < _COOL_DOWN_SECONDS:
                    return None
                self._asked_at = now
                self._awaited = Future()
                self._wake.set()
            return self._awaited

    def _run(self, stopping: threading.Event) -> None:
        failures = 0
        while not stopping.is_set():
            with self._lock:
                # One asked for from here on waits for the fetch after this one.
                awaited = self._awaited
                self._wake.clear()
            try:
                self._fetch()
                failures = 0
            except _TROUBLE as error:
                _tell(failures, "the keys can't be fetched", error)
                failures += 1
            if awaited is not None:
                with self._lock:
                    self._awaited = None
                awaited.set_result(None)
            self._wake.wait(_back_off(failures) if failures else _REFRESH_SECONDS)

    def _fetch(self) -> None:
        ends = self._monotonic() + _TIMEOUT_SECONDS
        body = b""
        with self._opener.open(self._request, timeout=_TIMEOUT_SECONDS) as response:
            while part := response.read1(_MOST_BYTES + 1 - len(body)):
                body += part
                if len(body) > _MOST_BYTES:
                    raise ValueError("more than 256 kB of keys")
                # The time-out is for each read: a peer could send a byte a second.
                if self._monotonic() > ends:
                    raise TimeoutError("the keys come too slowly")
        # The same keys stay the same object: with another, what was verified is forgotten.
        if body != self._body:
            self._keys, self._body = _keys_in(body), body


class RemoteRevocations:
    """The service's revocations, followed over HTTP into a view in memory.

    ``now`` gives seconds since the epoch, ``monotonic`` seconds of a clock that never steps,
    ``max_staleness`` is in seconds. Raises ValueError for a URL that is neither https nor loopback,
    and for a token that can't be sent.
    """

    def __init__(
        self,
        url: str,
        token: str,
        *,
        max_staleness: float,
        now: Callable[[], float],
        monotonic: Callable[[], float],
    ) -> None:
        if not token or not token.isascii() or not token.isprintable():
            raise ValueError("the feed's token must be printable ASCII")
        # Four heartbeats before it is stale: one that is late must not turn anybody away.
        beat = max(0.2, min(_HEARTBEAT_SECONDS, max_staleness / 4))
        headers = {"Accept": "text/event-stream", "Authorization": f"Bearer {token}"}
        self._request = _request(url, headers, f"?heartbeat={beat:g}")
        self._silence = max(2.0, 3 * beat)
        self.view = RevocationView()
        self._max_staleness = max_staleness
        self._now = now
        self._monotonic = monotonic
        self._opener = _opener()
        self._known_at: float | None = None
        self._lock = threading.Lock()
        self._response: HTTPResponse | None = None
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Follow from now on. A second start does nothing."""
        if self._thread is None:
            self._stopping = threading.Event()
            self._thread = threading.Thread(
                target=self._run, args=(self._stopping,), name="watchword-revocations", daemon=True
            )
            self._thread.start()

    def stop(self) -> None:
        """Follow no more."""
        if self._thread is None:
            return
        self._stopping.set()
        with self._lock:
            if self._response is not None:
                # A thread that waits for a line is woken by the end of its connection alone.
                with suppress(OSError, ValueError):
                    copy = socket.socket(fileno=os.dup(self._response.fileno()))
                    with copy:
                        copy.shutdown(socket.SHUT_RDWR)
        self._thread.join(1)
        self._thread = None

    def is_stale(self) -> bool:
        """Whether it is too long ago that everything was known here."""
        known_at = self._known_at
        return known_at is None or self._monotonic() - known_at > self._max_staleness

    def _run(self, stopping: threading.Event) -> None:
        failures = 0
        while not stopping.is_set():
            before = self._known_at
            trouble: Exception | None = None
            try:
                self._follow(stopping)
            except _TROUBLE as error:
                trouble = error
            # It was of use as long as it brought news; then a stream's end is nothing odd.
            if self._known_at != before:
                failures = 0
            if trouble is not None and not stopping.is_set():
                _tell(failures, "the revocations can't be followed", trouble)
                failures += 1
            stopping.wait(_back_off(failures))

    def _follow(self, stopping: threading.Event) -> None:
        # Counted from before the asking: the service counts from when it was asked.
        asked_at = self._monotonic()
        with self._opener.open(self._request, timeout=self._silence) as response:
            if response.headers.get_content_type() != "text/event-stream":
                raise ValueError("the answer is no stream of events")
            with self._lock:
                self._response = response
            try:
                self._read(response, asked_at, stopping)
            finally:
                with self._lock:
                    self._response = None

    def _read(self, response: HTTPResponse, asked_at: float, stopping: threading.Event) -> None:
        event = ""
        while line := response.readline(_MOST_BYTES):
            if stopping.is_set():
                return
            if not line.endswith(b"\n"):
                raise ValueError("a line without an end")
            name, _, value = line.decode().rstrip("\r\n").partition(":")
            if name == "event":
                event = value.strip()
            elif name == "data":
                self._take(event, value.strip(), asked_at)

    def _take(self, event: str, data: str, asked_at: float) -> None:
        if event in {"snapshot", "revocation"}:
            # What can't be read could end any token: better to know nothing, and to be stale.
            self.view.apply(Revocation.from_line(data))
        elif event == "heartbeat":
            known = float(data)
            if not isfinite(known):
                raise ValueError("a heartbeat of no time")
            self._known_at = min(asked_at + known, self._monotonic())
            self.view.forget_expired(self._now())
            if self.is_stale():
                raise TimeoutError("the feed is behind, or the connection took too long")


class _NoRedirect(HTTPRedirectHandler):
    # Keys from another host would be another issuer's, and the feed's token is for this one.
    def redirect_request(self, *_args: Any, **_named: Any) -> None:
        return None


def _opener() -> OpenerDirector:
    # A proxy gets a tunnel or nothing: what goes to loopback in the clear is not for it.
    https = {kind: url for kind, url in proxies_of_the_system().items() if kind == "https"}
    return build_opener(ProxyHandler(https), _NoRedirect)


def _request(url: str, headers: dict[str, str], query: str = "") -> Request:
    parts = urlsplit(url)
    host = parts.hostname or ""
    if not host or parts.query or parts.fragment or "@" in parts.netloc:
        raise ValueError(f"{url!r} is no address: write it as https://id.example.org/path")
    if parts.scheme != "https" and not (parts.scheme == "http" and _is_loopback(host)):
        raise ValueError(f"{url!r} must be https://: whoever changes what comes back signs tokens")
    return Request(url + query, headers=headers)  # noqa: S310 - its scheme was looked at


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _keys_in(body: bytes) -> KeySet:
    """The keys of a JWK set (RFC 7517, section 5). Raises ValueError where there is none."""
    match json.loads(body):
        case {"keys": [*entries]}:
            found = []
        case _:
            raise ValueError("no JWK set")
    for jwk in entries[:_MOST_KEYS]:
        # A secret that is published is no secret, and a key for encryption signs nothing.
        if isinstance(jwk, dict) and jwk.get("kty") != "oct" and jwk.get("use", "sig") == "sig":
            with suppress(JoseError, ValueError, KeyError, TypeError):
                found.append(VerificationKey.from_jwk(jwk))
    if not found:
        raise ValueError("a JWK set without a key for us")
    return KeySet(found)


def _back_off(failures: int) -> float:
    return min(0.1 * 2.0 ** min(failures, 10), _LONGEST_WAIT_SECONDS)


def _tell(failures: int, what: str, error: Exception) -> None:
    if isinstance(error, HTTPError):
        error.close()
    # Once for each trouble, not at each try for as long as it lasts.
    if failures == 0:
        _log.warning("%s: %s: %s", what, type(error).__name__, error)
