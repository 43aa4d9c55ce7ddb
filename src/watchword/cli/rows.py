"""Reading a file of accounts: JSON Lines or CSV, each line an account or a reason why not."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from watchword.accounts.account import NewAccount, UserRole
from watchword.accounts.names import check_email, check_full_name, check_username
from watchword.errors import InvalidInput, WatchwordError
from watchword.passwords.transfer import Arrival, Turned, checked_hash

_READ = frozenset(
    {"username", "email", "full_name", "role", "is_active", "is_verified", "created_at"}
    | {"password_hash"}
)
# What our own export has besides, and an import makes anew.
_PASSED_OVER = frozenset({"id", "updated_at", "last_login"})
_YES = frozenset({"true", "t", "yes", "y", "1"})
_NO = frozenset({"false", "f", "no", "n", "0"})


@dataclass(frozen=True, slots=True)
class _Row:
    line: int
    fields: dict[str, Any]


def read_accounts(file: Path, advance: Callable[[int], None]) -> Iterator[Arrival | Turned]:
    """Each line of the file, in order. ``advance`` is told how many bytes have been read.

    CSV where the name ends in ``.csv``, else JSON Lines. Raises OSError.
    """
    with file.open("rb") as stream:
        texts = _decoded(stream, advance)
        rows = _csv_rows(texts) if file.suffix.lower() == ".csv" else _json_rows(texts)
        for row in rows:
            yield row if isinstance(row, Turned) else _arrival(row)


def _decoded(lines: Iterable[bytes], advance: Callable[[int], None]) -> Iterator[str]:
    encoding = "utf-8-sig"  # a spreadsheet begins its files with a byte order mark
    for line in lines:
        advance(len(line))
        # What is not UTF-8 becomes lone surrogates, which the checks of names refuse by line.
        yield line.decode(encoding, "surrogateescape")
        encoding = "utf-8"


def _json_rows(lines: Iterable[str]) -> Iterator[_Row | Turned]:
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            fields = json.loads(line)
        except (ValueError, RecursionError):
            yield Turned(number, "is not JSON")
            continue
        if isinstance(fields, dict):
            yield _Row(number, fields)
        else:
            yield Turned(number, "is not a JSON object")


def _csv_rows(lines: Iterable[str]) -> Iterator[_Row | Turned]:
    reader = csv.reader(lines, strict=True)
    header: list[str] | None = None
    while True:
        # A quoted field may have line breaks in it: an account is named by its first line.
        number = reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield Turned(number, f"is not CSV: {error}")
            continue
        if not any(cells):
            continue
        if header is None:
            header = [cell.strip() for cell in cells]
        elif len(cells) != len(header):
            yield Turned(number, f"has {len(cells)} fields; the first line names {len(header)}")
        else:
            # CSV has no null: an empty cell is a value that was left out.
            named = zip(header, cells, strict=True)
            yield _Row(number, {name: cell for name, cell in named if cell != ""})


def _arrival(row: _Row) -> Arrival | Turned:
    try:
        return Arrival(row.line, _account(row.fields), checked_hash(_text(row, "password_hash")))
    except WatchwordError as error:
        return Turned(row.line, error.sentence)


def _account(fields: dict[str, Any]) -> NewAccount:
    # A slip such as "pasword_hash" would import everybody without a password, unseen.
    unknown = sorted(set(fields) - _READ - _PASSED_OVER)
    if unknown:
        raise InvalidInput(where=ascii(unknown[0])[1:-1][:60], what="is no field of a user")
    row = _Row(0, fields)
    return NewAccount(
        username=check_username(_text(row, "username") or ""),
        email=check_email(_text(row, "email") or ""),
        full_name=check_full_name(_text(row, "full_name")),
        role=_role(_text(row, "role")),
        is_active=_flag(fields, "is_active", True),
        is_verified=_flag(fields, "is_verified", False),
        created_at=_moment(_text(row, "created_at")),
    )


def _text(row: _Row, name: str) -> str | None:
    value = row.fields.get(name)
    if value is not None and not isinstance(value, str):
        raise InvalidInput(where=name, what="must be text")
    return value


def _role(text: str | None) -> UserRole:
    try:
        return UserRole.USER if text is None else UserRole(text.strip().lower())
    except ValueError:
        raise InvalidInput(where="role", what="must be admin, user or guest") from None


def _flag(fields: dict[str, Any], name: str, default: bool) -> bool:
    value = fields.get(name)
    if value is None:
        return default
    if isinstance(value, bool):
        return value
    text = str(value).strip().lower()
    if text in _YES or text in _NO:
        return text in _YES
    raise InvalidInput(where=name, what="must be true or false")


def _moment(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text.strip())
        # Without a zone it is UTC, as most databases write it.
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        what = "must be a time such as 2024-05-01T12:00:00Z"
        raise InvalidInput(where="created_at", what=what) from None
