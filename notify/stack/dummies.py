"""The dummy credentials of a stack: its sandbox accepts them, and no vendor does."""

from __future__ import annotations

import json

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from notify.keyring import HASH, new_key


def dummies(sandbox: str) -> dict[str, str]:
    """Return dummy secrets for each vendor's provider; *sandbox* is the sandbox's address."""
    return {
        "SENDGRID_API_KEY": "SG.sandbox",
        "TWILIO_ACCOUNT_SID": "AC" + "0" * 32,
        "TWILIO_AUTH_TOKEN": "sandbox",
        "TWILIO_RECEIPTS_TOKEN": "sandbox",
        "FCM_SERVICE_ACCOUNT": _service_account(sandbox),
    }


def new_keyring() -> str:
    """Return a new keyring; it is not a dummy, since a user may publish real addresses."""
    return f"stack:{new_key()}\n{HASH}:{new_key()}\n"


def _service_account(sandbox: str) -> str:
    """Return a service account file in Google's form, with a new key."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return json.dumps(
        {
            "type": "service_account",
            "project_id": "sandbox",
            "private_key_id": "sandbox",
            "private_key": pem.decode(),
            "client_email": "notify@sandbox.test",
            "client_id": "0",
            "token_uri": f"{sandbox}/token",
        }
    )
