"""What a setting takes, and which settings together are not safe to start with."""

from __future__ import annotations

import ipaddress
import re
import types
import unicodedata
from collections.abc import Iterable, Iterator
from enum import StrEnum
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin
from urllib.parse import urlsplit

from annotated_types import Ge, Gt, Le, MaxLen, MinLen
from email_validator import EmailNotValidError, validate_email

from watchword.errors import ConfigurationError
from watchword.secret import Secret
from watchword.settings.schema import Environment, MailMode, Settings, SmtpTls

MAKE_A_KEY = 'python -c "import secrets; print(secrets.token_urlsafe(48))"'

_LIMITS = tuple(name for name in Settings.model_fields if name.startswith("limit_"))
_LIMIT_FORM = "a count and a window in seconds such as 5/60, or off"

# What the type alone does not tell.
_FORMS = {
    "api_v1_prefix": "a path such as /api/v1, without a slash at its end",
    "public_url": "an address such as https://id.example.org, without ? or #",
    "database_url": "a URL such as postgresql://user:password@host/name or sqlite:///data/app.db",
    "revocation_url": "a URL such as valkey://:password@host:6379/0",
    "allowed_origins": "origins such as https://app.example.org, separated by commas",
    "trusted_proxies": "addresses or networks such as 10.0.0.0/8, separated by commas",
    "emails_from_email": "an e-mail address",
    **dict.fromkeys(_LIMITS, _LIMIT_FORM),
}

# What keys in guides are made of: an attacker tries those first. The long one is the FastAPI
# documentation's. Compared without case and punctuation.
_PUBLISHED = (
    *("changethis", "changeme", "changeit", "replace", "example", "placeholder", "insecure"),
    *("secretkey", "supersecret", "yoursecret", "mysecret", "topsecret", "notasecret", "jwtsecret"),
    *("256bitsecret", "stringsecret", "secretatleast", "password", "donotuse", "generate"),
    *("openssl", "inproduction"),
    "09d25e094faa6ca2556c818166b7a9563b93f7099f6f0f4caa6cf63b88e8d3e7",
    *("abcdefgh", "12345678"),
)

_CARRIERS = ("redis", "rediss", "valkey", "valkeys")

# A browser sends an origin in lower case, without a path (RFC 6454, section 6.1).
_ORIGIN = re.compile(r"[a-z][a-z0-9+.-]*://([a-z0-9._-]+|\[[0-9a-f:.]+\])(:[0-9]{1,5})?")

# OWASP's least for argon2id, as KiB x passes: its smallest choice is 7 MiB and five passes.
_LEAST_HASHING = 7168 * 5


def parse_limit(text: str) -> tuple[int, int] | None:
    """A limit as (count, seconds); None for ``off``. Raises ConfigurationError."""
    if _is_off(text):
        return None
    match = re.fullmatch(r"([0-9]{1,9})/([0-9]{1,9})", text.strip())
    if match is None or int(match[1]) == 0 or int(match[2]) == 0:
        raise ConfigurationError(f"A limit must be {_LIMIT_FORM}.")
    return int(match[1]), int(match[2])


def what_to_type(name: str) -> str:
    """What a setting takes, in words: 'a whole number from 0 to 65535'."""
    if name in _FORMS:
        return _FORMS[name]
    kind, _ = kind_of(name)
    if get_origin(kind) is tuple:
        inner = get_args(kind)[0]
        options = options_of(inner)
        if options:
            return f"any of {', '.join(options)}, separated by commas"
        return f"{'secret texts' if inner is Secret else 'words'} separated by commas"
    options = options_of(kind)
    if options:
        return f"{', '.join(options[:-1])} or {options[-1]}"
    bounds = Settings.model_fields[name].metadata
    if kind in (int, float):
        return ("a whole number" if kind is int else "a number") + _range(bounds)
    plain = {bool: "true or false", Secret: "secret text", Path: "a path"}
    return plain.get(kind) or "text" + _length(bounds)


def kind_of(name: str) -> tuple[Any, bool]:
    """A setting's type without ``| None``, and whether it may be left unset."""
    annotation = Settings.model_fields[name].annotation
    if get_origin(annotation) in (Union, types.UnionType):
        (kind,) = (one for one in get_args(annotation) if one is not type(None))
        return kind, True
    return annotation, False


def options_of(kind: Any) -> tuple[str, ...]:
    """The words that a type is a choice of; none where it is no choice."""
    if get_origin(kind) is Literal:
        return tuple(str(option) for option in get_args(kind))
    if isinstance(kind, type) and issubclass(kind, StrEnum):
        return tuple(option.value for option in kind)
    return ()


def _range(bounds: Iterable[object]) -> str:
    least = next((bound.ge for bound in bounds if isinstance(bound, Ge)), None)
    above = next((bound.gt for bound in bounds if isinstance(bound, Gt)), None)
    most = next((bound.le for bound in bounds if isinstance(bound, Le)), None)
    if most is None:
        return f", {least} or more"
    return f" above {above}, at most {most}" if least is None else f" from {least} to {most}"


def _length(bounds: Iterable[object]) -> str:
    least = next((bound.min_length for bound in bounds if isinstance(bound, MinLen)), None)
    most = next((bound.max_length for bound in bounds if isinstance(bound, MaxLen)), None)
    if most is not None:
        return f" of at most {most} characters"
    return "" if least is None else ", not empty"


def refuse_unsafe(settings: Settings) -> None:
    """Raises ConfigurationError with every reason not to start with these settings."""
    reasons = [*_keys(settings), *_addresses(settings), *_mail(settings), *_figures(settings)]
    if reasons:
        raise ConfigurationError("\n".join(reasons))


def warnings_of(settings: Settings) -> list[str]:
    """What an operator should hear at the start, though it does not forbid it."""
    warnings = []
    production = settings.environment is Environment.PRODUCTION
    if not production:
        warnings += [f"Production refuses to start with this: {fault}" for fault in _weak(settings)]
        if not _is_loopback(settings.host):
            warnings.append(
                "ENVIRONMENT=development hands one-time tokens to whoever asks, and HOST lets "
                "other machines ask. Set HOST=127.0.0.1, or ENVIRONMENT=production."
            )
    if production and settings.debug:
        warnings.append("DEBUG is on in production: the log says more than it should. Turn it off.")
    url = settings.public_url or ""
    if production and url.startswith("http://") and not _is_loopback(_host(url)):
        warnings.append(
            "PUBLIC_URL is http://: passwords and tokens cross the network in the clear. Put TLS "
            "in front and write https://."
        )
    for name in _LIMITS:
        if _is_off(getattr(settings, name)):
            warnings.append(
                f"{name.upper()} IS OFF: nothing slows an attacker down. Outside a load test, "
                f"leave it at {Settings.model_fields[name].default}."
            )
    if any(network.prefixlen == 0 for network in _networks(settings.trusted_proxies)):
        warnings.append(
            "TRUSTED_PROXIES names every address: whoever reaches this port directly writes his "
            "own address and evades the limits. Name your proxies alone."
        )
    if production and _may_cross_in_the_clear(settings.database_url):
        warnings.append(
            "DATABASE_URL does not ask for TLS: hashes and addresses may cross the network in the "
            "clear. Add ?sslmode=verify-full, or ?sslmode=disable on a network of your own."
        )
    if settings.mail_mode is MailMode.OFF and settings.smtp_host is not None:
        warnings.append("MAIL=off sends nothing, though SMTP_HOST is set. Take one of them away.")
    if settings.mail_mode is MailMode.SMTP:
        if settings.smtp_password is not None and settings.smtp_user is None:
            warnings.append("SMTP_PASSWORD is set and SMTP_USER is not: nobody signs in with it.")
        if settings.smtp_protection is SmtpTls.NONE and not _is_loopback(settings.smtp_host or ""):
            warnings.append(
                "SMTP_TLS=none sends reset links in the clear. Set SMTP_TLS=starttls or tls."
            )
    if production and settings.hash_memory_kib * settings.hash_iterations < _LEAST_HASHING:
        warnings.append(
            "HASH_MEMORY_KIB and HASH_ITERATIONS are below OWASP's least. Leave them at "
            "19456 and 2, or raise one as the other falls."
        )
    return warnings


def _weak(settings: Settings) -> Iterator[str]:
    keys = [] if settings.secret_key is None else [("SECRET_KEY", settings.secret_key)]
    keys += [("SECRET_KEY_PREVIOUS", earlier) for earlier in settings.secret_key_previous]
    for name, key in keys:
        if len(key) < 32:
            yield f"{name} is shorter than 32 characters. Make one with: {MAKE_A_KEY}"
        elif _is_published(key.reveal()):
            yield f"{name} is a published example or easily guessed. Make one with: {MAKE_A_KEY}"


def _is_published(key: str) -> bool:
    folded = unicodedata.normalize("NFKC", key).casefold()
    plain = "".join(character for character in folded if character.isalnum())
    # A text found inside its own double, ends cut off, is one piece over and over.
    repeats = key in (key + key)[1:-1]
    return repeats or len(set(key)) < 6 or any(phrase in plain for phrase in _PUBLISHED)


def _keys(settings: Settings) -> Iterator[str]:
    if settings.environment is Environment.PRODUCTION:
        if settings.secret_key is None:
            yield f"SECRET_KEY is not set. Make one with: {MAKE_A_KEY}"
        yield from _weak(settings)
        if settings.metrics_token is not None and len(settings.metrics_token) < 32:
            yield f"METRICS_TOKEN is shorter than 32 characters. Make one with: {MAKE_A_KEY}"
        for place, token in enumerate(settings.feed_tokens, start=1):
            if len(token) < 32:
                yield (
                    f"Entry {place} of FEED_TOKENS is shorter than 32 characters. Make one with: "
                    f"{MAKE_A_KEY}"
                )
    elif settings.algorithm == "HS256":
        # RFC 7518, section 3.2: a shorter key is guessed offline from one token. In development
        # too, for the tokens look the same to whoever verifies them.
        for key in (settings.secret_key, *settings.secret_key_previous):
            if key is not None and len(key.reveal().encode()) < 32:
                yield f"ALGORITHM=HS256 needs keys of 32 bytes. Make one with: {MAKE_A_KEY}"


def _addresses(settings: Settings) -> Iterator[str]:
    if not settings.host:
        yield "HOST is empty, which would listen on every address. Set HOST=127.0.0.1."
    if settings.public_url is not None and not _host(settings.public_url):
        yield f"PUBLIC_URL must be {_FORMS['public_url']}, and without user or password."
    if settings.revocation_url is not None:
        scheme, _, rest = settings.revocation_url.reveal().partition("://")
        # With a user and a password before the host, other than where people look.
        if scheme not in _CARRIERS or not _host(f"//{rest.rpartition('@')[2]}"):
            yield f"REVOCATION_URL must be {_FORMS['revocation_url']}."
    # The entry's place, not its text: a URL may carry a password.
    for place, origin in enumerate(settings.allowed_origins, start=1):
        if "*" in origin:
            yield (
                "ALLOWED_ORIGINS has a wildcard, which lets any page act for its visitor. Name "
                f"each origin, such as https://app.example.org (entry {place})."
            )
        elif not _ORIGIN.fullmatch(origin) or not _host(origin):
            yield (
                f"Entry {place} of ALLOWED_ORIGINS is no origin. Write scheme://host or "
                "scheme://host:port in lower case, with no path and no slash at the end."
            )
    for place, proxy in enumerate(settings.trusted_proxies, start=1):
        if not list(_networks([proxy])):
            yield (
                f"Entry {place} of TRUSTED_PROXIES is no address or network. Write 10.0.0.7 or "
                "10.0.0.0/8."
            )


def _mail(settings: Settings) -> Iterator[str]:
    production = settings.environment is Environment.PRODUCTION
    if settings.mail is MailMode.KEEP and production:
        yield "MAIL=keep is for development. Set MAIL=smtp, or MAIL=off to run without mail."
    if settings.smtp_host is None and (
        settings.mail is MailMode.SMTP or (settings.mail is MailMode.AUTO and production)
    ):
        yield "Mail has nowhere to go: set SMTP_HOST, or MAIL=off to run without mail."
    if settings.mail_mode is not MailMode.SMTP:
        return
    if settings.emails_from_email is None:
        yield "EMAILS_FROM_EMAIL is not set: set the address that mail comes from."
    else:
        try:
            # Not globally deliverable: a relay of one's own may know watchword@relay.
            validate_email(
                settings.emails_from_email, check_deliverability=False, globally_deliverable=False
            )
        except EmailNotValidError:
            yield "EMAILS_FROM_EMAIL must be an e-mail address, such as no-reply@example.org."
    if settings.smtp_user is not None:
        if settings.smtp_password is None:
            yield "SMTP_USER is set and SMTP_PASSWORD is not: set both, or neither."
        if settings.smtp_protection is SmtpTls.NONE and not _is_loopback(settings.smtp_host or ""):
            yield (
                "SMTP_TLS=none would send SMTP_PASSWORD in the clear. Set SMTP_TLS=starttls or tls."
            )
    if production and settings.public_url is None:
        yield (
            "PUBLIC_URL is not set: links in mails are built from it. Set it to the address that "
            "people use, such as https://id.example.org."
        )


def _figures(settings: Settings) -> Iterator[str]:
    for name in _LIMITS:
        try:
            parse_limit(getattr(settings, name))
        except ConfigurationError:
            yield f"{name.upper()} must be {_LIMIT_FORM}."
    # RFC 9106, section 3.1: eight KiB for each lane at least.
    if settings.hash_memory_kib < 8 * settings.hash_parallelism:
        yield "HASH_MEMORY_KIB must be at least 8 times HASH_PARALLELISM."


def _is_off(limit: str) -> bool:
    return limit.strip().casefold() == "off"


def _networks(texts: Iterable[str]) -> Iterator[ipaddress.IPv4Network | ipaddress.IPv6Network]:
    for text in texts:
        try:
            yield ipaddress.ip_network(text)
        except ValueError:
            continue


def _host(url: str) -> str:
    """A URL's host; empty where there is none, or a user, or a port that is no port."""
    try:
        parts = urlsplit(url)
        if parts.port == 0 or "@" in parts.netloc:
            return ""
    except ValueError:
        return ""
    return parts.hostname or ""


def _may_cross_in_the_clear(url: Secret | None) -> bool:
    try:
        parts = urlsplit("" if url is None else url.reveal())
    except ValueError:
        return False
    if not parts.scheme.startswith("postgres") or parts.hostname is None:
        return False
    asked = any(name in parts.query for name in ("sslmode=", "ssl="))
    return not asked and not _is_loopback(parts.hostname)


def _is_loopback(host: str) -> bool:
    name = host.rstrip(".").casefold()
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(name.strip("[]")).is_loopback
    except ValueError:
        return False
