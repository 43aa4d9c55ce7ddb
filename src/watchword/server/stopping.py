"""Hearing of the signal that stops the process when it comes.

A server waits for the answers under way before it tells the app that it stops, and a stream of
events is an answer that is under way for minutes.
"""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

_SIGNALS = (signal.SIGTERM, signal.SIGINT)


@contextmanager
def told_to_stop(stop: Callable[[], None]) -> Iterator[None]:
    """Call ``stop`` in this event loop at SIGTERM or SIGINT; the server's own handler runs too.

    Does nothing outside the main thread, where Python hears no signals, and where no handler is
    set: that process ends at once.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    loop = asyncio.get_running_loop()
    before = {number: signal.getsignal(number) for number in _SIGNALS}

    def handle(number: int, frame: FrameType | None) -> None:
        loop.call_soon_threadsafe(stop)
        known = before[signal.Signals(number)]
        if callable(known):
            known(number, frame)

    replaced = [number for number in _SIGNALS if callable(before[number])]
    for number in replaced:
        signal.signal(number, handle)
    try:
        yield
    finally:
        for number in replaced:
            if signal.getsignal(number) is handle:
                signal.signal(number, before[number])
