"""Requests with AWS's signature, version 4, as botocore computes it."""

from __future__ import annotations

from collections.abc import Mapping

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from providers._shared.transport import Transport

_JSON = {"Content-Type": "application/json"}


class Signer:
    """
    Signs requests to one address, for many threads.

    botocore's credentials of the environment, of files and of the machine are not read, and its
    client, which repeats requests by itself, is not used.

    Args:
        transport: Sends the requests.
        base_url: Its address.
        region: The region.
        access_key_id: The key's id.
        secret_access_key: The key.
    """

    def __init__(
        self,
        transport: Transport,
        base_url: str,
        *,
        region: str,
        access_key_id: str,
        secret_access_key: str,
    ) -> None:
        self._transport = transport
        self._base_url = base_url.rstrip("/")
        self._credentials = Credentials(access_key_id, secret_access_key)
        self._region = region

    def head(self, path: str, body: bytes, *, method: str = "POST") -> bytes:
        """Return all before a request's body but its length, with the signature of the body."""
        request = AWSRequest(method, self._base_url + path, headers=dict(_JSON), data=body)
        SigV4Auth(self._credentials, "ses", self._region).add_auth(request)
        signed: Mapping[str, str] = dict(request.headers.items())
        return self._transport.head(path, signed, method=method)
