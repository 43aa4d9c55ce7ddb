"""Saying what is set, and writing the page of settings; no secret is ever shown."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum

from watchword.secret import MASK, Secret
from watchword.settings.check import what_to_type
from watchword.settings.load import PREFIX, Loaded
from watchword.settings.schema import Settings

NOT_SET = "(not set)"

# The schema's parts, each with the setting that it begins with.
_PARTS = {
    "app_name": "The app",
    "database_url": "The database",
    "secret_key": "Secrets and tokens",
    "password_min_length": "Passwords",
    "mail": "Mail",
    "open_directory": "Access",
    "limit_login": "Limits on abuse",
    "metrics_token": "Operation",
}

_HOST = r"(?:\[[0-9a-fA-F:.]+\]|[^:@/?,]*)(?::[0-9]+)?"
_WITH_PASSWORD = re.compile(r"([\w+.-]+://[^:@]*):.*@([^@]*)", re.DOTALL)
_WITHOUT_PASSWORD = re.compile(
    rf"[\w+.-]+://(?:[^:@/?]*@)?{_HOST}(?:,{_HOST})*(?:[/?][^@]*)?", re.DOTALL
)

_INTRODUCTION = """\
# Settings

Watchword reads its settings once, at the start. The first of these that names a setting decides:

1. an argument of `Watchword(...)`: the name in lower case, such as `port=8080`;
2. `WATCHWORD_<NAME>` in the environment;
3. `WATCHWORD_<NAME>` in `.env`, in the folder that the command runs in;
4. the bare `<NAME>` in the environment;
5. the bare `<NAME>` in `.env`;
6. the default.

`watchword settings show` prints what holds and where it came from, `watchword settings check` what
is wrong.

- A list is separated by commas. Yes and no are `true` and `false`.
- An empty value of a setting whose default is "(not set)" means that it is not set, even where a
  later place sets it.
- A `WATCHWORD_` name that is no setting refuses to start, so that a slip in a security setting does
  not pass unseen. Bare names that are no settings belong to your app and are left alone.
- A bare name that another program uses too (`HOST`, `DEBUG`, …) steps back behind its
  `WATCHWORD_` form. A bare `MAIL` with a slash in it is a login shell's mailbox and is not read.
- Values in `.env` are taken as they stand: `$NAME` in them is not replaced.
- Kubernetes puts variables into each pod for a Service called `watchword`, and those look like
  settings: set `enableServiceLinks: false` in the pod's spec.
"""


@dataclass(frozen=True, slots=True)
class Described:
    """One setting as an operator sees it."""

    name: str
    value: str
    source: str
    default: str
    description: str
    type: str


def describe(loaded: Loaded) -> list[Described]:
    """Each setting in the schema's order: what it is and where it came from, secrets masked."""
    return [
        Described(
            name=PREFIX + name.upper(),
            value=_shown(name, getattr(loaded.settings, name)),
            source=loaded.sources[name],
            default=_shown(name, field.default),
            description=field.description or "",
            type=what_to_type(name),
        )
        for name, field in Settings.model_fields.items()
    ]


def settings_markdown() -> str:
    """The text of ``docs/settings.md``."""
    lines = [_INTRODUCTION]
    for name, field in Settings.model_fields.items():
        if name in _PARTS:
            if len(lines) > 1:
                lines.append("")
            lines += [f"## {_PARTS[name]}", "", "| Variable | Default | Type | Meaning |"]
            lines.append("|---|---|---|---|")
        default = _shown(name, field.default)
        cells = (
            f"`{PREFIX}{name.upper()}`",
            default if default.startswith("(") else f"`{default}`",
            what_to_type(name),
            field.description or "",
        )
        lines.append(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |")
    return "\n".join(lines) + "\n"


def _shown(name: str, value: object) -> str:
    if value is None or value == ():
        return NOT_SET
    if isinstance(value, Secret):
        return _without_password(value.reveal()) if name == "database_url" else MASK
    if isinstance(value, tuple):
        return ",".join(_shown(name, part) for part in value)
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Enum):
        return str(value.value)
    return str(value) if value != "" else "(empty)"


def _without_password(url: str) -> str:
    """A database URL that can be shown: the password, and all that might be one, masked."""
    match = _WITH_PASSWORD.fullmatch(url)
    if match is not None:
        # Up to the last @: a password with an @, a slash or a ? in it must not show its end.
        shown = f"{match[1]}:{MASK}@{match[2]}"
    elif _WITHOUT_PASSWORD.fullmatch(url):
        shown = url
    else:
        return MASK
    return re.sub(r"(?i)([?&][^=&]*(?:pass|pwd|secret|token)[^=&]*=)[^&]*", rf"\1{MASK}", shown)
