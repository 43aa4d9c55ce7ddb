"""The feed over HTTP, from the service's side and from the reader's."""

from __future__ import annotations

import asyncio
import time
import uuid
from http.server import BaseHTTPRequestHandler

import pytest

from tests.resource.issuer import FEED, Issuer, answer, issuer, resource_server, wait_for
from watchword.core import Core
from watchword.errors import ConfigurationError
from watchword.revocations.feed import Feed
from watchword.revocations.stream import events
from watchword.settings.check import refuse_unsafe
from watchword.settings.load import load_settings
from watchword.testing import Running
from watchword.verify import CannotKnow, InvalidToken, ResourceServer
from watchword.verify.revocations import Kind, Revocation, RevocationView
from watchword.world import World

TOKENS = "first-token-of-the-feed-0123456789,second-token-of-the-feed-0123456789"
LATER = 4e9


def ends_session(subject: str) -> Revocation:
    return Revocation(Kind.SESSION, subject, 0, LATER)


# --- the service ------------------------------------------------------------------------------


def test_without_feed_tokens_there_is_no_such_route(watchword: Running) -> None:
    admin = watchword.login_as(role="admin")
    for path in ("", "/stream"):
        assert admin.get(f"{watchword.prefix}/revocations{path}").status_code == 404


@pytest.mark.watchword(feed_tokens=TOKENS)
def test_the_snapshot_is_for_who_has_a_token_and_is_not_sent_twice(watchword: Running) -> None:
    url, person = f"{watchword.prefix}/revocations", watchword.login_as()
    for path in (url, f"{url}/stream"):
        for wrong in (person.access_token, TOKENS, TOKENS[:20], "", "\xff"):
            headers = {b"Authorization": f"Bearer {wrong}".encode("latin-1")}
            assert watchword.client.get(path, headers=headers).status_code == 401
        assert watchword.client.get(path).headers["WWW-Authenticate"] == "Bearer"

    def ask(token: str, tag: str = '"none"') -> tuple[int, str, str]:
        headers = {"Authorization": f"Bearer {token}", "If-None-Match": tag}
        answered = watchword.client.get(url, headers=headers)
        return answered.status_code, answered.headers["ETag"], answered.text

    first, second = TOKENS.split(",")
    _, empty, text = ask(first)
    assert "[]" in text
    assert ask(second, f'"other", W/{empty}') == (304, empty, "")
    session_id = person.get(f"{watchword.prefix}/auth/sessions").json()[0]["id"]
    person.post(f"{watchword.prefix}/auth/logout")
    status, tag, text = ask(second, empty)
    assert (status, session_id in text) == (200, True)
    assert tag != empty
    assert ask(first, tag)[0] == 304


def test_production_refuses_a_feed_token_that_could_be_guessed() -> None:
    def start(*tokens: str) -> None:
        secret = "Kq3vT9zLw2Xc8Rb5Yn7Pm4Hd6Jg1Fs0UaEiO"
        values = {"secret_key": secret, "mail": "off", "feed_tokens": tokens}
        refuse_unsafe(load_settings(env={}, env_file=None, **values).settings)

    start(*TOKENS.split(","))
    with pytest.raises(ConfigurationError, match="Entry 2 of FEED_TOKENS"):
        start(TOKENS.split(",")[0], "short")


async def told(feed: Feed, count: int, *, heartbeat: float = 0.2) -> list[str]:
    stream = events(feed, World(), heartbeat=heartbeat)
    try:
        return [await anext(stream) for _ in range(count)]
    finally:
        await stream.aclose()


@pytest.mark.shapes("mounted-sqlite")
def test_a_stream_tells_all_and_each_new_entry_before_it_says_so(watchword: Running) -> None:
    old, new = str(uuid.uuid4()), str(uuid.uuid4())

    async def work(core: Core) -> list[str]:
        core.feed.apply(ends_session(old))
        stream = events(core.feed, core.world, heartbeat=10)
        said = [await anext(stream) for _ in range(4)]
        core.feed.apply(ends_session(new))
        said.append(await anext(stream))
        core.feed.let_all_go()
        said += [text async for text in stream]
        assert core.feed.followers == 0
        return said

    snapshot, line, end, heartbeat, revocation = watchword.call(work)
    assert snapshot + line + end == f"event: snapshot\ndata: {ends_session(old).line()}\n\n"
    event, _, known = heartbeat.partition("\ndata: ")
    assert event == "event: heartbeat"
    # Never fresher than the service, which looks once a second.
    assert -2 < float(known) <= 0.1
    assert revocation == f"event: revocation\ndata: {ends_session(new).line()}\n\n"


def test_a_service_that_does_not_know_promises_nothing() -> None:
    feed = Feed(RevocationView(), World(), 10)
    assert asyncio.run(told(feed, 4)) == ["event: snapshot\n", "\n", ":\n\n", ":\n\n"]
    assert feed.followers == 0


def test_a_reader_that_is_too_slow_is_let_go_and_does_not_fill_the_memory() -> None:
    async def work() -> list[Revocation | None]:
        feed = Feed(RevocationView(), World(), 10)
        queue = feed.follow()
        for number in range(12_000):
            feed.apply(ends_session(str(number)))
        assert feed.followers == 0
        return [queue.get_nowait() for _ in range(queue.qsize())]

    waiting = asyncio.run(work())
    assert len(waiting) == 10_000
    assert waiting[-1] is None


# --- the reader -------------------------------------------------------------------------------


def streams(known: Issuer, text: str, *, lasts: float = 30) -> None:
    """Answer the feed with this text, and then hold the line."""

    def stream(request: BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.send_header("Content-Type", "text/event-stream")
        request.end_headers()
        request.wfile.write(text.encode())
        request.wfile.flush()
        deadline = time.monotonic() + lasts
        while time.monotonic() < deadline:
            time.sleep(0.1)
            try:
                request.wfile.write(b":\n\n")
            except OSError:
                return

    known.answers[FEED] = stream


HEARTBEAT = "event: heartbeat\ndata: 0\n\n"


@pytest.mark.parametrize(
    "text",
    [
        'event: revocation\ndata: ["device","x",0,4e9]\n\n',
        "event: snapshot\ndata: nonsense\n\n",
        "event: heartbeat\ndata: nan\n\n",
        "event: heartbeat\ndata: 1e999\n\n",
        "event: heartbeat\ndata: -100\n\n",
    ],
)
def test_what_it_can_not_read_leaves_it_knowing_nothing(text: str) -> None:
    with issuer() as known:
        streams(known, text + HEARTBEAT, lasts=0.3)
        with ResourceServer(known.url, feed_token="t") as resource:
            wait_for(lambda: known.asked[FEED] > 1 and len(resource._keys.current()) > 0)
            with pytest.raises(CannotKnow):
                resource.verify(known.token())


def test_what_a_newer_service_says_beside_the_feed_is_passed_over() -> None:
    with issuer() as known:
        streams(known, f"retry: 5\nevent: newer\ndata: x\n\ndata: y\n\nz\n\n{HEARTBEAT}")
        with resource_server(known, feed_token="t") as resource:
            assert resource.verify(known.token()).subject == "7"


def test_the_feeds_token_is_not_carried_to_another_host() -> None:
    with issuer() as known, issuer() as thief:
        location = thief.url + FEED
        known.answers[FEED] = lambda request: answer(request, b"", 307, Location=location)
        streams(thief, HEARTBEAT)
        with ResourceServer(known.url, feed_token="t"):
            wait_for(lambda: known.asked[FEED] > 1)
        assert thief.asked[FEED] == 0


def test_it_is_stale_when_nothing_comes_and_ends_at_once() -> None:
    with issuer() as known:
        sid = str(uuid.uuid4())
        streams(known, f"event: snapshot\ndata: {ends_session(sid).line()}\n\n{HEARTBEAT}")
        with resource_server(known, feed_token="t", max_staleness=1) as resource:
            good = known.token()
            assert resource.verify(good).subject == "7"
            with pytest.raises(InvalidToken, match="revoked"):
                resource.verify(known.token(sid=sid))
            assert wait_for(lambda: not resource.is_ready()) <= 1.2
            with pytest.raises(CannotKnow):
                resource.verify(good)
            began = time.monotonic()
        # A line that may come in half a minute is not waited for.
        assert time.monotonic() - began < 0.5
