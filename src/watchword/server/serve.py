"""``watchword serve``: what is done before the first request, and uvicorn."""

from __future__ import annotations

import asyncio
import functools
import logging
import signal
import socket
from collections.abc import Callable, Mapping
from types import FrameType
from typing import Any

import uvicorn
from uvicorn.config import STARTUP_FAILURE
from uvicorn.supervisors import Multiprocess

from watchword.accounts import service as accounts
from watchword.accounts.account import UserRole
from watchword.admin import setup
from watchword.errors import ConfigurationError, ServiceUnavailable
from watchword.mount.compose import compose, dissolve
from watchword.mount.watchword import Watchword
from watchword.server import logs
from watchword.server.app import application, create_app
from watchword.server.notify import notify
from watchword.settings.check import refuse_unsafe, warnings_of
from watchword.settings.load import Loaded, load_settings, with_secret
from watchword.settings.schema import MailMode, Settings
from watchword.world import World

_log = logging.getLogger("watchword.server")
_BACKLOG = 2048
_KEEP_ALIVE_SECONDS = 15
# What a request line and headers may take; httptools' own bound is 64 KiB as well.
_HEADER_BYTES = 65_536
_WORKER_SILENCE_SECONDS = 15
_WORKER_START_SECONDS = 60.0
_FIRST_ADMIN = "watchword users create USERNAME EMAIL --role admin --verified"


class PortUnusable(ServiceUnavailable):
    """The address can't be listened on; the sentence says which and why."""

    code = "port_unusable"
    title = "Port unusable"


def serve(
    overrides: Mapping[str, Any],
    *,
    workers: int,
    say: Callable[[str], None],
    notify_socket: str | None = None,
) -> None:
    """Serve until SIGTERM or SIGINT, then let the requests under way finish.

    ``overrides`` are settings given on the command line; worker processes get them too, and
    nothing else: no secret. ``say`` prints to the terminal, where the first administrator's link
    may be shown and the log's readers don't see it. Raises ConfigurationError with every reason
    not to start, PortUnusable, DatabaseUnavailable.
    """
    world = World()
    loaded = load_settings(**overrides)
    # Before a missing secret is seen to, so that every reason is told at once.
    refuse_unsafe(loaded.settings)
    loaded = with_secret(loaded, world)
    settings = loaded.settings
    logs.configure(settings)
    listening = _listen(settings)
    with listening:
        for warning in warnings_of(settings):
            _log.warning(warning, extra={"event": "settings.unsafe"})
        asyncio.run(_prepare(settings, world, say))
        _run(loaded, overrides, workers, listening, functools.partial(notify, notify_socket))


async def _prepare(settings: Settings, world: World, say: Callable[[str], None]) -> None:
    """Migrate once for all workers, and tell who is at the terminal what to do next."""
    core = await compose(settings, world, None)
    try:
        say(f"{settings.app_name} serves {settings.base_url}")
        if settings.public_url is not None:
            say(f"  listening on        {settings.host} port {settings.port}")
        say(f"  API documentation   {settings.base_url}/docs")
        if settings.is_development and settings.mail_mode is MailMode.KEEP:
            say(f"  mail, kept here     {settings.base_url}/dev/mail")
        if settings.is_development:
            link = await setup.offer(core)
            if link is not None:
                say(f"  first administrator {link.reveal()}  (once, within 24 hours)")
        else:
            async with core.database.read() as unit:
                admins = await accounts.page(unit, skip=0, limit=1, role=UserRole.ADMIN)
            if not admins:
                say(f"  There is no administrator. Make one:\n    {_FIRST_ADMIN}")
    finally:
        await dissolve(core)


def _listen(settings: Settings) -> socket.socket:
    host, port = settings.host, settings.port
    if port == 0:
        raise PortUnusable("PORT=0 is no port to listen on. Name one from 1 to 65535.")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # Named TCP, so that asyncio's own loop turns Nagle off: without it, each answer on a kept
    # connection waits up to 40 ms for an acknowledgement.
    listening = socket.socket(family, proto=socket.IPPROTO_TCP)
    try:
        # A restart must not wait for the last connections of the one before to be forgotten.
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, port))
        # From here on a caller waits a moment instead of being refused.
        listening.listen(_BACKLOG)
    except OSError as error:
        listening.close()
        raise PortUnusable(
            f"{host} port {port} can't be listened on: {error.strerror or error}. "
            "Stop what uses it, or set another HOST or PORT."
        ) from error
    return listening


def _run(
    loaded: Loaded,
    overrides: Mapping[str, Any],
    workers: int,
    listening: socket.socket,
    tell: Callable[[str], None],
) -> None:
    # Each worker reads the settings for itself: what is handed to it would have to be pickled.
    app = (
        functools.partial(application, **overrides)
        if workers > 1
        else functools.partial(create_app, Watchword(loaded))
    )
    config = uvicorn.Config(
        app,
        factory=True,
        host=loaded.settings.host,
        port=loaded.settings.port,
        workers=workers,
        lifespan="on",
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        # TRUSTED_PROXIES decides whom to believe, request by request: edge/client.py.
        proxy_headers=False,
        backlog=_BACKLOG,
        timeout_keep_alive=_KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=loaded.settings.shutdown_seconds,
        timeout_worker_healthcheck=_WORKER_SILENCE_SECONDS,
        h11_max_incomplete_event_size=_HEADER_BYTES,
    )
    # Uvicorn sends itself the signal again when it has ended; once ended is ended well.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _has_ended)
    if workers > 1:
        supervisor = _TellingSupervisor(config, [listening], tell)
        supervisor.run()
        if any(process.exitcode == STARTUP_FAILURE for process in supervisor.processes):
            raise ConfigurationError("A worker could not start. The log says why.")
        return
    _TellingServer(config, tell).run([listening])


class _TellingServer(uvicorn.Server):
    """Uvicorn's server, which tells systemd when it has started and when it stops."""

    def __init__(self, config: uvicorn.Config, tell: Callable[[str], None]) -> None:
        super().__init__(config)
        self._tell = tell

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._tell("READY=1")

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._tell("STOPPING=1")
        await super().shutdown(sockets)


class _TellingSupervisor(Multiprocess):
    """Uvicorn's parent of workers, which speaks for them: systemd listens to it alone."""

    def __init__(
        self, config: uvicorn.Config, sockets: list[socket.socket], tell: Callable[[str], None]
    ) -> None:
        super().__init__(config, sockets)
        self._tell = tell

    def init_processes(self) -> None:
        super().init_processes()
        if all(p.wait_until_ready(_WORKER_START_SECONDS) for p in self.processes):
            self._tell("READY=1")

    def terminate_all(self) -> None:
        self._tell("STOPPING=1")
        super().terminate_all()


def _has_ended(_signal: int, _frame: FrameType | None) -> None:
    return None
