"""The baseline of receipts: a Starlette endpoint that only verifies SendGrid's signature."""

from __future__ import annotations

import base64
import sys

import uvicorn
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_der_public_key
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route


def app(key: str) -> Starlette:
    """Return the application for one public key, as SendGrid shows it."""
    public = load_der_public_key(base64.b64decode(key))
    assert isinstance(public, ec.EllipticCurvePublicKey)

    async def post(request: Request) -> Response:
        body = await request.body()
        signature = base64.b64decode(request.headers["X-Twilio-Email-Event-Webhook-Signature"])
        stamp = request.headers["X-Twilio-Email-Event-Webhook-Timestamp"]
        try:
            public.verify(signature, stamp.encode() + body, ec.ECDSA(SHA256()))
        except InvalidSignature:
            return Response(status_code=403)
        return Response(status_code=204)

    return Starlette(routes=[Route("/receipts/sendgrid", post, methods=["POST"])])


if __name__ == "__main__":
    uvicorn.run(app(sys.argv[2]), port=int(sys.argv[1]), log_level="warning", access_log=False)
