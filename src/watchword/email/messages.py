"""What our mails say: one type for each, rendered from ``templates/<kind>.txt`` and ``.html``.

The first line of a ``.txt`` template is ``Subject: …``; all ``.html`` ones extend ``base.html``.
An operator overrides any of them with a file of the same name in a folder of their own.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import ClassVar, TypeAlias

from jinja2 import (
    ChoiceLoader,
    Environment,
    FileSystemLoader,
    StrictUndefined,
    TemplateError,
    select_autoescape,
)

from watchword.errors import ConfigurationError
from watchword.secret import Secret

_SHIPPED = Path(__file__).parent / "templates"
_SUBJECT = "Subject:"


@dataclass(frozen=True, slots=True)
class Verification:
    """To a new account's address: is it yours? ``link`` lives for ``hours``."""

    kind: ClassVar[str] = "verification"
    username: str
    link: Secret
    hours: int


@dataclass(frozen=True, slots=True)
class PasswordReset:
    """To the account's address: the way to a new password. ``link`` lives for ``hours``."""

    kind: ClassVar[str] = "password_reset"
    username: str
    link: Secret
    hours: int


@dataclass(frozen=True, slots=True)
class PasswordChanged:
    """To the account's address: the password has changed, by whom it looked to be."""

    kind: ClassVar[str] = "password_changed"
    username: str
    at: datetime
    address: str | None
    device: str | None


@dataclass(frozen=True, slots=True)
class SessionReuse:
    """To the account's address: a replaced refresh token came back, so its session has ended."""

    kind: ClassVar[str] = "session_reuse"
    username: str
    at: datetime
    address: str | None
    device: str | None


@dataclass(frozen=True, slots=True)
class EmailChange:
    """To the NEW address: is it yours? Nothing changes before ``link`` is followed."""

    kind: ClassVar[str] = "email_change"
    username: str
    link: Secret
    hours: int


@dataclass(frozen=True, slots=True)
class EmailChangeAsked:
    """To the OLD address, while the change can still be stopped. Says not which the new one is."""

    kind: ClassVar[str] = "email_change_asked"
    username: str
    at: datetime
    address: str | None
    device: str | None


@dataclass(frozen=True, slots=True)
class EmailChangedNotice:
    """To the OLD address, once another has taken its place. Which one is not for it to know."""

    kind: ClassVar[str] = "email_changed_notice"
    username: str
    at: datetime
    address: str | None
    device: str | None


Message: TypeAlias = (
    Verification
    | PasswordReset
    | PasswordChanged
    | SessionReuse
    | EmailChange
    | EmailChangeAsked
    | EmailChangedNotice
)


@dataclass(frozen=True, slots=True)
class Letter:
    """A message put into words. Its bodies may hold one-time links and stay out of any repr."""

    subject: str
    text: str = field(repr=False)
    html: str = field(repr=False)


class Templates:
    """The words of all messages: the caller's ``folder`` first, then those that we ship.

    Raises ConfigurationError at once when an override can't be rendered: a broken template must
    stop the start, not the registration of a user.
    """

    def __init__(self, folder: Path | None = None) -> None:
        if folder is not None and not folder.is_dir():
            raise ConfigurationError(f"The folder of mail templates is not there: {folder}")
        folders = [_SHIPPED] if folder is None else [folder, _SHIPPED]
        self._environment = Environment(
            loader=ChoiceLoader([FileSystemLoader(each) for each in folders]),
            autoescape=select_autoescape(["html"]),
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
        )
        if folder is not None:
            for message in _SAMPLES:
                self.render(message, "Watchword")

    def render(self, message: Message, app_name: str) -> Letter:
        """Put the message into words. Raises ConfigurationError, naming the bad template."""
        words = {
            each.name: _word(each.name, getattr(message, each.name)) for each in fields(message)
        }
        words["app_name"] = one_line(app_name)
        text = self._fill(f"{message.kind}.txt", words)
        html = self._fill(f"{message.kind}.html", words)
        first, _, body = text.partition("\n")
        if not first.startswith(_SUBJECT) or not first.removeprefix(_SUBJECT).strip():
            raise ConfigurationError(
                f"The first line of the mail template {message.kind}.txt must be its subject: "
                f'write "{_SUBJECT} " and the words on one line'
            )
        subject = one_line(first.removeprefix(_SUBJECT))
        # Subjects are kept in clear, shown in notifications and logged along the way.
        if "link" in words and str(words["link"]) in subject:
            raise ConfigurationError(f"The subject in {message.kind}.txt must not hold the link")
        return Letter(subject, body.strip() + "\n", html)

    def _fill(self, name: str, words: dict[str, str | int]) -> str:
        try:
            return self._environment.get_template(name).render(words)
        except (TemplateError, UnicodeError, TypeError) as error:
            raise ConfigurationError(
                f"The mail template {name} can't be rendered ({type(error).__name__}: {error})"
            ) from error


def _word(name: str, value: str | int | datetime | Secret | None) -> str | int:
    match value:
        case Secret():
            return value.reveal()
        case datetime():
            return value.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")
        case int():
            return value
        case _ if name == "device":
            return device_name(value)
        case _ if name == "username":
            return _unlinked(one_line(value or "")[:80])
        case None:
            return "unknown"
        case _:
            return one_line(value)[:80]


def _unlinked(text: str) -> str:
    """With an invisible word joiner after each dot, so that no mail program makes a link of it.

    Else a stranger registers as "prizes.example" with your address, and we advertise it to you.
    """
    return text.replace(".", ".\u2060")


def one_line(text: str) -> str:
    """Without line breaks (header injection), control, bidi and other invisible characters."""
    spaced = " ".join(text.split())
    return "".join(c for c in spaced if not unicodedata.category(c).startswith("C")).strip()


_BROWSERS = (
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("Firefox", "Firefox"),
    ("FxiOS", "Firefox"),
    ("CriOS", "Chrome"),
    ("Chrome", "Chrome"),
    ("Safari", "Safari"),
    ("curl", "curl"),
    ("python", "a Python program"),
    ("Python", "a Python program"),
)
_SYSTEMS = (
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("Windows", "Windows"),
    ("Mac OS", "macOS"),
    ("macOS", "macOS"),
    ("CrOS", "ChromeOS"),
    ("Linux", "Linux"),
)


def device_name(user_agent: str | None) -> str:
    """A device in a person's words, like "Firefox on Linux", or "an unknown device".

    Only words of our own: whoever stole a token also chose the User-Agent, and must not get to
    write into the mail that warns of the theft.
    """
    said = user_agent or ""
    browser = next((name for token, name in _BROWSERS if token in said), None)
    system = next((name for token, name in _SYSTEMS if token in said), None)
    if browser and system:
        return f"{browser} on {system}"
    return browser or system or "an unknown device"


_NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
_LINK = Secret("https://id.example/confirm?token=sample")
_SAMPLES: tuple[Message, ...] = (
    Verification("ada", _LINK, 24),
    PasswordReset("ada", _LINK, 1),
    PasswordChanged("ada", _NOON, "192.0.2.7", None),
    SessionReuse("ada", _NOON, "192.0.2.7", None),
    EmailChange("ada", _LINK, 24),
    EmailChangeAsked("ada", _NOON, "192.0.2.7", None),
    EmailChangedNotice("ada", _NOON, None, None),
)
