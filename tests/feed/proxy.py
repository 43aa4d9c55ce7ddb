"""A wire to a database that can be cut, or hold everything back, and mended again."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Iterator
from contextlib import contextmanager, suppress
from typing import TypeVar
from urllib.parse import urlsplit

T = TypeVar("T")


class Wire:
    """Passes bytes on, on a loop and a thread of its own."""

    def __init__(self, host: str, port: int) -> None:
        self._to = (host, port)
        self._loop = asyncio.new_event_loop()
        self._tasks: set[asyncio.Task[None]] = set()
        self._flows = asyncio.Event()
        self._flows.set()
        self._server: asyncio.Server | None = None
        self._port = 0
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        self.mend()

    @property
    def port(self) -> int:
        return self._port

    def mend(self) -> None:
        """Listen, at the same port as before, and pass on."""
        self._run(self._mend())

    def cut(self) -> None:
        """End every connection and refuse new ones."""
        self._run(self._cut())

    def hold(self) -> None:
        """Take connections and bytes, and pass nothing on, without a word."""
        self._loop.call_soon_threadsafe(self._flows.clear)

    def close(self) -> None:
        self.cut()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    def _run(self, work: Awaitable[None]) -> None:
        async def wrapped() -> None:
            await work

        asyncio.run_coroutine_threadsafe(wrapped(), self._loop).result(10)

    async def _mend(self) -> None:
        self._flows.set()
        if self._server is None:
            self._server = await asyncio.start_server(self._serve, "127.0.0.1", self._port)
            self._port = self._server.sockets[0].getsockname()[1]

    async def _cut(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, near: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            await self._flows.wait()
            far, out = await asyncio.open_connection(*self._to)
            try:
                await asyncio.gather(self._pass_on(near, out), self._pass_on(far, back))
            finally:
                out.transport.abort()
        except (asyncio.CancelledError, OSError):
            return
        finally:
            back.transport.abort()
            self._tasks.discard(task)

    async def _pass_on(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        while data := await source.read(65_536):
            await self._flows.wait()
            sink.write(data)
            await sink.drain()
        with suppress(OSError):
            sink.write_eof()


@contextmanager
def a_wire_to(url: str) -> Iterator[tuple[Wire, str]]:
    """A wire to a database, and the URL that goes through it."""
    parts = urlsplit(url)
    wire = Wire(parts.hostname or "", parts.port or 5432)
    try:
        yield wire, url.replace(f":{parts.port}/", f":{wire.port}/")
    finally:
        wire.close()
