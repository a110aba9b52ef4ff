"""The public key of a running sandbox."""

from __future__ import annotations

import urllib3

from notify.errors import NotifyError

_TIMEOUT = 10.0


def sendgrid_key(sandbox: str) -> str:
    """
    Return the key that verifies the SendGrid events of the sandbox at an address.

    Raises:
        NotifyError: The sandbox does not answer.
    """
    url = f"{sandbox}/api/receipts/counts"
    try:
        with urllib3.PoolManager(retries=False, timeout=_TIMEOUT) as http:
            return str(http.request("GET", url).json()["public_key"])
    except (urllib3.exceptions.HTTPError, ValueError, LookupError) as error:
        raise NotifyError(f"the sandbox at {sandbox} has no signing key: {error}") from None
