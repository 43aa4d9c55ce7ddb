"""What an operator is shown."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watchword.settings.describe import Described, describe, settings_markdown
from watchword.settings.load import load_settings
from watchword.settings.schema import Settings

PAGE = Path(__file__).parents[4] / "docs" / "settings.md"


def described(name: str, **overrides: object) -> Described:
    loaded = load_settings(env={}, env_file=None, **overrides)
    (found,) = (one for one in describe(loaded) if one.name == name)
    return found


def test_a_setting_is_shown_with_its_source_and_default() -> None:
    assert described("WATCHWORD_PORT", port=9000) == Described(
        name="WATCHWORD_PORT",
        value="9000",
        source="argument",
        default="8000",
        description="Port that `watchword serve` listens on.",
        type="a whole number from 0 to 65535",
    )


def test_values_are_shown_as_they_are_typed() -> None:
    assert described("WATCHWORD_DEBUG", debug=True).value == "true"
    assert described("WATCHWORD_ENVIRONMENT").value == "production"
    assert described("WATCHWORD_ALLOWED_ORIGINS").value == "(not set)"
    assert described("WATCHWORD_PASSWORD_REQUIRE", password_require="upper,digit").value == (
        "upper,digit"
    )
    assert described("WATCHWORD_API_V1_PREFIX", api_v1_prefix="").value == "(empty)"


def test_secrets_are_masked() -> None:
    assert described("WATCHWORD_SECRET_KEY", secret_key="k").value == "[secret]"
    assert described("WATCHWORD_SECRET_KEY").value == "(not set)"
    assert described("WATCHWORD_SECRET_KEY_PREVIOUS", secret_key_previous="a,b").value == (
        "[secret],[secret]"
    )


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://u:pw@h:5432/d?sslmode=require", "postgresql://u:[secret]@h:5432/d?sslmode=require"),
        ("postgresql+asyncpg://u:p@w/?@h/d", "postgresql+asyncpg://u:[secret]@h/d"),
        ("postgres://:pw@h/d", "postgres://:[secret]@h/d"),
        ("postgresql://u@h:1,g:2/d", "postgresql://u@h:1,g:2/d"),
        ("postgresql://[::1]:5432/d", "postgresql://[::1]:5432/d"),
        ("postgresql://h/d?user=u&password=pw&x=1", "postgresql://h/d?user=u&password=[secret]&x=1"),
        ("sqlite:////srv/a.db", "sqlite:////srv/a.db"),
        ("postgresql://u:pw", "[secret]"),
        ("u:pw@h/d", "[secret]"),
    ],
)  # fmt: skip
def test_a_database_url_is_shown_without_its_password(url: str, shown: str) -> None:
    assert described("WATCHWORD_DATABASE_URL", database_url=url).value == shown


@given(st.text("ABCXYZ0189@:/?#&=%+!,[]", min_size=8, max_size=20))
def test_no_password_in_a_database_url_is_shown(password: str) -> None:
    url = f"postgresql://someone:{password}@db.internal:5432/app?sslmode=require"
    shown = described("WATCHWORD_DATABASE_URL", database_url=url).value
    assert password not in shown
    assert password[-6:] not in shown
    assert "db.internal:5432/app?sslmode=require" in shown


def test_every_setting_has_a_meaning_and_a_place_on_the_page() -> None:
    page = settings_markdown()
    for one in describe(load_settings(env={}, env_file=None)):
        assert one.description.endswith("."), one.name
        assert f"| `{one.name}` |" in page
    assert page.count("\n| `WATCHWORD_") == len(Settings.model_fields)


def test_the_page_of_settings_is_current() -> None:
    # To renew it, write what settings_markdown() gives.
    assert PAGE.read_text("utf-8") == settings_markdown()
