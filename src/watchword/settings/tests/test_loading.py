"""Where a setting comes from, and what is said when it is wrong."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from watchword.errors import ConfigurationError
from watchword.secret import Secret
from watchword.settings.check import refuse_unsafe, warnings_of, what_to_type
from watchword.settings.load import Loaded, load_settings
from watchword.settings.schema import Environment, MailMode, Settings, SmtpTls

TUTORIAL = """\
# The app
APP_NAME="AIVerse"
APP_VERSION=0.5.0
DEBUG=True
ENVIRONMENT=development
API_V1_PREFIX=/api/v1
HOST=0.0.0.0
PORT=8000
ALLOWED_ORIGINS=http://localhost:3000,http://localhost:8000

# The database
DATABASE_URL=postgresql+asyncpg://postgres:postgres@localhost:5432/aiverse
DATABASE_ECHO=False
DB_POOL_SIZE=5
DB_MAX_OVERFLOW=10
DB_POOL_TIMEOUT=30
DB_POOL_RECYCLE=3600

SECRET_KEY=your-secret-key-change-this-in-production
ALGORITHM=HS256
ACCESS_TOKEN_EXPIRE_MINUTES=30
REFRESH_TOKEN_EXPIRE_DAYS=7
PASSWORD_RESET_TOKEN_EXPIRE_HOURS=1
EMAIL_VERIFICATION_TOKEN_EXPIRE_HOURS=24

SMTP_HOST=
SMTP_PORT=587
SMTP_USER=
SMTP_PASSWORD=
EMAILS_FROM_EMAIL=noreply@aiverse.com
EMAILS_FROM_NAME="AIVerse Team"

OLLAMA_BASE_URL=http://localhost:11434
DEFAULT_AI_MODEL=llama3.2
"""


def loaded_from(text: str, folder: Path, **env: str) -> Loaded:
    file = folder / ".env"
    file.write_text(text, "utf-8")
    return load_settings(env=env, env_file=file)


def refusal(env: dict[str, str] | None = None, **overrides: object) -> str:
    with pytest.raises(ConfigurationError) as refused:
        load_settings(env=env or {}, env_file=None, **overrides)
    return refused.value.sentence


def test_the_tutorials_env_file_loads_unchanged(tmp_path: Path) -> None:
    settings = loaded_from(TUTORIAL, tmp_path).settings

    assert settings.app_name == "AIVerse"
    assert settings.debug is True
    assert settings.environment is Environment.DEVELOPMENT
    assert (settings.host, settings.port) == ("0.0.0.0", 8000)  # noqa: S104
    assert settings.allowed_origins == ("http://localhost:3000", "http://localhost:8000")
    assert settings.database_url == Secret(
        "postgresql+asyncpg://postgres:postgres@localhost:5432/aiverse"
    )
    assert settings.secret_key == Secret("your-secret-key-change-this-in-production")
    assert settings.algorithm == "HS256"
    assert (settings.smtp_host, settings.smtp_user, settings.smtp_password) == (None, None, None)
    assert settings.emails_from_name == "AIVerse Team"
    assert settings.mail_mode is MailMode.KEEP
    refuse_unsafe(settings)
    assert any("published example" in warning for warning in warnings_of(settings))
    assert any("HOST" in warning for warning in warnings_of(settings))


def test_nothing_set_is_the_defaults() -> None:
    loaded = load_settings(env={}, env_file=None)
    assert loaded.settings == Settings()
    assert set(loaded.sources.values()) == {"default"}
    assert set(loaded.sources) == set(Settings.model_fields)


def test_the_nearest_place_decides_and_is_named(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text("WATCHWORD_PORT=3\nPORT=5\n")
    env = {"WATCHWORD_PORT": "2", "PORT": "4"}

    def port(env: dict[str, str], **overrides: object) -> tuple[int, str]:
        loaded = load_settings(env=env, env_file=file, **overrides)
        return loaded.settings.port, loaded.sources["port"]

    assert port(env, port=1) == (1, "argument")
    assert port(env) == (2, "environment WATCHWORD_PORT")
    assert port({"PORT": "4"}) == (3, ".env WATCHWORD_PORT")
    file.write_text("PORT=5\n")
    assert port({"PORT": "4"}) == (4, "environment PORT")
    assert port({}) == (5, ".env PORT")


def test_the_process_environment_and_its_folder_are_read_where_none_are_given(
    tmp_path: Path,
) -> None:
    (tmp_path / ".env").write_text("PORT=8123\n")
    program = (
        "from watchword.settings.load import load_settings\n"
        "loaded = load_settings()\n"
        "print(loaded.settings.port, loaded.sources['port'], loaded.settings.app_name)"
    )
    answer = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        env={"WATCHWORD_APP_NAME": "Ours"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert answer.stdout == "8123 .env PORT Ours\n"


def test_an_empty_optional_setting_is_not_set_whatever_lies_below(tmp_path: Path) -> None:
    loaded = loaded_from("SMTP_HOST=mail.example.org\n", tmp_path, WATCHWORD_SMTP_HOST="")
    assert loaded.settings.smtp_host is None
    assert loaded.sources["smtp_host"] == "environment WATCHWORD_SMTP_HOST"
    blank = load_settings(env={"SECRET_KEY": "", "PUBLIC_URL": "  "}, env_file=None, audience="")
    assert blank.settings.secret_key is None
    assert blank.settings.public_url is None
    assert blank.settings.audience is None
    given = load_settings(env={}, env_file=None, secret_key=Secret(""))
    assert given.settings.secret_key is None


def test_an_empty_setting_that_must_have_a_value_is_refused() -> None:
    assert refusal({"WATCHWORD_PORT": ""}) == (
        "WATCHWORD_PORT in the environment is empty: it must be a whole number from 0 to 65535."
    )
    assert "WATCHWORD_DATA_DIR in the environment is empty" in refusal({"WATCHWORD_DATA_DIR": " "})


def test_lists_are_trimmed_and_their_empty_parts_dropped() -> None:
    env = {
        "WATCHWORD_ALLOWED_ORIGINS": " https://a.example , ,https://b.example,",
        "WATCHWORD_SECRET_KEY_PREVIOUS": "one, two",
        "WATCHWORD_PASSWORD_REQUIRE": "Upper,digit",
        "WATCHWORD_TRUSTED_PROXIES": "",
    }
    settings = load_settings(env=env, env_file=None).settings
    assert settings.allowed_origins == ("https://a.example", "https://b.example")
    assert settings.secret_key_previous == (Secret("one"), Secret("two"))
    assert settings.password_require == ("upper", "digit")
    assert settings.trusted_proxies == ()


def test_arguments_may_be_text_or_values() -> None:
    settings = load_settings(
        env={},
        env_file=None,
        secret_key="a key given as text",
        secret_key_previous=[Secret("one"), "two"],
        allowed_origins=["https://a.example"],
        environment=Environment.DEVELOPMENT,
        smtp_tls="TLS",
        data_dir=Path("/srv/watchword"),
    ).settings
    assert settings.secret_key == Secret("a key given as text")
    assert settings.secret_key_previous == (Secret("one"), Secret("two"))
    assert settings.allowed_origins == ("https://a.example",)
    assert settings.is_development
    assert settings.smtp_tls is SmtpTls.TLS
    assert settings.data_dir == Path("/srv/watchword")


def test_a_choice_is_read_in_any_case() -> None:
    env = {"LOG_LEVEL": "INFO", "ALGORITHM": "es256", "ENVIRONMENT": "Development"}
    settings = load_settings(env=env, env_file=None).settings
    assert settings.log_level == "info"
    assert settings.algorithm == "ES256"
    assert settings.is_development


def test_a_mistyped_setting_refuses_and_suggests_the_nearest(tmp_path: Path) -> None:
    sentence = "WATCHWORD_SECRET_KY is not a setting. Did you mean WATCHWORD_SECRET_KEY?"
    assert refusal({"WATCHWORD_SECRET_KY": "x"}) == sentence
    with pytest.raises(ConfigurationError) as refused:
        loaded_from("WATCHWORD_SECRET_KY=x\n", tmp_path)
    assert refused.value.sentence == sentence
    assert refusal(secret_ky="x") == "secret_ky is not a setting. Did you mean secret_key?"
    lower = refusal({"watchword_port": "1"})
    assert lower == "watchword_port is not a setting. Did you mean WATCHWORD_PORT?"
    assert "lists them all" in refusal({"WATCHWORD_QQQQQQ": "1"})


def test_names_of_other_programs_are_left_alone(tmp_path: Path) -> None:
    env = {"OLLAMA_BASE_URL": "x", "port": "9", "WATCHWORD_TEST_POSTGRES": "x", "SECRET_KY": "x"}
    loaded = load_settings(env=env, env_file=None)
    assert set(loaded.sources.values()) == {"default"}


def test_a_login_shells_mailbox_is_not_the_mail_setting() -> None:
    assert load_settings(env={"MAIL": "/var/mail/root"}, env_file=None).settings.mail == "auto"
    assert load_settings(env={"MAIL": "off"}, env_file=None).settings.mail is MailMode.OFF
    assert "auto, smtp, keep or off" in refusal({"WATCHWORD_MAIL": "/var/mail/root"})


def test_all_that_is_wrong_is_said_at_once() -> None:
    env = {
        "DEBUG": "release:*",
        "WATCHWORD_PORT": "99999",
        "WATCHWORD_ENVIRONMENT": "prod",
        "WATCHWORD_PUBLIC_URL": "id.example.org",
        "WATCHWORD_DB_POOL_TIMEOUT": "nan",
        "WATCHWORD_APP_NAME": "a\x00b",
        "WATCHWORD_HOTS": "x",
    }
    lines = refusal(env, hash_threads="many").splitlines()
    assert set(lines) == {
        f"{wrong}."
        for wrong in (
            (
                "DEBUG in the environment must be true or false. If it is meant for another "
                "program, set WATCHWORD_DEBUG, which goes before it"
            ),
            "WATCHWORD_PORT in the environment must be a whole number from 0 to 65535",
            "WATCHWORD_ENVIRONMENT in the environment must be production or development",
            (
                "WATCHWORD_PUBLIC_URL in the environment must be an address such as "
                "https://id.example.org, without ? or #"
            ),
            "WATCHWORD_DB_POOL_TIMEOUT in the environment must be a number above 0, at most 600",
            (
                "WATCHWORD_APP_NAME in the environment holds a line break or another control "
                "character: take it out"
            ),
            "The argument hash_threads must be a whole number from 1 to 256",
        )
    } | {"WATCHWORD_HOTS is not a setting. Did you mean WATCHWORD_HOST?"}


def test_a_wrong_argument_shows_neither_value_nor_library() -> None:
    with pytest.raises(ConfigurationError) as refused:
        load_settings(env={}, env_file=None, secret_key=b"bytes are no text", port=object())
    assert refused.value.sentence.splitlines() == [
        "The argument port must be a whole number from 0 to 65535.",
        "The argument secret_key must be secret text.",
    ]
    # The library's own error, which repeats the value, must not hang on for a traceback.
    assert refused.value.__cause__ is None
    assert refused.value.__context__ is None
    assert "origins such as" in refusal(allowed_origins=7)


def test_a_secret_with_a_line_break_is_refused_rather_than_cut() -> None:
    sentence = refusal({"SECRET_KEY": "0123456789abcdef0123456789abcdef\n"})
    assert "SECRET_KEY in the environment holds a line break" in sentence
    assert "0123456789abcdef" not in sentence
    assert "is not UTF-8 text" in refusal({"WATCHWORD_SECRET_KEY": "\udcff" * 40})


def test_kubernetes_own_variables_are_recognised() -> None:
    env = {
        "WATCHWORD_SERVICE_HOST": "10.0.0.1",
        "WATCHWORD_SERVICE_PORT": "8000",
        "WATCHWORD_PORT": "tcp://10.0.0.1:8000",
    }
    assert "enableServiceLinks: false" in refusal(env)


def test_dollar_signs_in_the_file_stand_for_themselves(tmp_path: Path) -> None:
    loaded = loaded_from("SMTP_PASSWORD=pa$HOME${PATH}\n", tmp_path, HOME="x", PATH="y")
    assert loaded.settings.smtp_password == Secret("pa$HOME${PATH}")


def test_an_absent_env_file_is_none(tmp_path: Path) -> None:
    assert load_settings(env={}, env_file=tmp_path / ".env").settings.port == 8000


def test_a_name_without_a_value_in_the_file_is_empty(tmp_path: Path) -> None:
    assert loaded_from("export SMTP_HOST\n", tmp_path).settings.smtp_host is None


def test_an_env_file_that_cannot_be_read_is_said(tmp_path: Path) -> None:
    folder = tmp_path / ".env"
    folder.mkdir()
    with pytest.raises(ConfigurationError, match=r"\.env can't be read: Is a directory"):
        load_settings(env={}, env_file=folder)
    latin = tmp_path / "latin.env"
    latin.write_bytes(b"APP_NAME=Caf\xe9\n")
    with pytest.raises(ConfigurationError, match=r"latin\.env can't be read: it is not UTF-8"):
        load_settings(env={}, env_file=latin)


def test_a_quote_left_open_does_not_silently_unset_a_setting(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"Line 3 of .*\.env can't be read"):
        loaded_from("PORT=1\n\nSECRET_KEY='not closed\nHOST=x\n", tmp_path)


def test_every_setting_says_what_it_takes() -> None:
    # A pattern says nothing to a person: it needs words of its own.
    for name, field in Settings.model_fields.items():
        if any(getattr(rule, "pattern", None) for rule in field.metadata):
            assert not what_to_type(name).startswith("text")
