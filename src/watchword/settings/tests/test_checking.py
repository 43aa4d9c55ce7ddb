"""What refuses to start, what is only said, and that every sentence tells what to do."""

from __future__ import annotations

import secrets  # noqa: TID251 - a key as the advice makes it

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watchword.errors import ConfigurationError
from watchword.settings.check import parse_limit, refuse_unsafe, warnings_of
from watchword.settings.load import load_settings
from watchword.settings.schema import Settings

KEY = "q7Jw2-nXv0RkZ4tLh9sYb6Gm_Dc8PfAe3uTo5iNxWlQ"
FASTAPI_DOCUMENTATION = "09d25e094faa6ca2556c818166b7a9563b93f7099f6f0f4caa6cf63b88e8d3e7"
SMTP: dict[str, object] = {
    "mail": "smtp",
    "smtp_host": "mail.example.org",
    "emails_from_email": "no-reply@example.org",
    "public_url": "https://id.example.org",
}


def production(**settings: object) -> Settings:
    values = {"secret_key": KEY, "mail": "off", **settings}
    return load_settings(env={}, env_file=None, **values).settings


def development(**settings: object) -> Settings:
    return load_settings(env={}, env_file=None, environment="development", **settings).settings


def reasons(settings: Settings) -> list[str]:
    with pytest.raises(ConfigurationError) as refused:
        refuse_unsafe(settings)
    return refused.value.sentence.splitlines()


def reason(settings: Settings) -> str:
    (only,) = reasons(settings)
    return only


@pytest.mark.parametrize(
    "settings",
    [
        production(),
        production(**SMTP),
        production(**SMTP, smtp_user="u", smtp_password="p", smtp_port=465),
        production(allowed_origins="https://app.example.org,http://localhost:3000"),
        production(allowed_origins="capacitor://localhost,http://[::1]:8080"),
        production(trusted_proxies="10.0.0.0/8,::1,192.0.2.7"),
        production(secret_key_previous=KEY[::-1]),
        production(database_url="sqlite:///a.db"),
        development(),
    ],
)
def test_sound_settings_start_without_a_word(settings: Settings) -> None:
    refuse_unsafe(settings)
    assert warnings_of(settings) == []


@pytest.mark.parametrize(
    "key",
    [
        "your-secret-key-change-this-in-production",
        "CHANGE_ME_CHANGE_ME_CHANGE_ME_CHANGE_ME_1",
        "django-insecure-q7Jw2-nXv0RkZ4tLh9sYb6Gm_Dc8",
        "my Super Secret key that is long enough now",
        "replace-with-a-long-and-random-string-please",
        "<generate with openssl rand -hex 32, please>",
        "a-string-secret-at-least-256-bits-long",
        FASTAPI_DOCUMENTATION,
        FASTAPI_DOCUMENTATION.upper(),
        "a" * 64,
        "0123456789" * 4,
        "q7Jw2nXv" * 4,
        "abcdefghijklmnopqrstuvwxyz0246813579",
    ],
)
def test_a_key_that_anyone_can_guess_is_refused_in_production(key: str) -> None:
    assert "published example or easily guessed" in reason(production(secret_key=key))
    assert "SECRET_KEY_PREVIOUS is" in reason(production(secret_key_previous=(key,)))
    refuse_unsafe(development(secret_key=key))
    (warning,) = warnings_of(development(secret_key=key))
    assert warning.startswith("Production refuses to start with this: SECRET_KEY is")


def test_the_advice_makes_a_key_that_is_taken() -> None:
    for _ in range(200):
        refuse_unsafe(production(secret_key=secrets.token_urlsafe(48), algorithm="HS256"))


def test_a_short_key_is_refused_in_production_and_for_hs256_everywhere() -> None:
    short = KEY[:31]
    assert "shorter than 32 characters" in reason(production(secret_key=short))
    refuse_unsafe(production(secret_key=KEY[:32], algorithm="HS256"))
    refuse_unsafe(development(secret_key=short))
    assert "shorter than 32" in warnings_of(development(secret_key=short))[0]
    assert "HS256 needs" in reason(development(secret_key=short, algorithm="HS256"))
    previous = development(secret_key=KEY, secret_key_previous=short, algorithm="HS256")
    assert "HS256 needs" in reason(previous)


def test_production_without_a_key_is_told_how_to_make_one() -> None:
    assert "secrets.token_urlsafe(48)" in reason(production(secret_key=None))


@pytest.mark.parametrize("make", [production, development])
def test_a_wildcard_origin_is_refused_everywhere(make: type[Settings]) -> None:
    assert "wildcard" in reason(make(allowed_origins="*"))
    assert "wildcard" in reason(make(allowed_origins="https://*.example.org"))


@pytest.mark.parametrize(
    "origin",
    [
        *("https://app.example.org/", "https://app.example.org/path", "app.example.org", "null"),
        *("https://", "https://u:p@app.example.org", "HTTPS://APP.example.org", "https://a:99999"),
        *("https://a:0", "https://a b", "https://a?x", "http://[", "http://[1.2]"),
    ],
)
def test_what_no_browser_sends_as_an_origin_is_refused(origin: str) -> None:
    said = reason(production(allowed_origins=("https://good.example", origin)))
    assert said.startswith("Entry 2 of ALLOWED_ORIGINS is no origin.")


def test_proxies_are_addresses_or_networks() -> None:
    assert "Entry 2" in reason(production(trusted_proxies="10.0.0.1,nginx"))
    assert "Entry 1" in reason(production(trusted_proxies="10.0.0.1/8"))
    (warning,) = warnings_of(production(trusted_proxies="0.0.0.0/0"))
    assert "evades the limits" in warning


def test_production_with_mail_and_no_server_is_refused() -> None:
    assert "set SMTP_HOST, or MAIL=off" in reason(production(mail="auto"))
    assert "set SMTP_HOST, or MAIL=off" in reason(development(mail="smtp", emails_from_email="a@b"))
    assert "MAIL=keep is for development" in reason(production(mail="keep"))


def test_mail_needs_a_sender_and_a_public_address() -> None:
    assert "EMAILS_FROM_EMAIL is not set" in reason(
        production(**SMTP | {"emails_from_email": None})
    )
    for wrong in ("no-reply", "Name <a@example.org>", "a@b@c"):
        said = reason(production(**SMTP | {"emails_from_email": wrong}))
        assert said.startswith("EMAILS_FROM_EMAIL must be an e-mail address")
    assert "PUBLIC_URL is not set" in reason(production(**SMTP | {"public_url": None}))
    refuse_unsafe(development(**SMTP | {"public_url": None}))
    refuse_unsafe(development(**SMTP | {"emails_from_email": "watchword@relay"}))


def test_a_mail_password_is_never_sent_in_the_clear() -> None:
    clear = {**SMTP, "smtp_tls": "none"}
    signed_in = {"smtp_user": "u", "smtp_password": "p"}
    assert "SMTP_PASSWORD in the clear" in reason(production(**clear, **signed_in))
    assert "SMTP_PASSWORD in the clear" in reason(development(**clear, **signed_in))
    for loopback in ("localhost", "127.0.0.1", "::1"):
        refuse_unsafe(production(**clear | {"smtp_host": loopback}, **signed_in))
    refuse_unsafe(production(**clear))
    assert "reset links in the clear" in warnings_of(production(**clear))[0]


def test_a_mail_user_and_password_go_together() -> None:
    assert "SMTP_PASSWORD is not" in reason(production(**SMTP, smtp_user="u"))
    assert "SMTP_USER is not" in warnings_of(production(**SMTP, smtp_password="p"))[0]


def test_a_mail_server_that_gets_no_mail_is_said() -> None:
    (warning,) = warnings_of(production(**SMTP | {"mail": "off"}))
    assert "MAIL=off sends nothing" in warning


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("postgresql://u:p@db.example.org/x", True),
        ("postgres://u:p@10.0.0.7:5432/x?application_name=w", True),
        ("postgresql+asyncpg://u:p@db.example.org/x?ssl=verify-full", False),
        ("postgresql://u:p@db/x?sslmode=disable", False),
        ("postgresql://u:p@localhost/x", False),
        ("postgresql:///x?host=/run/postgresql", False),
        ("sqlite:////srv/db.example.org/x.db", False),
    ],
)
def test_a_database_across_the_network_is_asked_for_tls(url: str, said: bool) -> None:
    warnings = warnings_of(production(database_url=url))
    assert [True for warning in warnings if "sslmode=verify-full" in warning] == [True] * said
    assert "u:p" not in "".join(warnings)


def test_a_public_url_is_checked() -> None:
    (warning,) = warnings_of(production(public_url="http://id.example.org"))
    assert "in the clear" in warning
    assert warnings_of(production(public_url="http://localhost:8000")) == []
    for wrong in ("https://u:p@id.example.org", "https://id:x", "https://["):
        assert "PUBLIC_URL must be" in reason(production(public_url=wrong))


def test_limits_are_a_count_and_seconds_or_loudly_off() -> None:
    assert parse_limit("5/60") == (5, 60)
    assert parse_limit("off") is None
    for wrong in ("", "5", "5/", "0/60", "5/0", "-5/60", "5/60/1", "5/minute", "٥/60"):
        with pytest.raises(ConfigurationError, match="such as 5/60, or off"):
            parse_limit(wrong)
        assert reason(production(limit_login=wrong)).startswith("LIMIT_LOGIN must be")
    warnings = warnings_of(production(limit_login="off", limit_token="OFF"))
    assert [warning.split(":")[0] for warning in warnings] == [
        "LIMIT_LOGIN IS OFF",
        "LIMIT_TOKEN IS OFF",
    ]


@given(st.integers(1, 999_999_999), st.integers(1, 999_999_999))
def test_every_limit_reads_back(count: int, seconds: int) -> None:
    assert parse_limit(f"{count}/{seconds}") == (count, seconds)


def test_development_that_others_can_reach_is_said() -> None:
    (warning,) = warnings_of(development(host="::"))
    assert "one-time tokens" in warning
    assert warnings_of(development(host="localhost")) == []
    assert "HOST is empty" in reason(production(host=""))


def test_debug_and_weak_hashing_are_said_in_production_only() -> None:
    assert "DEBUG" in warnings_of(production(debug=True))[0]
    assert "OWASP" in warnings_of(production(hash_memory_kib=8192))[0]
    assert warnings_of(production(hash_memory_kib=12288, hash_iterations=3)) == []
    assert warnings_of(development(debug=True, hash_memory_kib=8)) == []
    assert "8 times" in reason(production(hash_memory_kib=8, hash_parallelism=2))


def test_every_reason_is_given_at_once() -> None:
    settings = production(secret_key="short", mail="auto", allowed_origins="*", limit_login="x")
    assert len(reasons(settings)) == 4


def test_a_token_that_opens_metrics_or_the_feed_can_not_be_guessed() -> None:
    assert "METRICS_TOKEN is shorter" in reason(production(metrics_token="x" * 31))
    assert "FEED_TOKENS is shorter" in reason(production(feed_tokens="x" * 31))
    long = "scrape-7f3a1c-0123456789-abcdefghij"
    refuse_unsafe(production(metrics_token=long, feed_tokens=long))
