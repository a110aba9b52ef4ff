"""The transport over TLS: kept, bounded, and only to a vendor that proves its name."""

from __future__ import annotations

import datetime
import io
import ipaddress
import ssl
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from notify.errors import OutcomeUnknown, TransientError
from providers._shared.answer import Answer
from providers._shared.transport import Transport
from tests.support.vendor import Vendor, drip, raw, say
from tests.unit.providers.calling import Hurry


def transport(url: str, *, timeout: float = 10.0) -> Transport:
    """A transport to this address."""
    return Transport("acme", url, timeout=timeout, connect_timeout=timeout, pool=4)


def call(transport: Transport) -> Answer:
    """One call with nothing special."""
    return transport.post(transport.head("/send", {"Authorization": "Bearer canary"}), b"{}")


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A self-signed certificate for 127.0.0.1, with its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "vendor")])
    start = datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=1)
    address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    signed = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + datetime.timedelta(days=2))
        .add_extension(x509.SubjectAlternativeName([address]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    path = tmp_path / "vendor.pem"
    path.write_bytes(signed.public_bytes(Encoding.PEM) + pem)
    return path


def speaking_tls(certificate: Path) -> Vendor:
    """A vendor with this certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return Vendor(say(200, b"fine"), tls=context)


def test_a_trusted_vendor_is_called_over_one_tls_connection(
    certificate: Path, monkeypatch: pytest.MonkeyPatch, hurry: Hurry
) -> None:
    """Connections are kept over TLS too, and a slow answer is bounded there as well."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    with speaking_tls(certificate) as vendor:
        sender = transport(vendor.url, timeout=10.0)
        assert [call(sender).body for _ in range(5)] == [b"fine"] * 5
        assert vendor.connections == 1
        hurry(9.7)
        vendor.then(drip(b"HTTP/1.1 200 OK\r\nX: " + b"y" * 500, every=0.02))
        with pytest.raises(OutcomeUnknown):
            call(sender)
        sender.close()


def test_a_vendor_that_cannot_prove_its_name_gets_nothing(certificate: Path) -> None:
    """The key never leaves for a host that is not the vendor's."""
    with speaking_tls(certificate) as vendor:
        with pytest.raises(TransientError, match="SSL"):
            call(transport(vendor.url))
        assert vendor.seen == []


def test_what_tls_holds_back_counts_as_owed(
    certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bytes that are decrypted and not yet read show on no poll of the socket."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 8100\r\nX-Fill: "
    fill = io.DEFAULT_BUFFER_SIZE - 8100 - len(head) - len(b"\r\n\r\n")
    answer = head + b"f" * fill + b"\r\n\r\n" + b"x" * 8100
    with speaking_tls(certificate) as vendor:
        vendor.then(raw(answer + b"HTTP/1.1 200 OK\r\n", keep=True))
        sender = transport(vendor.url)
        call(sender)
        assert call(sender).body == b"fine"
        assert vendor.connections == 2
        sender.close()
