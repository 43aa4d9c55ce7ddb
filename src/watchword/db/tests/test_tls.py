"""Whose certificates are believed on the way to PostgreSQL."""

from __future__ import annotations

import asyncio
import datetime
import ipaddress
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from sqlalchemy.exc import DBAPIError

from watchword.db.engine import make_engine
from watchword.settings.load import load_settings


def make_certificate(folder: Path, address: str) -> Path:
    """A certificate that is its own authority, for ``address``, with its key in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "database")])
    began = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)
    named = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(address))])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(began)
        .not_valid_after(began.replace(year=2120))
        .add_extension(named, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, SHA256())
    )
    file = folder / "server.pem"
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    file.write_bytes(private + certificate.public_bytes(Encoding.PEM))
    return file


@contextmanager
def server_with(certificate: Path, greeted: list[bytes]) -> Iterator[int]:
    """A server as far as TLS goes: what it then hears, it keeps, and hangs up."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)

    def answer() -> None:
        caller, _ = listening.accept()
        with caller:
            caller.recv(8)  # PostgreSQL's SSLRequest
            caller.sendall(b"S")
            try:
                with context.wrap_socket(caller, server_side=True) as talk:
                    greeted.append(talk.recv(1000))
            except (ssl.SSLError, OSError):
                return

    with closing(socket.create_server(("127.0.0.1", 0))) as listening:
        thread = threading.Thread(target=answer, daemon=True)
        thread.start()
        yield listening.getsockname()[1]
        thread.join(10)


async def connect(url: str) -> None:
    engine = make_engine(load_settings(env={}, env_file=None, database_url=url).settings)
    try:
        async with engine.connect():
            pass
    finally:
        await engine.dispose()


@pytest.mark.parametrize(
    ("parameters", "address", "believed"),
    [
        ("sslmode=verify-full&sslrootcert={}", "127.0.0.1", True),
        ("sslmode=verify-full&sslrootcert={}", "127.0.0.2", False),
        ("sslmode=verify-ca&sslrootcert={}", "127.0.0.2", True),
        ("sslmode=require&sslrootcert={}", "127.0.0.2", True),
        # By the machine's own authorities, which have not signed it.
        ("sslmode=verify-full", "127.0.0.1", False),
        ("sslmode=verify-ca&sslrootcert=system", "127.0.0.1", False),
        ("sslmode=require", "127.0.0.2", True),
    ],
)
def test_a_server_is_told_a_name_only_once_its_certificate_is_believed(
    tmp_path: Path, parameters: str, address: str, believed: bool
) -> None:
    certificate, greeted = make_certificate(tmp_path, address), list[bytes]()
    with server_with(certificate, greeted) as port:
        url = f"postgresql://ada:s3cret@127.0.0.1:{port}/x?{parameters.format(certificate)}"
        with pytest.raises((OSError, DBAPIError)) as refused:
            asyncio.run(connect(url))
    assert any(b"ada" in words for words in greeted) is believed
    assert ("CERTIFICATE_VERIFY_FAILED" in str(refused.value)) is not believed
