"""
Firebase Cloud Messaging's side of messages:send, and Google's token endpoint.

Shapes: https://firebase.google.com/docs/reference/fcm/rest/v1/projects.messages/send,
.../rest/v1/ErrorCode and https://developers.google.com/identity/protocols/oauth2/service-account.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar

from notify.message import Channel
from notify.sandbox.allowance import Allowance
from notify.sandbox.behaviour import Behaviour, Vendor
from notify.sandbox.exchange import (
    HttpAnswer,
    HttpRequest,
    RequestRefused,
    as_json,
    bad_gateway,
    not_the_vendor,
)
from notify.sandbox.inbox import Message

MAX_PAYLOAD = 4096
"""Bytes of notification and data together."""

_RESERVED = re.compile(r"from\Z|message_type\Z|gcm|google")
"""Names in `data` that FCM reserves."""

GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_SCOPES = {
    "https://www.googleapis.com/auth/firebase.messaging",
    "https://www.googleapis.com/auth/cloud-platform",
}
_TARGETS = ("token", "topic", "condition", "fid")
_FIELDS = {"name", "data", "notification", "android", "webpush", "apns", "fcm_options", *_TARGETS}

# Behaviour → HTTP status, google.rpc status, FCM's own code, text.
_REFUSALS: dict[Behaviour, tuple[int, str, str, str]] = {
    Behaviour.INVALID: (
        400,
        "INVALID_ARGUMENT",
        "INVALID_ARGUMENT",
        "The registration token is not a valid FCM registration token",
    ),
    Behaviour.BLOCKED: (404, "NOT_FOUND", "UNREGISTERED", "Requested entity was not found."),
    Behaviour.DENIED: (
        401,
        "UNAUTHENTICATED",
        "",
        "Request had invalid authentication credentials.",
    ),
    Behaviour.THROTTLED: (429, "RESOURCE_EXHAUSTED", "QUOTA_EXCEEDED", "Quota exceeded."),
    Behaviour.DOWN: (503, "UNAVAILABLE", "UNAVAILABLE", "The service is currently unavailable."),
    Behaviour.ERROR: (500, "INTERNAL", "INTERNAL", "Internal error encountered."),
}


@dataclass(frozen=True, slots=True)
class Fcm:
    """
    Reads requests and writes answers as Firebase Cloud Messaging does.

    Args:
        clock: The time, in UTC.
        new_id: Returns a new id.
        retry_after: Seconds that a 429 asks to wait.
    """

    clock: Callable[[], datetime]
    new_id: Callable[[], str]
    retry_after: int

    vendor: ClassVar[Vendor] = Vendor.FCM

    def read(self, request: HttpRequest) -> list[Message]:
        """
        Return the message of a request to send.

        Raises:
            RequestRefused: The access token or the request is not valid.
        """
        self._check_key(request)
        message = _parse(request.body)
        notification = message.get("notification", {})
        data = message.get("data", {})
        name = f"projects/{request.groups['project']}/messages/{self.new_id()}"
        return [
            Message(
                id=name.rpartition("/")[2],
                provider_id=name,
                vendor=Vendor.FCM,
                channel=Channel.PUSH,
                at=self.clock(),
                to=next(message[target] for target in _TARGETS if target in message),
                sender=request.groups["project"],
                subject=notification.get("title", ""),
                text=notification.get("body", ""),
                notify_id=data.get("notify_id", ""),
                attempt_id=data.get("attempt_id", ""),
                details={k: v for k, v in message.items() if k not in (*_TARGETS, "notification")},
            )
        ]

    def only_validates(self, request: HttpRequest) -> bool:
        """Whether a request asks to validate its message and not to send it."""
        named = b'"validate_only"' in request.body
        return named and _envelope(request.body).get("validate_only") is True

    def validate(self, request: HttpRequest) -> HttpAnswer:
        """
        Validate a message and do not send it.

        Raises:
            RequestRefused: The access token or the message is not valid.
        """
        self._check_key(request)
        _parse(request.body)
        return as_json(200, {"name": f"projects/{request.groups['project']}/messages/fake"})

    def _check_key(self, request: HttpRequest) -> None:
        if request.bearer in ("", "bad-key"):
            raise RequestRefused(self.answer(Behaviour.DENIED, []))

    def answer(
        self,
        behaviour: Behaviour,
        messages: Sequence[Message],
        allowance: Allowance | None = None,
    ) -> HttpAnswer:
        """Return FCM's answer for a behaviour; a 429 has the allowance's seconds to wait."""
        if behaviour is Behaviour.BROKEN:
            return bad_gateway()
        if behaviour is Behaviour.GARBLED:
            return not_the_vendor(200)
        if behaviour in _REFUSALS:
            status, rpc, code, text = _REFUSALS[behaviour]
            wait = allowance.wait if allowance else self.retry_after
            retry_header = {"Retry-After": str(wait)} if status == 429 else {}
            return _error(status, rpc, code, text, retry_header)
        return as_json(200, {"name": messages[0].provider_id})

    def grant(self, request: HttpRequest) -> HttpAnswer:
        """Return an access token for a service account's signed assertion."""
        form = request.form
        if form.get("grant_type") != GRANT:
            return _grant_error("unsupported_grant_type", f"Invalid grant_type: use {GRANT}")
        claims = _claims(form.get("assertion", ""))
        fault = _fault_of(claims, now=self.clock().timestamp())
        if fault:
            return _grant_error("invalid_grant", fault)
        if not _SCOPES & set(str(claims.get("scope", "")).split()):
            return _grant_error("invalid_scope", "The scope of Firebase messaging is missing.")
        token = f"ya29.sandbox-{self.new_id()}"
        return as_json(200, {"access_token": token, "expires_in": 3599, "token_type": "Bearer"})


def _envelope(body: bytes) -> dict[str, Any]:
    try:
        envelope = json.loads(body)
    except (ValueError, RecursionError):
        envelope = None
    return envelope if isinstance(envelope, dict) else {}


def _parse(body: bytes) -> dict[str, Any]:
    message = _envelope(body).get("message")
    fault = _fault(message) if isinstance(message, dict) else "Invalid JSON payload received."
    if fault:
        raise RequestRefused(_error(400, "INVALID_ARGUMENT", "INVALID_ARGUMENT", fault))
    assert isinstance(message, dict)  # noqa: S101 - anything else is a fault
    return message


def _fault(message: dict[str, Any]) -> str:
    unknown = sorted(set(message) - _FIELDS)
    if unknown:
        return f"Invalid JSON payload received. Unknown name \"{unknown[0]}\" at 'message'."
    targets = [message[target] for target in _TARGETS if target in message]
    if len(targets) != 1 or not _is_text(targets[0]):
        return "Exactly one of token, topic or condition is required."
    data, notification = message.get("data", {}), message.get("notification", {})
    if not _is_flat(data) or not _is_flat(notification):
        return "Invalid value at 'message.data' or 'message.notification': a string is expected."
    if reserved := next(filter(_RESERVED.match, data), None):
        return f"Invalid data payload key: {reserved}"
    size = len(json.dumps([notification, data], ensure_ascii=False, separators=(",", ":")).encode())
    if size > MAX_PAYLOAD:
        return "Message is too big."
    return ""


def _is_text(value: object) -> bool:
    return isinstance(value, str) and value != ""


def _is_flat(value: object) -> bool:
    return isinstance(value, dict) and all(isinstance(item, str) for item in value.values())


def _error(
    status: int, rpc: str, code: str, text: str, headers: dict[str, str] | None = None
) -> HttpAnswer:
    error: dict[str, Any] = {"code": status, "message": text, "status": rpc}
    if code:
        kind = "type.googleapis.com/google.firebase.fcm.v1.FcmError"
        error["details"] = [{"@type": kind, "errorCode": code}]
    return as_json(status, {"error": error}, headers)


def _grant_error(error: str, text: str) -> HttpAnswer:
    return as_json(400, {"error": error, "error_description": text})


def _claims(assertion: str) -> dict[str, Any]:
    parts = assertion.split(".")
    if len(parts) != 3 or not all(parts):
        return {}
    try:
        padded = parts[1] + "=" * (-len(parts[1]) % 4)
        claims = json.loads(base64.urlsafe_b64decode(padded))
    except (ValueError, RecursionError):
        return {}
    return claims if isinstance(claims, dict) else {}


def _fault_of(claims: dict[str, Any], *, now: float) -> str:
    issuer, issued, expires = claims.get("iss"), claims.get("iat"), claims.get("exp")
    if not _is_text(issuer) or not _is_text(claims.get("aud")):
        return "Invalid JWT: iss and aud are required."
    if not isinstance(issued, int) or not isinstance(expires, int):
        return "Invalid JWT: iat and exp are required, in seconds."
    if expires <= now or expires - issued > 3600:
        return "Invalid JWT: it must be a short-lived token, of at most one hour."
    if str(issuer).startswith("bad-key@"):
        return "Invalid grant: account not found"
    return ""
