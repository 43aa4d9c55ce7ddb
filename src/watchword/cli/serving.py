"""``watchword serve``, ``watchword openapi`` and ``watchword version``."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Annotated, Any

import typer

from watchword import __version__
from watchword.cli.terminal import FileUnusable, say
from watchword.mount.watchword import Watchword
from watchword.server import serve as server
from watchword.server.app import create_app


def serve(
    host: Annotated[
        str | None, typer.Option(help="Address to listen on, instead of HOST.", show_default=False)
    ] = None,
    port: Annotated[
        int | None, typer.Option(help="Port to listen on, instead of PORT.", show_default=False)
    ] = None,
    workers: Annotated[
        int, typer.Option(min=1, max=256, help="Processes that share the port.")
    ] = 1,
) -> None:
    """Start the service, and serve until SIGTERM or Ctrl-C."""
    given: dict[str, Any] = {"host": host, "port": port}
    server.serve(
        {name: value for name, value in given.items() if value is not None},
        workers=workers,
        say=_say_at_once,
        notify_socket=os.environ.get("NOTIFY_SOCKET"),  # noqa: TID251 - systemd's, no setting
    )


def openapi(
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="File to write.", show_default=False)
    ] = None,
) -> None:
    """Print the OpenAPI document that /openapi.json serves."""
    document = create_app(Watchword()).openapi()
    text = json.dumps(document, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
    if output is None:
        say(text.rstrip("\n"))
        return
    try:
        output.write_text(text, "utf-8")
    except OSError as error:
        raise FileUnusable(output, error) from error


def version() -> None:
    """Print the version of Watchword."""
    say(f"watchword {__version__}")


def _say_at_once(text: str) -> None:
    print(text, flush=True)
