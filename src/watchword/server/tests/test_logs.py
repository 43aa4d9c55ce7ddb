"""Log lines hold no secret and no local variable, and no caller writes to the terminal."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watchword.secret import Secret
from watchword.server import logs
from watchword.settings.load import load_settings
from watchword.trace import NOBODY, Trace, set_trace

TOUCHED = ("", "watchword", "alembic.runtime.migration", "sqlalchemy.engine.Engine")


@pytest.fixture(autouse=True)
def _put_back() -> Iterator[None]:
    before = [(one := logging.getLogger(n), one.handlers, one.level, one.filters) for n in TOUCHED]
    yield
    for logger, handlers, level, filters in before:
        logger.handlers, logger.filters = handlers, filters
        logger.setLevel(level)
    logging.captureWarnings(False)


def configured(**settings: Any) -> io.StringIO:
    stream = io.StringIO()
    logs.configure(load_settings(env={}, env_file=None, **settings).settings, stream)
    return stream


def tell(extra: dict[str, Any]) -> None:
    logging.getLogger("watchword.tests").info("told", extra=extra)


@given(st.text(min_size=6), st.sampled_from(["production", "development"]))
def test_a_secret_is_masked_wherever_it_stands_in_an_event(text: str, environment: str) -> None:
    text = f"\N{SNOWMAN}{text}"
    stream = configured(environment=environment)
    deep = {"in": [Secret(text), {"a": Secret(text)}], "pair": (Secret(text),)}
    tell({"event": "told", "password": Secret(text), "facts": deep})
    assert stream.getvalue().count("[secret]") == 4
    assert text not in stream.getvalue()
    assert json.dumps(text)[1:-1] not in stream.getvalue()


def test_a_traceback_has_no_variables_in_it() -> None:
    password = "-".join(["hunter2", "the", "password"])
    for environment in ("production", "development"):
        stream = configured(environment=environment)
        try:
            fail(password)
        except ZeroDivisionError:
            logging.getLogger("watchword.tests").exception("failed", extra={"event": "bad"})
        assert "ZeroDivisionError" in stream.getvalue()
        assert "in fail" in stream.getvalue()
        assert "hunter2" not in stream.getvalue()


def fail(password: str) -> float:
    return len(password) / 0


def test_a_line_names_the_request_and_the_caller() -> None:
    stream = configured(environment="production")
    set_trace(Trace("id-7", "203.0.113.7", "agent"))
    try:
        tell({"event": "told", "count": 3, "at": datetime(2026, 1, 2, tzinfo=UTC)})
    finally:
        set_trace(NOBODY)
    line = json.loads(stream.getvalue())
    assert (line["event"], line["message"], line["level"]) == ("told", "told", "info")
    assert (line["request_id"], line["address"], line["user_id"]) == ("id-7", "203.0.113.7", None)
    assert (line["count"], line["at"]) == (3, "2026-01-02 00:00:00+00:00")


@given(st.text(st.characters(exclude_categories=())))
def test_any_text_makes_one_line_that_a_terminal_does_not_obey(text: str) -> None:
    for environment in ("production", "development"):
        stream = configured(environment=environment)
        tell({"event": "told", "text": text})
        (line,) = stream.getvalue().split("\n")[:-1]
        assert line.isprintable()
        assert len(line.splitlines()) == 1


def test_libraries_are_not_asked_for_what_they_send() -> None:
    stream = configured(environment="production", log_level="debug")
    logging.getLogger("aiosqlite").debug("INSERT INTO passwords VALUES ('hash')")
    logging.getLogger("watchword.tests").debug("ours")
    assert [json.loads(line)["message"] for line in stream.getvalue().splitlines()] == ["ours"]


@pytest.mark.parametrize(
    ("settings", "levels"),
    [
        ({"log_level": "error"}, ["error"]),
        ({"log_level": "warning"}, ["warning", "error"]),
        ({}, ["info", "warning", "error"]),
        ({"log_level": "error", "debug": True}, ["debug", "info", "warning", "error"]),
    ],
)
def test_the_level_is_the_settings(settings: dict[str, Any], levels: list[str]) -> None:
    stream = configured(environment="production", **settings)
    log = logging.getLogger("watchword.tests")
    for level in ("debug", "info", "warning", "error"):
        getattr(log, level)("said")
    assert [json.loads(line)["level"] for line in stream.getvalue().splitlines()] == levels
