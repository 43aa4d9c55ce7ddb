"""The feed as server-sent events (WHATWG HTML, section 9.2), for whoever has no database to read.

``snapshot`` comes first: all live entries, a line of data each. Each ``revocation`` is one entry
more. A ``heartbeat`` says up to when everything has been told, in seconds since the request came
in: the reader counts from before it asked, and so is never fresher than we are, whatever the clocks
say and however long the network held a line back.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import suppress

from watchword.revocations.feed import Feed
from watchword.world import World

# Ended and asked for again now and then: two machines' clocks drift apart by some ten
# milliseconds in that time, and a process that is to stop need not wait for ever.
_LIFE_SECONDS = 300.0
_LINES_EACH = 500


async def events(feed: Feed, world: World, *, heartbeat: float) -> AsyncGenerator[str, None]:
    """What to send, until the stream has lived long enough or its reader is let go.

    Every ``heartbeat`` seconds there is something; while our own feed is stale it is a comment,
    which promises nothing.
    """
    began = world.monotonic()
    # Followed before it is read: what comes between is told twice, and that does no harm.
    queue = feed.follow()
    try:
        yield "event: snapshot\n"
        entries = feed.view.entries()
        for start in range(0, len(entries), _LINES_EACH):
            some = entries[start : start + _LINES_EACH]
            yield "".join(f"data: {entry.line()}\n" for entry in some)
            # Others are waiting too: a million entries are a second of work.
            await world.sleep(0)
        yield "\n"
        due = world.monotonic()
        while True:
            new = []
            with suppress(TimeoutError):
                async with asyncio.timeout(due - world.monotonic()):
                    new.append(await queue.get())
            while not queue.empty():
                new.append(queue.get_nowait())
            text = "".join(f"event: revocation\ndata: {e.line()}\n\n" for e in new if e)
            now = world.monotonic()
            ends = None in new or now - began > _LIFE_SECONDS
            if now >= due and not ends:
                # Nothing waits in the queue, so all that we know has been told when this is.
                known = now - feed.age() - began
                text += ":\n\n" if feed.is_stale() else f"event: heartbeat\ndata: {known:.3f}\n\n"
                due = now + heartbeat
            if text:
                yield text
            if ends:
                return
    finally:
        feed.unfollow(queue)
