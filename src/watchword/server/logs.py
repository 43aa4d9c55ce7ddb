"""Log lines: JSON in production, for reading in development; never a secret, never a local.

The package logs by the standard library with ``extra={"event": …}``, so that in a host's app the
host decides. Only the service and its commands configure logging, here.
"""

from __future__ import annotations

import json
import logging
import sys
from typing import TextIO

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from watchword.settings.schema import Settings
from watchword.trace import current_trace, current_user_id

# Uvicorn's own colours, which mean nothing to us; its access log says less than ours.
_DROPPED = ("color_message",)


def configure(settings: Settings, stream: TextIO | None = None) -> None:
    """Send this process's log lines to ``stream`` (standard error), as the settings say."""
    stream = stream or sys.stderr
    handler = logging.StreamHandler(stream)
    rendering = _readable(stream) if settings.is_development else _json()
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[_described, _who_asks],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
                # The traceback's lines, never a frame's variables: those hold passwords.
                structlog.processors.format_exc_info,
                *rendering,
            ],
        )
    )
    level = logging.DEBUG if settings.debug else getattr(logging, settings.log_level.upper())
    root = logging.getLogger()
    root.handlers = [handler]
    # Libraries at DEBUG print what they send, the values of SQL statements among it.
    root.setLevel(max(level, logging.INFO))
    logging.getLogger("watchword").setLevel(level)
    # Alembic tells its assumptions each time; what it does is worth a line.
    logging.getLogger("alembic.runtime.migration").filters = [_migrates]
    # DATABASE_ECHO would give this one a handler of its own, and each line twice.
    echo = logging.getLogger("sqlalchemy.engine.Engine")
    echo.handlers = echo.handlers or [logging.NullHandler()]
    logging.captureWarnings(True)


def _migrates(record: logging.LogRecord) -> bool:
    return record.getMessage().startswith("Running")


def _described(_logger: WrappedLogger, _method: str, line: EventDict) -> EventDict:
    record: logging.LogRecord = line["_record"]
    line["message"] = line.pop("event")
    extras = {
        name: value
        for name, value in record.__dict__.items()
        if name not in _STANDARD and name not in _DROPPED
    }
    named = {
        "level": record.levelname.lower(),
        "logger": record.name,
        "event": extras.pop("event", "log"),
    }
    return {**line, **named, **extras}


def _who_asks(_logger: WrappedLogger, _method: str, line: EventDict) -> EventDict:
    trace = current_trace()
    line.setdefault("request_id", trace.request_id)
    line.setdefault("address", trace.address)
    if line.get("user_id") is None:
        line["user_id"] = current_user_id()
    return line


def _json() -> list[Processor]:
    order = ["time", "level", "logger", "event", "message", "request_id", "address", "user_id"]

    def render(_logger: WrappedLogger, _method: str, line: EventDict) -> str:
        # ``str`` for what JSON does not know: a Secret's says "[secret]". ASCII only, so that a
        # lone surrogate can't stop a line from being written.
        ordered = {name: line.pop(name, None) for name in order}
        return json.dumps({**ordered, **line}, default=str, skipkeys=True, ensure_ascii=True)

    return [render]


def _readable(stream: TextIO) -> list[Processor]:
    console = structlog.dev.ConsoleRenderer(
        colors=stream.isatty(), timestamp_key="time", pad_event_to=28, sort_keys=False
    )

    def short(_logger: WrappedLogger, _method: str, line: EventDict) -> EventDict:
        message = line.pop("message")
        if line["event"] == "log":
            line["event"] = message
        line["time"] = line["time"][11:19]
        shown = {name: value for name, value in line.items() if value is not None}
        # A terminal obeys escape sequences: none that a caller sent may reach it.
        return {
            name: _printable(value) if isinstance(value, str) and name != "exception" else value
            for name, value in shown.items()
        }

    return [short, console]


def _printable(text: str) -> str:
    return "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in text)


_STANDARD = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName"}
