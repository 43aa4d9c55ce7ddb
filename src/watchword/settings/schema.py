"""What can be set: names, types, defaults and their meaning, units in each description."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from watchword.secret import Secret


class Environment(StrEnum):
    """Where this runs: production is strict, development is helpful."""

    PRODUCTION = "production"
    DEVELOPMENT = "development"


class MailMode(StrEnum):
    """Where mail goes."""

    AUTO = "auto"  # SMTP where SMTP_HOST is set; kept in development; production refuses to start
    SMTP = "smtp"
    KEEP = "keep"  # stays in the outbox, shown at /dev/mail; development only
    OFF = "off"


class SmtpTls(StrEnum):
    """How the connection to the mail server is protected."""

    STARTTLS = "starttls"
    TLS = "tls"
    NONE = "none"


Algorithm = Literal["EdDSA", "ES256", "RS256", "HS256"]
CharacterClass = Literal["upper", "lower", "digit", "special"]


class Settings(BaseModel):
    """All that an operator can say. Frozen: what was read at the start holds until the end.

    Field names in lower case are the settings' names; ``WATCHWORD_<NAME>`` is read first, then the
    bare ``<NAME>``.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)

    # The app
    app_name: str = Field(
        "Watchword",
        min_length=1,
        max_length=100,
        description="Name shown to people, in mails and in the documentation.",
    )
    app_version: str = Field(
        "0.5.0", max_length=50, description="Version shown in the documentation and in /health."
    )
    debug: bool = Field(False, description="Log in more detail. Never shows more to a caller.")
    environment: Environment = Field(
        Environment.PRODUCTION,
        description="`production` is strict; `development` keeps mail, makes a secret, migrates by itself and hands one-time tokens out.",
    )
    api_v1_prefix: str = Field(
        "/api/v1", pattern=r"^(/[A-Za-z0-9._~-]+)*$", description="Path that the API lies under."
    )
    host: str = Field("127.0.0.1", description="Address that `watchword serve` listens on.")
    port: int = Field(8000, ge=0, le=65535, description="Port that `watchword serve` listens on.")
    public_url: str | None = Field(
        None,
        pattern=r"^https?://[^/?#]+(/[^?#]*)?$",
        description="Address under which people reach this service. Links in mails, `iss` and redirects are built from it, never from the Host header. Default: http://localhost:PORT; needed in production when mail is on.",
    )
    data_dir: Path = Field(
        Path(".watchword"),
        description="Folder (mode 0700) of the SQLite file and of the secret made in development.",
    )
    allowed_origins: tuple[str, ...] = Field(
        (),
        description="Origins that browsers may call from, separated by commas (CORS). No wildcard.",
    )
    trusted_proxies: tuple[str, ...] = Field(
        (),
        description="Addresses or networks of your own proxies, separated by commas. Only from them is X-Forwarded-For believed.",
    )
    max_body_bytes: int = Field(
        262_144,
        ge=1024,
        le=104_857_600,
        description="Largest request body, in bytes; a larger one is answered 413.",
    )

    # The database
    database_url: Secret | None = Field(
        None,
        description="SQLAlchemy URL; postgresql:// and postgres:// work as they are. Default: SQLite in DATA_DIR.",
    )
    database_echo: bool = Field(False, description="Log each SQL statement, without its values.")
    db_pool_size: int = Field(5, ge=1, le=1000, description="Connections kept open by each worker.")
    db_max_overflow: int = Field(
        10,
        ge=0,
        le=1000,
        description="Further connections that a rush may open; they are kept for the next one.",
    )
    db_pool_timeout: float = Field(
        30, gt=0, le=600, description="Seconds to wait for a connection before answering 503."
    )
    db_pool_recycle: int = Field(
        3600, ge=-1, description="Seconds after which a connection is replaced; -1 for never."
    )
    auto_migrate: bool | None = Field(
        None,
        description="Bring the schema up to date at start. Default: yes in development, no in production (`watchword db upgrade`).",
    )

    # Secrets and tokens
    secret_key: Secret | None = Field(
        None,
        description="32 or more random characters. Seals the signing keys and authenticates refresh tokens; signs access tokens with HS256. Made by itself in development.",
    )
    secret_key_previous: tuple[Secret, ...] = Field(
        (),
        description="Earlier values of SECRET_KEY, separated by commas: what they sealed still opens.",
    )
    algorithm: Algorithm = Field(
        "EdDSA",
        description="How access tokens are signed: EdDSA, ES256, RS256, or HS256 with SECRET_KEY as in the tutorial.",
    )
    audience: str | None = Field(
        None, min_length=1, description="`aud` of access tokens. Default: PUBLIC_URL."
    )
    access_token_expire_minutes: int = Field(
        30, ge=1, le=1440, description="Life of an access token, in minutes."
    )
    refresh_token_expire_days: int = Field(
        7,
        ge=1,
        le=365,
        description="Days without a refresh after which a session ends (idle time-out).",
    )
    session_max_days: int = Field(
        90,
        ge=1,
        le=3650,
        description="Days after which a session ends however much it is used (absolute time-out).",
    )
    sessions_per_user: int = Field(
        100,
        ge=1,
        le=10_000,
        description="Live sessions of one user; a further sign-in ends the one used longest ago.",
    )
    refresh_leeway_seconds: int = Field(
        10,
        ge=0,
        le=300,
        description="Seconds in which a refresh token just replaced still gives the same successor, so that two tabs or a lost answer sign nobody out; 0 is strict.",
    )
    password_reset_token_expire_hours: int = Field(
        1, ge=1, le=168, description="Life of a password-reset token, in hours."
    )
    email_verification_token_expire_hours: int = Field(
        24, ge=1, le=720, description="Life of an address-verification token, in hours."
    )
    revocation_poll_seconds: float = Field(
        1.0, gt=0, le=60, description="Seconds between two looks at what other processes revoked."
    )

    revocation_max_staleness_seconds: float = Field(
        10,
        ge=1,
        le=600,
        description="Seconds without word of what others revoked after which a request is checked against the database, or answered 503.",
    )
    revocation_url: Secret | None = Field(
        None,
        description="Valkey or Redis that carries revocations between processes as well: redis://, rediss://, valkey:// or valkeys://. Of use where the database's notifications don't reach everybody, as behind a pooler.",
    )

    # Passwords
    password_min_length: int = Field(
        8,
        ge=8,
        le=64,
        description="Fewest characters of a password (ASVS 6.2.1: at least 8; 15 advised).",
    )
    password_require: tuple[CharacterClass, ...] = Field(
        (),
        description="The tutorial's character classes, separated by commas: upper, lower, digit, special. Off by default, as ASVS 6.2.5 asks.",
    )
    password_refused_words: tuple[str, ...] = Field(
        (),
        description="Words of your product or organisation that a password must not be made of, separated by commas (ASVS 6.1.2).",
    )
    hash_memory_kib: int = Field(19_456, ge=8, le=4_194_304, description="argon2id memory, in KiB.")
    hash_iterations: int = Field(2, ge=1, le=100, description="argon2id passes.")
    hash_parallelism: int = Field(1, ge=1, le=64, description="argon2id lanes.")
    hash_threads: int | None = Field(
        None,
        ge=1,
        le=256,
        description="Threads that hash passwords. Default, and most useful at most: one for each core.",
    )
    hash_queue: int = Field(
        64,
        ge=1,
        le=100_000,
        description="Passwords that may wait for a thread; one more is answered 503.",
    )

    # Mail
    mail: MailMode = Field(
        MailMode.AUTO,
        description="`auto`: SMTP where SMTP_HOST is set, kept at /dev/mail in development; `smtp`; `keep`; `off`.",
    )
    smtp_host: str | None = Field(None, description="Mail server.")
    smtp_port: int = Field(587, ge=1, le=65535, description="Its port.")
    smtp_user: str | None = Field(None, description="User to sign in to it as.")
    smtp_password: Secret | None = Field(None, description="Password of SMTP_USER.")
    smtp_tls: SmtpTls | None = Field(
        None,
        description="`starttls`, `tls` or `none`. Default: `tls` on port 465, else `starttls`.",
    )
    smtp_timeout_seconds: float = Field(
        20, gt=0, le=300, description="Seconds to wait for the mail server."
    )
    emails_from_email: str | None = Field(None, description="Sender's address. Needed with SMTP.")
    emails_from_name: str | None = Field(None, description="Sender's name. Default: APP_NAME.")

    # Access
    open_directory: bool = Field(
        False, description="Let every signed-in user see every user, as the tutorial did."
    )
    registration: Literal["open", "closed"] = Field(
        "open", description="`closed`: only administrators make accounts."
    )
    feed_tokens: tuple[Secret, ...] = Field(
        (),
        description="Bearer tokens for resource servers that follow the revocations over HTTP (docs/resource-servers.md), separated by commas so that one can take over from another. Without any, there is no such route.",
    )

    # Limits on abuse: a count and a window in seconds, `5/60`; `off` lifts the limit
    limit_login: str = Field("5/60", description="Failed sign-ins by account and by network.")
    limit_register: str = Field(
        "20/3600", description="Registrations by network, and changes of username."
    )
    limit_password_reset: str = Field(
        "5/3600", description="Reset requests by address and by network."
    )
    limit_verification: str = Field(
        "5/3600",
        description="Verification requests and changes of address, by account and by network.",
    )
    limit_refresh: str = Field("60/60", description="Refused refreshes by network.")
    limit_token: str = Field("20/60", description="Wrong one-time tokens by network.")

    # Operation
    metrics_token: Secret | None = Field(
        None, description="Bearer token that opens /metrics in production from other than loopback."
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="Least severe log lines shown."
    )
    shutdown_seconds: int = Field(
        20,
        ge=0,
        le=600,
        description="Seconds that requests in flight may take when the service stops.",
    )

    @property
    def is_development(self) -> bool:
        """Whether this is a developer's machine."""
        return self.environment is Environment.DEVELOPMENT

    @property
    def base_url(self) -> str:
        """PUBLIC_URL without a trailing slash, or where a developer reaches the service."""
        if self.public_url is not None:
            return self.public_url.rstrip("/")
        return f"http://localhost:{self.port}"

    @property
    def token_audience(self) -> str:
        """The ``aud`` of access tokens."""
        return self.audience or self.base_url

    @property
    def mail_mode(self) -> MailMode:
        """Where mail goes, once ``auto`` is decided."""
        if self.mail is not MailMode.AUTO:
            return self.mail
        if self.smtp_host:
            return MailMode.SMTP
        return MailMode.KEEP if self.is_development else MailMode.OFF

    @property
    def smtp_protection(self) -> SmtpTls:
        """How to protect the connection to the mail server: RFC 8314's 465 is implicit TLS."""
        if self.smtp_tls is not None:
            return self.smtp_tls
        return SmtpTls.TLS if self.smtp_port == 465 else SmtpTls.STARTTLS

    @property
    def migrates_at_start(self) -> bool:
        """Whether starting brings the schema up to date."""
        return self.is_development if self.auto_migrate is None else self.auto_migrate
