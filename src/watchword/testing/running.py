"""A running Watchword, as a test sees it: a client, people who are signed in, a mailbox."""

from __future__ import annotations

import itertools
import re
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

from httpx2 import Response
from starlette.testclient import TestClient

from watchword.accounts.account import NewAccount, UserRole
from watchword.core import Core
from watchword.email import outbox
from watchword.mount.watchword import Watchword
from watchword.passwords import registration
from watchword.secret import Secret
from watchword.testing.world import Clock

T = TypeVar("T")

PASSWORD = "violet-otter-rows-home"


@dataclass(frozen=True, slots=True)
class Mail:
    """A mail that was written."""

    kind: str
    recipient: str
    subject: str
    text: str
    html: str

    @property
    def links(self) -> list[str]:
        """The links in its text."""
        return re.findall(r"https?://\S+", self.text)

    @property
    def token(self) -> str:
        """The one-time token in its link. Raises LookupError where there is none."""
        for link in self.links:
            found = re.search(r"[?&]token=([\w-]+)", link)
            if found:
                return found[1]
        raise LookupError(f"the mail {self.subject!r} has no link with a token")


@dataclass(slots=True)
class SignedIn:
    """Somebody who is signed in. Sends its requests with its access token."""

    client: TestClient
    user: dict[str, Any]
    access_token: str
    refresh_token: str
    password: str = field(repr=False)

    @property
    def headers(self) -> dict[str, str]:
        """The Authorization header."""
        return {"Authorization": f"Bearer {self.access_token}"}

    @property
    def id(self) -> int:
        """The user's id."""
        return int(self.user["id"])

    def request(self, method: str, path: str, **options: Any) -> Response:
        """Send a request as this user."""
        headers = {**self.headers, **options.pop("headers", {})}
        return self.client.request(method, path, headers=headers, **options)

    def get(self, path: str, **options: Any) -> Response:
        """GET as this user."""
        return self.request("GET", path, **options)

    def post(self, path: str, **options: Any) -> Response:
        """POST as this user."""
        return self.request("POST", path, **options)

    def patch(self, path: str, **options: Any) -> Response:
        """PATCH as this user."""
        return self.request("PATCH", path, **options)

    def delete(self, path: str, **options: Any) -> Response:
        """DELETE as this user."""
        return self.request("DELETE", path, **options)


class Mailbox:
    """The mails that Watchword has written, oldest first."""

    def __init__(self, running: Running) -> None:
        self._running = running

    def __iter__(self) -> Iterator[Mail]:
        return iter(self.all())

    def __len__(self) -> int:
        return len(self.all())

    def all(self) -> list[Mail]:
        """Every mail."""

        async def read(core: Core) -> list[outbox.KeptMail]:
            async with core.database.read() as unit:
                return await outbox.kept(unit, core.mailer, limit=10_000)

        kept = reversed(self._running.call(read))
        return [Mail(m.kind, m.recipient, m.subject, m.text, m.html) for m in kept]

    def last(self, *, to: str | None = None, kind: str | None = None) -> Mail:
        """The newest mail to this address and of this kind. Raises LookupError for none."""
        for mail in reversed(self.all()):
            if to in (None, mail.recipient) and kind in (None, mail.kind):
                return mail
        raise LookupError(f"no mail to {to} of kind {kind}")


class Running:
    """A running Watchword and the app that it is in. ``prefix`` is where its API lies."""

    def __init__(self, auth: Watchword, client: TestClient, clock: Clock, path: str = "") -> None:
        self.auth = auth
        self.client = client
        self.clock = clock
        self.path = path
        self.prefix = path + auth.settings.api_v1_prefix
        self.mailbox = Mailbox(self)
        self._names = itertools.count(1)

    def call(self, work: Callable[[Core], Awaitable[T]]) -> T:
        """Run a coroutine function on the app's event loop, with the Core."""
        portal = self.client.portal
        if portal is None:
            raise RuntimeError("the app is not running: enter the client first")
        return portal.call(partial(work, self.auth.core))

    def create(
        self,
        *,
        role: UserRole | str = UserRole.USER,
        username: str | None = None,
        email: str | None = None,
        password: str = PASSWORD,
        verified: bool = True,
    ) -> str:
        """Make an account; gives its username."""
        name = username or f"person{next(self._names)}"
        new = NewAccount(
            name,
            email or f"{name}@example.com",
            role=UserRole(role),
            is_verified=verified,
        )
        self.call(lambda core: registration.create(core, new, Secret(password), actor=None))
        return name

    def sign_in(self, username: str, password: str = PASSWORD) -> SignedIn:
        """Sign in by the real route."""
        answer = self.client.post(
            f"{self.prefix}/auth/login", json={"username": username, "password": password}
        )
        answer.raise_for_status()
        tokens = answer.json()
        headers = {"Authorization": f"Bearer {tokens['access_token']}"}
        me = self.client.get(f"{self.prefix}/auth/me", headers=headers)
        me.raise_for_status()
        return SignedIn(
            self.client, me.json(), tokens["access_token"], tokens["refresh_token"], password
        )

    def login_as(self, role: UserRole | str = UserRole.USER, **account: Any) -> SignedIn:
        """Make an account of this role and sign in as it."""
        password = account.setdefault("password", PASSWORD)
        return self.sign_in(self.create(role=role, **account), password)
