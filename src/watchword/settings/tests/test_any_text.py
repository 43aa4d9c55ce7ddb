"""Whatever stands in the environment: settings or a clear refusal, and no secret said aloud."""

from __future__ import annotations

from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st

from watchword.errors import ConfigurationError
from watchword.settings.check import refuse_unsafe, warnings_of
from watchword.settings.describe import describe
from watchword.settings.load import Loaded, load_settings
from watchword.settings.schema import Settings

NAMES = [name.upper() for name in Settings.model_fields]
ODD = (
    *("true", "9" * 5000, "1e999", "nan", "-1", "off", "0/0", "http://[", "http://a:x", ",", "~"),
    *("postgresql://u:p@h/d", "production", "development", "smtp", "a@b", "::1/129", "HS256"),
)
TEXTS = st.one_of(
    # Every code point, halves of pairs too: an environment may hold any bytes.
    st.lists(st.integers(0, 0x10FFFF).map(chr), max_size=60).map("".join),
    st.text("0123456789/:,.-@ \t\n\0\udcff", max_size=8),
    st.sampled_from(ODD),
)


def refusal_of(call: Callable[[], object]) -> ConfigurationError | None:
    """What a call refuses with, if it does. Any other exception is a failure."""
    try:
        call()
    except ConfigurationError as refused:
        return refused
    return None


@given(st.dictionaries(st.sampled_from(NAMES + ["WATCHWORD_" + name for name in NAMES]), TEXTS))
def test_any_text_is_a_setting_or_a_clear_refusal(env: dict[str, str]) -> None:
    loaded: list[Loaded] = []
    refusal = refusal_of(lambda: loaded.append(load_settings(env=env, env_file=None)))
    if refusal is not None:
        assert any(f"{variable} in the environment " in refusal.sentence for variable in env)
        assert refusal.__context__ is None
        return
    settings = loaded[0].settings
    assert len(describe(loaded[0])) == len(NAMES)
    warnings_of(settings)
    refusal_of(lambda: refuse_unsafe(settings))


# Capitals and digits in such a row are in no sentence of ours.
CAPITALS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
SECRETS = st.one_of(
    st.text(CAPITALS, min_size=12, max_size=50),
    st.text(CAPITALS + "\n\0\udcff,:@/", min_size=12, max_size=50),
)
SECRET_NAMES = [
    "secret_key", "secret_key_previous", "smtp_password", "metrics_token", "feed_tokens",
    "database_url",
]  # fmt: skip


@given(st.sampled_from(SECRET_NAMES), SECRETS, st.sampled_from(["x", "8000"]), st.booleans())
def test_nothing_that_is_said_repeats_a_secret(
    name: str, secret: str, port: str, as_argument: bool
) -> None:
    env = {"PORT": port, "ALGORITHM": "HS256", "SMTP_HOST": "mail.example.org"}
    arguments = {name: secret} if as_argument else {}
    if not as_argument:
        env[name.upper()] = secret

    def start() -> None:
        loaded = load_settings(env=env, env_file=None, **arguments)
        said = [str(describe(loaded)), *warnings_of(loaded.settings), repr(loaded)]
        assert all(secret not in text for text in said)
        refuse_unsafe(loaded.settings)

    refusal = refusal_of(start)
    assert refusal is not None  # SMTP without a sender, at the least
    assert secret not in str(refusal)
