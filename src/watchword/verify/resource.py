"""A resource server: an app that takes the service's tokens and is not the service."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Self

from watchword.verify.errors import CannotKnow, UnknownKey
from watchword.verify.remote import RemoteKeys, RemoteRevocations
from watchword.verify.token import AccessToken
from watchword.verify.verifier import Verifier

# How long a request waits for the keys to be fetched when its token names an unknown one.
_PATIENCE_SECONDS = 2.0


class ResourceServer:
    """Checks the access tokens of the Watchword at ``issuer`` (its PUBLIC_URL), from memory.

    With ``feed_token``, one of the service's FEED_TOKENS, it follows the service's revocations: a
    token is refused milliseconds after it has been revoked, and at the latest ``max_staleness``
    seconds after. When nothing has been heard for that long, ``verify`` raises CannotKnow.
    **Without ``feed_token`` nothing revoked is known here: a token lives until it expires**,
    whatever has become of its session or its user.

    ``audience`` is the tokens' ``aud`` (the service's AUDIENCE; by default the issuer), ``leeway``
    how many seconds the clocks may differ. ``jwks_url`` and ``feed_url`` say where keys and
    revocations are, if not at the issuer's usual paths. ``now`` and ``monotonic`` are clocks, for
    tests. May be used from several threads.

    Raises ValueError for an address that is neither https nor loopback, an empty ``feed_token``,
    and a ``max_staleness`` below a second.
    """

    def __init__(
        self,
        issuer: str,
        *,
        audience: str | None = None,
        jwks_url: str | None = None,
        feed_url: str | None = None,
        feed_token: str | None = None,
        max_staleness: float = 10.0,
        leeway: float = 0,
        now: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        issuer = issuer.rstrip("/")
        if max_staleness < 1:
            raise ValueError("max_staleness must be a second or more: the service looks as often")
        self._keys = RemoteKeys(jwks_url or f"{issuer}/.well-known/jwks.json", monotonic=monotonic)
        self._feed = (
            None
            if feed_token is None
            else RemoteRevocations(
                feed_url or f"{issuer}/api/v1/revocations/stream",
                feed_token,
                max_staleness=max_staleness,
                now=now,
                monotonic=monotonic,
            )
        )
        self._verifier = Verifier(
            issuer=issuer,
            audience=audience or issuer,
            keys=self._keys.current,
            now=now,
            is_revoked=self._feed.view.is_revoked if self._feed else _nothing_is_revoked,
            leeway=leeway,
        )
        # The verifier's memory is for one thread at a time: a key could be replaced between the
        # check of a token and its being remembered.
        self._one_at_a_time = threading.Lock()

    def start(self) -> Self:
        """Begin to fetch keys and follow revocations, in threads. Does not wait for them."""
        self._keys.start()
        if self._feed:
            self._feed.start()
        return self

    def stop(self) -> None:
        """End the threads."""
        self._keys.stop()
        if self._feed:
            self._feed.stop()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def is_ready(self) -> bool:
        """Whether tokens can be checked at this moment: the keys are there, the feed is fresh."""
        return len(self._keys.current()) > 0 and not (self._feed and self._feed.is_stale())

    def verify(self, token: str) -> AccessToken:
        """The token's claims, without waiting for anything.

        Raises InvalidToken; UnknownKey, one of those, for a key that is not known here, which is
        then looked for; and CannotKnow where it can't be said whether the token still holds.
        """
        try:
            return self._verify(token)
        except UnknownKey:
            self._keys.ask()
            raise

    async def verify_or_refresh(self, token: str) -> AccessToken:
        """The same, but where the key is not known, fetch the keys and try once more.

        Waits two seconds at most, and lets other requests go on meanwhile.
        """
        try:
            return self._verify(token)
        except UnknownKey:
            fetched = self._keys.ask()
            if fetched is None:
                raise
            # One fetch for all: who goes away must not cancel it for the others.
            with suppress(TimeoutError):
                waiting = asyncio.shield(asyncio.wrap_future(fetched))
                await asyncio.wait_for(waiting, _PATIENCE_SECONDS)
            return self._verify(token)

    def _verify(self, token: str) -> AccessToken:
        if not len(self._keys.current()):
            raise CannotKnow("the service's keys have not been fetched yet")
        # Asked before the view is: in between, a line could come that the view was asked without.
        stale = bool(self._feed and self._feed.is_stale())
        with self._one_at_a_time:
            access = self._verifier.verify(token)
        if stale:
            raise CannotKnow("nothing has been heard of revocations for too long")
        return access


def _nothing_is_revoked(_token: AccessToken) -> bool:
    return False
