"""
The signature of SNS, version 2: RSA with SHA-256, by a certificate that AWS serves.

The order of the checks is that of what a stranger can cause: nothing is fetched for a topic that is
not configured, and only from the host of the topic's own region, whatever the message says.
Source: https://docs.aws.amazon.com/sns/latest/dg/sns-verify-signature-of-message.html
"""

from __future__ import annotations

import base64
import binascii
import json
import re
import threading
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from urllib.parse import quote

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from notify.errors import ConfigError, ProviderError
from notify.receipt import Forged, Unverified
from providers._shared.transport import Transport

TOPIC = re.compile(r"arn:aws(?:-cn|-us-gov)?:sns:([a-z0-9-]{1,32}):\d{12}:[\w-]{1,256}", re.ASCII)
_CERTIFICATE = re.compile(
    r"https://sns\.([a-z0-9-]{1,32})\.amazonaws\.com(?:\.cn)?"
    r"(/SimpleNotificationService-[0-9a-f]{32}\.pem)"
)
_TOKEN = re.compile(r"[A-Za-z0-9]{1,1024}")
_NOTIFICATION = ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type")
_CONFIRMATION = ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type")
_SIGNED: Mapping[str, tuple[str, ...]] = {
    "Notification": _NOTIFICATION,
    "SubscriptionConfirmation": _CONFIRMATION,
    "UnsubscribeConfirmation": _CONFIRMATION,
}
MOST_CERTIFICATES = 16
"""Certificates to keep; a region has one or two at a time."""
PAUSE = 5.0
"""Seconds after a failed fetch in which no other certificate is fetched."""

Fields = Mapping[str, str]


class SnsTopics:
    """
    The topics that may send, and the certificates of their regions. Thread-safe.

    Args:
        topics: Their ARNs.
        base_url: The address of SNS for all regions, if it is not that of each region.
        timeout: Seconds for a call to SNS.
        clock: Seconds since 1970.

    Raises:
        ConfigError: A topic is not an ARN, or there is none.
    """

    def __init__(
        self,
        topics: Iterable[str],
        *,
        base_url: str | None,
        timeout: float,
        clock: Callable[[], float],
    ) -> None:
        self._regions = {}
        for each in topics:
            named = TOPIC.fullmatch(each)
            if named is None:
                raise ConfigError(
                    "ses: topics must be ARNs such as arn:aws:sns:REGION:ACCOUNT:NAME"
                )
            self._regions[each] = named[1]
        if not self._regions:
            raise ConfigError("ses: topics has no topic")
        self._hosts = {
            region: Transport(
                "ses",
                base_url or _host(region),
                timeout=timeout,
                connect_timeout=timeout,
                pool=0,  # a certificate is fetched once in months
            )
            for region in self._regions.values()
        }
        self._clock = clock
        self._lock = threading.Lock()
        self._certificates: dict[tuple[str, str], x509.Certificate] = {}
        self._paused_until = 0.0

    def verified(self, body: bytes) -> Fields:
        """
        Return the fields of a message of SNS, once its signature is verified.

        Raises:
            Forged: It is not a message of a configured topic, or not signed by SNS.
            Unverified: The certificate cannot be fetched now.
        """
        fields = read_fields(body)
        topic = fields.get("TopicArn", "")
        region = self._regions.get(topic)
        if region is None:
            raise Forged("ses: the topic is not configured")
        names = _SIGNED.get(fields.get("Type", ""))
        if names is None or not all(name in fields for name in names if name != "Subject"):
            raise Forged("ses: a field is missing")
        if fields.get("SignatureVersion") != "2":
            raise Forged("ses: the signature is not version 2; set the topic's SignatureVersion")
        place = _CERTIFICATE.fullmatch(fields.get("SigningCertURL", ""))
        if place is None or place[1] != region:
            raise Forged("ses: the certificate's address is not that of SNS in the topic's region")
        _check(self._certificate(region, place[2]), fields, names)
        return fields

    def confirm(self, fields: Fields) -> None:
        """
        Confirm the subscription of a verified message.

        The address is made here, and not the one in the message.

        Raises:
            Unverified: SNS did not confirm it; it sends the message again.
        """
        topic, token = fields["TopicArn"], fields.get("Token", "")
        if not _TOKEN.fullmatch(token):
            raise Unverified("ses: the token of the subscription has an unknown form")
        query = f"/?Action=ConfirmSubscription&TopicArn={quote(topic, safe='')}&Token={token}"
        host = self._hosts[self._regions[topic]]
        try:
            answer = host.get(host.head(query, {}, method="GET"))
        except ProviderError:
            raise Unverified("ses: SNS was not reached to confirm the subscription") from None
        if answer.status != 200:
            text = f"ses: SNS did not confirm the subscription (HTTP {answer.status})"
            raise Unverified(text)

    def _certificate(self, region: str, path: str) -> x509.Certificate:
        now = datetime.fromtimestamp(self._clock(), UTC)
        with self._lock:
            found = self._certificates.get((region, path))
            if found is None:
                found = self._fetched(region, path)
        if not found.not_valid_before_utc <= now <= found.not_valid_after_utc:
            raise Forged("ses: the certificate is not valid now")
        return found

    def _fetched(self, region: str, path: str) -> x509.Certificate:
        if self._clock() < self._paused_until:
            raise Unverified("ses: the certificate was not fetched a moment ago")
        host = self._hosts[region]
        self._paused_until = self._clock() + PAUSE
        try:
            answer = host.get(host.head(path, {}, method="GET"))
            certificate = x509.load_pem_x509_certificate(answer.body)
        except (ProviderError, ValueError):
            raise Unverified("ses: the certificate cannot be fetched") from None
        if answer.status != 200:
            raise Unverified("ses: the certificate cannot be fetched")
        self._paused_until = 0.0
        while len(self._certificates) >= MOST_CERTIFICATES:
            del self._certificates[next(iter(self._certificates))]
        self._certificates[region, path] = certificate
        return certificate


def read_fields(body: bytes) -> Fields:
    """
    Return the fields of a message of SNS.

    Raises:
        Forged: It is not a JSON object of texts.
    """
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        raise Forged("ses: the body is not JSON") from None
    if not isinstance(found, dict):
        raise Forged("ses: the body is not an object")
    return {name: value for name, value in found.items() if isinstance(value, str)}


def signed_text(fields: Fields, names: Iterable[str]) -> bytes:
    """Return the bytes that SNS signs."""
    lines = [part for name in names if name in fields for part in (name, fields[name])]
    return "".join(f"{line}\n" for line in lines).encode("utf-8", "surrogatepass")


def _check(certificate: x509.Certificate, fields: Fields, names: Iterable[str]) -> None:
    key, error = certificate.public_key(), Forged("ses: the signature is not that of SNS")
    if not isinstance(key, rsa.RSAPublicKey):
        raise error
    try:
        signature = base64.b64decode(fields.get("Signature", ""), validate=True)
        key.verify(signature, signed_text(fields, names), padding.PKCS1v15(), hashes.SHA256())
    except (binascii.Error, ValueError, InvalidSignature):
        raise error from None


def _host(region: str) -> str:
    return f"https://sns.{region}.amazonaws.com{'.cn' if region.startswith('cn-') else ''}"
