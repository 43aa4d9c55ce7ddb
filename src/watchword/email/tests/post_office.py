"""A real mail server on loopback, a clock to turn, and an outbox on SQLite in a file."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from sqlalchemy import select

from watchword.db.engine import make_engine
from watchword.db.metadata import metadata
from watchword.db.unit import Database
from watchword.email._tables import outbox
from watchword.email.messages import Message, Templates, Verification
from watchword.email.outbox import MailQueued, enqueue
from watchword.email.sender import Mailer
from watchword.keys.seal import Sealer
from watchword.secret import Secret
from watchword.settings.schema import Settings
from watchword.world import World

LINK = "https://id.example/api/v1/verify?token=wwv_VERY-SECRET"
HELLO = Verification(username="ada", link=Secret(LINK), hours=24)
USER, PASSWORD = "mailer", "correct horse"


@dataclass(frozen=True, slots=True)
class TurnedWorld(World):
    """The real world, its clock turned ahead by ``turn``."""

    ahead: list[timedelta] = field(default_factory=list)

    def now(self) -> datetime:
        return datetime.fromtimestamp(World.timestamp(self), UTC) + sum(self.ahead, timedelta())

    def turn(self, by: timedelta) -> None:
        self.ahead.append(by)


@dataclass
class PostOffice:
    """What the server received, and what it is to answer instead of taking it."""

    port: int = 0
    received: list[EmailMessage] = field(default_factory=list)
    envelopes: list[Envelope] = field(default_factory=list)
    over_tls: list[bool] = field(default_factory=list)
    signed_in: list[bool] = field(default_factory=list)
    refuse_recipient: str | None = None
    refuse_data: str | None = None
    quote_data: bool = False
    drop_in_data: bool = False
    drop_at_goodbye: bool = False
    # Seconds between having a mail and saying so.
    slow: float = 0
    arrived: asyncio.Event = field(default_factory=asyncio.Event)
    connections: int = 0

    async def handle_EHLO(  # noqa: N802 - the server's name for it
        self, server: SMTP, session: Session, envelope: Envelope, hostname: str, answers: list[str]
    ) -> list[str]:
        session.host_name = hostname
        return answers

    async def handle_RCPT(  # noqa: N802 - the server's name for it
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if self.refuse_recipient is not None:
            return self.refuse_recipient
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(  # noqa: N802 - the server's name for it
        self, server: SMTP, session: Session, envelope: Envelope
    ) -> str:
        content = envelope.content
        assert isinstance(content, bytes)
        message = message_from_bytes(content, policy=default)
        assert isinstance(message, EmailMessage)
        if self.drop_in_data:
            transport = server.transport
            assert isinstance(transport, asyncio.Transport)
            transport.abort()
            await asyncio.sleep(0.05)
            return "250 never heard"
        if self.quote_data:
            return "554 5.7.1 blocked link " + LINK
        if self.refuse_data is not None:
            return self.refuse_data
        self.received.append(message)
        self.envelopes.append(envelope)
        transport = server.transport
        assert transport is not None
        self.over_tls.append(transport.get_extra_info("sslcontext") is not None)
        self.signed_in.append(bool(session.authenticated))
        self.arrived.set()
        await asyncio.sleep(self.slow)
        return "250 OK"

    async def handle_QUIT(  # noqa: N802 - the server's name for it
        self, server: SMTP, session: Session, envelope: Envelope
    ) -> str:
        if self.drop_at_goodbye:
            transport = server.transport
            assert isinstance(transport, asyncio.Transport)
            transport.abort()
        return "221 Bye"


def _sign_in(
    server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: Any
) -> AuthResult:
    right = isinstance(data, LoginPassword) and (data.login, data.password) == (
        USER.encode(),
        PASSWORD.encode(),
    )
    return AuthResult(success=right, handled=right)


@asynccontextmanager
async def open_office(
    office: PostOffice,
    *,
    tls: ssl.SSLContext | None = None,
    starttls: ssl.SSLContext | None = None,
    sign_in: bool = False,
    smtputf8: bool = True,
) -> AsyncIterator[PostOffice]:
    """Serve ``office`` on loopback, on the port it had before if there was one."""
    loop = asyncio.get_running_loop()

    def answer() -> SMTP:
        office.connections += 1
        return SMTP(
            office,
            hostname="mail.example",
            loop=loop,
            tls_context=starttls,
            require_starttls=starttls is not None,
            authenticator=_sign_in if sign_in else None,
            # It knows of TLS only by STARTTLS.
            auth_required=sign_in and tls is None,
            auth_require_tls=tls is None,
            enable_SMTPUTF8=smtputf8,
        )

    server = await loop.create_server(answer, "127.0.0.1", office.port, ssl=tls)
    office.port = server.sockets[0].getsockname()[1]
    try:
        yield office
    finally:
        server.close()
        await server.wait_closed()
        await asyncio.sleep(0.01)


@dataclass(frozen=True)
class Desk:
    """One process's side: its database and mailer."""

    database: Database
    mailer: Mailer
    world: TurnedWorld

    async def write(self, *recipients: str, message: Message = HELLO) -> None:
        async with self.database.write() as unit:
            for recipient in recipients:
                await enqueue(unit, self.mailer, message, recipient)

    async def rows(self) -> Sequence[Any]:
        async with self.database.read() as unit:
            return (await unit.execute(select(outbox).order_by(outbox.c.id))).all()


@asynccontextmanager
async def open_desk(
    folder: Path,
    office: PostOffice,
    *,
    trust: ssl.SSLContext | None = None,
    templates: Templates | None = None,
    **settings: Any,
) -> AsyncIterator[Desk]:
    """A mailer that sends to ``office``, on the SQLite file in ``folder``."""
    values: dict[str, Any] = {
        "data_dir": folder,
        "mail": "smtp",
        "smtp_host": "127.0.0.1",
        "smtp_port": office.port or 1,
        "smtp_tls": "none",
        "smtp_timeout_seconds": 5,
        "emails_from_email": "noreply@id.example",
        "secret_key": Secret("k" * 32),
    }
    made = Settings(**{**values, **settings})
    world = TurnedWorld()
    sealer = Sealer([Secret("k" * 32)], world)
    mailer = Mailer(made, sealer, templates or Templates(), trust)

    def deliver(news: object) -> None:
        if isinstance(news, MailQueued):
            mailer.wake()

    database = Database(make_engine(made), world, deliver)
    try:
        async with database.engine.begin() as connection:
            await connection.run_sync(metadata.create_all, tables=[outbox])
        yield Desk(database, mailer, world)
    finally:
        await database.close()


def certificates(folder: Path) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """TLS for a server at 127.0.0.1, and a client's context that trusts it and nobody else."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "mail.example")])
    now = World().now()
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=5))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, SHA256())
    )
    certificate_file, key_file = folder / "mail.crt", folder / "mail.key"
    certificate_file.write_bytes(certificate.public_bytes(Encoding.PEM))
    key_file.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(certificate_file, key_file)
    return server, ssl.create_default_context(cafile=str(certificate_file))
