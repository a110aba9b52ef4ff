"""A small OpenID provider: one user, who consents at once; it checks the client as real ones do."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import KeySet, RSAKey

CLIENT, SECRET = "notify", "s3cret of the client"


@dataclass
class OidcProvider:
    """
    The provider.

    Attributes:
        claims: Claims of its user, in the ID token.
        about: Claims that only the user's information has.
        wrong: Claims to put in the ID token instead of the right ones.
        sign_with: Another key to sign with, that it does not publish.
    """

    claims: dict[str, Any] = field(default_factory=dict)
    about: dict[str, Any] = field(default_factory=dict)
    wrong: dict[str, Any] = field(default_factory=dict)
    sign_with: RSAKey | None = None
    issuer: str = ""

    def __post_init__(self) -> None:
        self._key = RSAKey.generate_key(2048, parameters={"kid": "one"})
        self._codes: dict[str, dict[str, str]] = {}

    def rotate(self) -> None:
        """Sign with a new key from now on."""
        self._key = RSAKey.generate_key(2048, parameters={"kid": secrets.token_hex(4)})

    def discovery(self) -> dict[str, Any]:
        """Return the discovery document."""
        return {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "userinfo_endpoint": f"{self.issuer}/userinfo",
            "jwks_uri": f"{self.issuer}/keys",
        }

    def keys(self) -> Any:
        """Return the public keys."""
        return KeySet([self._key]).as_dict(private=False)

    def authorize(self, query: dict[str, str]) -> str:
        """Return the address to send the browser back to."""
        assert query["client_id"] == CLIENT
        assert query["code_challenge_method"] == "S256"
        assert "openid" in query["scope"].split()
        code = secrets.token_urlsafe(16)
        self._codes[code] = query
        return f"{query['redirect_uri']}?{urlencode({'code': code, 'state': query['state']})}"

    def token(self, form: dict[str, str], authorization: str) -> dict[str, Any] | None:
        """Return the tokens of a code; None if the client or its proof is wrong."""
        user = base64.b64encode(f"{CLIENT}:{SECRET}".encode()).decode()
        asked = self._codes.pop(form.get("code", ""), None)
        proof = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        challenge = base64.urlsafe_b64encode(proof).rstrip(b"=").decode()
        if authorization != f"Basic {user}" or asked is None:
            return None
        if asked["code_challenge"] != challenge or asked["redirect_uri"] != form["redirect_uri"]:
            return None
        now = int(time.time())
        claims = {
            "iss": self.issuer,
            "sub": "u-1",
            "aud": CLIENT,
            "iat": now,
            "exp": now + 300,
            "nonce": asked["nonce"],
        }
        key = self.sign_with or self._key
        header = {"alg": "RS256", "kid": self._key.kid}
        token = jwt.encode(header, claims | self.claims | self.wrong, key)
        return {"token_type": "Bearer", "access_token": "a-1", "id_token": token}

    @contextmanager
    def running(self) -> Iterator[OidcProvider]:
        """Serve on a port of this machine."""
        server = ThreadingHTTPServer(("127.0.0.1", 0), type("_", (_Handler,), {"provider": self}))
        self.issuer = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield self
        finally:
            server.shutdown()
            thread.join()
            server.server_close()


def _fields(text: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(text).items()}


class _Handler(BaseHTTPRequestHandler):
    provider: OidcProvider

    def do_GET(self) -> None:
        address = urlsplit(self.path)
        query = _fields(address.query)
        if address.path == "/authorize":
            self.send_response(302)
            self.send_header("Location", self.provider.authorize(query))
            self.send_header("Content-Length", "0")
            self.end_headers()
        elif address.path == "/.well-known/openid-configuration":
            self._json(self.provider.discovery())
        elif address.path == "/keys":
            self._json(self.provider.keys())
        elif self.headers["Authorization"] == "Bearer a-1":
            self._json({"sub": "u-1"} | self.provider.about)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        tokens = self.provider.token(_fields(body), self.headers.get("Authorization", ""))
        self._json(tokens or {"error": "invalid_grant"}, 200 if tokens else 400)

    def _json(self, value: Any, status: int = 200) -> None:
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Log nothing."""
