"""That TLS to the broker checks what it must: by real handshakes on the loopback."""

from __future__ import annotations

import datetime
import ipaddress
import socket
import ssl
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from amqp.transport import SSLTransport
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from notify.errors import ConfigError
from notify.settings import AmqpSettings, load, ssl_options


@dataclass(frozen=True, slots=True)
class Server:
    """A TLS server that keeps the first bytes each client sends."""

    port: int
    certificate: Path
    heard: list[bytes]


def _certificate(folder: Path) -> tuple[Path, Path]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "broker.test")])
    names = [x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    public, private = folder / "broker.pem", folder / "broker.key"
    public.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    private.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return public, private


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """A server whose certificate is for 127.0.0.1 alone."""
    public, private = _certificate(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(public, private)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(10)
        heard: list[bytes] = []

        def _serve() -> None:
            plain, _ = listener.accept()
            plain.settimeout(10)
            try:
                with context.wrap_socket(plain, server_side=True) as client:
                    heard.append(client.recv(8))
            except OSError:
                heard.append(b"")

        thread = threading.Thread(target=_serve, daemon=True)
        thread.start()
        yield Server(listener.getsockname()[1], public, heard)
        thread.join(10)
        assert not thread.is_alive()


def amqp(server: Server, **environ: str) -> AmqpSettings:
    """Return the settings that reach the server with TLS."""
    variables = {
        "NOTIFY_AMQP__URL": f"pyamqp://guest:guest@127.0.0.1:{server.port}//",
        "NOTIFY_AMQP__TLS": "true",
        **environ,
    }
    return load(environ=variables).amqp


def connect(server: Server, settings: AmqpSettings) -> None:
    """Shake hands as py-amqp does."""
    options = ssl_options(settings)
    transport = SSLTransport(f"127.0.0.1:{server.port}", connect_timeout=10, ssl=options)
    try:
        transport.connect()
    finally:
        if transport.sock is not None:
            transport.sock.close()


def test_without_tls_there_are_no_options() -> None:
    """Plain AMQP is what False means to py-amqp, kombu and Celery."""
    assert ssl_options(load(environ={}).amqp) is False


def test_a_broker_with_the_right_certificate_is_trusted(server: Server) -> None:
    """The AMQP greeting arrives through TLS."""
    connect(server, amqp(server, NOTIFY_AMQP__CA_FILE=str(server.certificate)))
    server_heard = server.heard
    for _ in range(1000):
        if server_heard:
            break
        threading.Event().wait(0.01)
    assert server_heard == [b"AMQP\x00\x00\x09\x01"]


def test_a_broker_of_an_unknown_authority_is_refused(server: Server) -> None:
    """Without the CA file the system's authorities decide, and they do not know it."""
    with pytest.raises(ssl.SSLCertVerificationError, match="self-signed"):
        connect(server, amqp(server))


def test_a_broker_with_another_name_is_refused(server: Server) -> None:
    """The certificate is for 127.0.0.1, the address says localhost."""
    settings = amqp(
        server,
        NOTIFY_AMQP__URL=f"pyamqp://localhost:{server.port}//",
        NOTIFY_AMQP__CA_FILE=str(server.certificate),
    )
    with pytest.raises(ssl.SSLCertVerificationError, match="Hostname mismatch"):
        connect(server, settings)


def test_a_missing_certificate_file_is_named_by_its_option(tmp_path: Path) -> None:
    """OpenSSL would say only that some file does not exist."""
    environ = {
        "NOTIFY_AMQP__URL": "pyamqp://h:5671//",
        "NOTIFY_AMQP__TLS": "1",
        "NOTIFY_AMQP__CA_FILE": str(tmp_path / "none"),
    }
    with pytest.raises(ConfigError, match=r"amqp\.ca_file: no such file"):
        ssl_options(load(environ=environ).amqp)
