from __future__ import annotations

import unicodedata
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watchword.email.messages import (
    EmailChange,
    EmailChangedNotice,
    Message,
    PasswordChanged,
    PasswordReset,
    SessionReuse,
    Templates,
    Verification,
    device_name,
)
from watchword.errors import ConfigurationError
from watchword.secret import Secret

SHIPPED = Templates()
LINK = "https://id.example/reset?token=a&next=b"
AT = datetime(2026, 3, 4, 5, 6, tzinfo=timezone(timedelta(hours=2)))
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


def every(username: str = "ada") -> list[Message]:
    link = Secret(LINK)
    return [
        Verification(username, link, 24),
        PasswordReset(username, link, 1),
        EmailChange(username, link, 24),
        PasswordChanged(username, AT, "192.0.2.7", FIREFOX),
        SessionReuse(username, AT, "192.0.2.7", FIREFOX),
        EmailChangedNotice(username, AT, None, None),
    ]


@pytest.mark.parametrize("message", every(), ids=lambda message: message.kind)
def test_each_message_tells_the_same_in_text_and_html(message: Message) -> None:
    letter = SHIPPED.render(message, "Acme")
    assert "Acme" in letter.subject
    for body in (letter.text, letter.html):
        assert "Hello ada," in body
        if isinstance(message, Verification | PasswordReset | EmailChange):
            assert f"within {message.hours} hour{'s' if message.hours > 1 else ''}." in body
        else:
            assert "2026-03-04 03:06 UTC" in body
            assert (message.address or "unknown") in body
            assert ("Firefox on Linux" if message.device else "an unknown device") in body
    assert "Subject:" not in letter.text
    if isinstance(message, Verification | PasswordReset | EmailChange):
        assert LINK in letter.text
        assert 'href="https://id.example/reset?token=a&amp;next=b"' in letter.html
    assert LINK not in repr(message)
    assert LINK not in repr(letter)


def test_a_name_of_markup_is_shown_as_text() -> None:
    for message in every('<img src=x onerror="alert(1)">'):
        letter = SHIPPED.render(message, "<b>Acme</b>")
        assert "<img" not in letter.html
        assert "&lt;img" in letter.html
        assert "<b>Acme" not in letter.html


def test_a_name_that_is_a_web_address_is_no_link_in_our_mail() -> None:
    for message in every("prizes.example"):
        letter = SHIPPED.render(message, "Acme")
        assert "prizes.example" not in letter.text + letter.html
        assert "prizes.\u2060example" in letter.text


def test_a_user_agent_writes_nothing_of_its_own_into_the_warning_about_it() -> None:
    letter = SHIPPED.render(
        SessionReuse("ada", AT, "192.0.2.7", "Firefox Call +1 555 0100 <a href=//evil.example>"),
        "Acme",
    )
    assert "evil" not in letter.text + letter.html
    assert "555" not in letter.text + letter.html
    assert "With  Firefox\n" in letter.text


@given(st.text(max_size=200), st.text(min_size=1, max_size=100))
def test_no_name_breaks_out_of_its_line(username: str, app_name: str) -> None:
    calm = SHIPPED.render(PasswordChanged("ada", AT, None, None), "Acme")
    letter = SHIPPED.render(PasswordChanged(username, AT, username, username), app_name)
    assert len(letter.text.splitlines()) == len(calm.text.splitlines())
    assert len(letter.subject.splitlines()) == 1
    assert not any(unicodedata.category(c).startswith("C") for c in letter.subject)
    letter.text.encode()
    letter.html.encode()


@pytest.mark.parametrize(
    ("user_agent", "name"),
    [
        (FIREFOX, "Firefox on Linux"),
        (
            "Mozilla/5.0 (Windows NT 10.0) (KHTML, like Gecko) Chrome/140 Safari/537.36 Edg/140.0",
            "Edge on Windows",
        ),
        (
            "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 Safari/605.1.15",
            "Safari on macOS",
        ),
        (
            "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605 Safari/604.1",
            "Safari on iPhone",
        ),
        ("curl/8.5.0", "curl"),
        ("python-httpx/0.28", "a Python program"),
        ("SomethingElse/1.0", "an unknown device"),
        ("", "an unknown device"),
        (None, "an unknown device"),
    ],
)
def test_a_device_is_named_as_people_name_it(user_agent: str | None, name: str) -> None:
    assert device_name(user_agent) == name
    assert device_name(name) == name


def test_a_folder_overrides_single_templates(tmp_path: Path) -> None:
    (tmp_path / "password_reset.txt").write_text(
        "Subject: Neues Passwort für {{ app_name }}\n\nHallo {{ username }}: {{ link }}\n"
    )
    (tmp_path / "base.html").write_text("<p class=ours>{% block body %}{% endblock %}</p>")
    letter = Templates(tmp_path).render(PasswordReset("ada", Secret(LINK), 1), "Acme")
    assert letter.subject == "Neues Passwort für Acme"
    assert letter.text == f"Hallo ada: {LINK}\n"
    assert letter.html.startswith("<p class=ours>")
    assert "Choose a new password" in letter.html
    other = Templates(tmp_path).render(Verification("ada", Secret(LINK), 1), "Acme")
    assert other.text == SHIPPED.render(Verification("ada", Secret(LINK), 1), "Acme").text


@pytest.mark.parametrize(
    ("template", "complaint"),
    [
        ("Hello without a subject\n", "first line"),
        ("Subject:   \nHello\n", "first line"),
        ("Subject: hi\n{{ usernam }}\n", "usernam"),
        ("Subject: hi\n{% if %}\n", "TemplateSyntaxError"),
        ("Subject: go to {{ link }}\nHello\n", "subject"),
    ],
)
def test_a_broken_override_is_refused_at_the_start_by_name(
    tmp_path: Path, template: str, complaint: str
) -> None:
    (tmp_path / "password_reset.txt").write_text(template)
    with pytest.raises(ConfigurationError, match=r"password_reset\.txt") as refusal:
        Templates(tmp_path)
    assert complaint in refusal.value.sentence


def test_a_folder_that_is_not_there_is_refused_at_the_start(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="templates"):
        Templates(tmp_path / "nowhere")
