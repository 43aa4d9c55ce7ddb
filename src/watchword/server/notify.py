"""Telling systemd how it goes (``Type=notify``): sd_notify(3), by its socket alone."""

from __future__ import annotations

import socket
from contextlib import suppress


def notify(address: str | None, state: str) -> None:
    """Send ``state`` (``READY=1``) to the socket named by NOTIFY_SOCKET, where there is one.

    A supervisor that can't be reached does not stop the service.
    """
    if not address:
        return
    # An @ stands for the NUL byte of Linux's abstract sockets.
    name = "\0" + address[1:] if address.startswith("@") else address
    with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
        channel.sendto(state.encode(), name)
