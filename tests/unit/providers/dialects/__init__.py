"""How each vendor says the same things, for the one contract that all providers keep."""

from __future__ import annotations

from tests.unit.providers.dialects.acme import ACME
from tests.unit.providers.dialects.apns import APNS, apns_error, make_apns, p256_pem
from tests.unit.providers.dialects.dialect import MESSAGE, OPTIONS, TO, Dialect, json_reply, token
from tests.unit.providers.dialects.fcm import FCM, fcm_error, service_account
from tests.unit.providers.dialects.memory import Remembering
from tests.unit.providers.dialects.sendgrid import SENDGRID
from tests.unit.providers.dialects.ses import SES
from tests.unit.providers.dialects.smtp import Relaying
from tests.unit.providers.dialects.twilio import TWILIO
from tests.unit.providers.dialects.vonage import VONAGE, vonage_parts
from tests.unit.providers.dialects.webpush import WEBPUSH

__all__ = [
    "ALL",
    "APNS",
    "FCM",
    "MESSAGE",
    "OPTIONS",
    "OVER_HTTP",
    "SENDGRID",
    "SES",
    "TO",
    "TWILIO",
    "VONAGE",
    "WEBPUSH",
    "Dialect",
    "Relaying",
    "Remembering",
    "apns_error",
    "fcm_error",
    "json_reply",
    "make_apns",
    "p256_pem",
    "service_account",
    "token",
    "vonage_parts",
]

OVER_HTTP = (
    ACME,
    APNS,
    FCM,
    SENDGRID,
    SES,
    TWILIO,
    VONAGE,
    WEBPUSH,
)
"""Each vendor's dialect: a new provider is one more line here."""

ALL = (*OVER_HTTP, Relaying(), Remembering())
