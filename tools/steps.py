"""Run one command after another, each under a headline, and leave no process behind."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from threading import Thread
from types import FrameType
from typing import IO

# Long enough for fixtures to be torn down, short enough for somebody who pressed Ctrl-C.
GRACE_SECONDS = 15.0
STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")
_CLOSING = re.compile(r"=* ?(\d+ \w+.*|no tests ran) in [\d.]+s( \([\d:]+\))? ?=*")


class Failed(Exception):
    """A step failed; the exception says which and what to do."""

    def __init__(self, sentence: str, code: int = 1) -> None:
        super().__init__(sentence)
        self.code = code


class Stopped(BaseException):
    """Somebody asked us to stop: Ctrl-C, SIGTERM or a closed terminal."""

    def __init__(self, number: int) -> None:
        super().__init__(f"Stopped by {signal.Signals(number).name}.")
        self.code = 128 + number


@contextmanager
def stopping_cleanly() -> Iterator[None]:
    """Turn the stopping signals into one ``Stopped``, and let nothing interrupt the cleaning up."""

    def stop(number: int, frame: FrameType | None) -> None:
        for each in STOPPING:
            signal.signal(each, signal.SIG_IGN)
        raise Stopped(number)

    for each in STOPPING:
        signal.signal(each, stop)
    yield


def headline(text: str) -> None:
    """Say what comes now, before its own output."""
    bold, plain = ("\x1b[1m", "\x1b[0m") if sys.stdout.isatty() else ("", "")
    print(f"\n{bold}── {text}{plain}", flush=True)


class TooLong(Exception):
    """A step took longer than it may, and was ended."""


def step(
    name: str,
    command: Sequence[str],
    environment: Mapping[str, str],
    *,
    seconds: float | None = None,
) -> str | None:
    """Run a command, its output passed on as it comes; return pytest's closing line if it has one.

    Raises ``Failed`` when the command does not exit with 0, ``TooLong`` after ``seconds``.
    """
    headline(name)
    # A session of its own: what the command starts dies with it, and the signals that stop us
    # reach it once and from here, not a second time from the terminal.
    with subprocess.Popen(
        command,
        env=dict(environment),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,
    ) as process:
        passed_on: list[str] = []
        reader = Thread(target=_pass_on, args=(process.stdout, passed_on), daemon=True)
        reader.start()
        try:
            # Waiting for the command, not for the end of its output: a server that a test forgot
            # holds the pipe open, and would hold us.
            process.wait(seconds)
        except subprocess.TimeoutExpired as error:
            raise TooLong from error
        finally:
            _end(process)
            reader.join(GRACE_SECONDS)
    if process.returncode != 0:
        raise Failed(f"{name} failed (exit code {process.returncode}).")
    return passed_on[-1] if passed_on else None


def _pass_on(output: IO[str], closing_lines: list[str]) -> None:
    for line in output:
        sys.stdout.write(line)
        sys.stdout.flush()
        bare = _COLOURS.sub("", line).strip()
        if _CLOSING.fullmatch(bare):
            closing_lines.append(bare)


def _end(process: subprocess.Popen[str]) -> None:
    """Stop the command and all that it started: politely, then not."""
    if process.poll() is None:
        _signal(process.pid, signal.SIGINT)
        with suppress(subprocess.TimeoutExpired):
            process.wait(GRACE_SECONDS)
    _signal(process.pid, signal.SIGKILL)


def _signal(group: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)
