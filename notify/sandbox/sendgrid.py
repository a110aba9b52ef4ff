"""
SendGrid's side of POST /v3/mail/send: its checks, and its answers.

Shapes: https://www.twilio.com/docs/sendgrid/api-reference/mail-send (and /errors).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
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

MAX_RECIPIENTS = 1000
"""To, cc and bcc of one request together; also the limit of personalizations."""

Fault = tuple[str, str | None]
"""The text of a mistake, and its field."""

_REFUSALS: dict[Behaviour, tuple[int, Fault]] = {
    Behaviour.INVALID: (
        400,
        ("Does not contain a valid address.", "personalizations.0.to.0.email"),
    ),
    Behaviour.DENIED: (
        401,
        ("The provided authorization grant is invalid, expired, or revoked", None),
    ),
    Behaviour.THROTTLED: (429, ("too many requests", None)),
    Behaviour.DOWN: (503, ("Service Unavailable", None)),
    Behaviour.ERROR: (500, ("Internal Server Error", None)),
}


@dataclass(frozen=True, slots=True)
class SendGrid:
    """
    Reads requests and writes answers as SendGrid does.

    Args:
        clock: The time, in UTC.
        new_id: Returns a new id.
        retry_after: Seconds that a 429 asks to wait.
    """

    clock: Callable[[], datetime]
    new_id: Callable[[], str]
    retry_after: int

    vendor: ClassVar[Vendor] = Vendor.SENDGRID

    def read(self, request: HttpRequest) -> list[Message]:
        """
        Return the messages of a request to send, one for each recipient.

        Raises:
            RequestRefused: The key or the request is not valid.
        """
        self._check_key(request)
        mail = _parse(request.body)
        faults = list(_faults(mail))
        if faults:
            raise RequestRefused(_errors(400, *faults))
        return list(self._messages(mail))

    def scopes(self, request: HttpRequest) -> HttpAnswer:
        """
        Return the permissions of a key: GET /v3/scopes.

        Raises:
            RequestRefused: The key is not valid.
        """
        self._check_key(request)
        return as_json(200, {"scopes": ["mail.send", "sender_verification_eligible"]})

    def _check_key(self, request: HttpRequest) -> None:
        if request.bearer in ("", "bad-key"):
            raise RequestRefused(self.answer(Behaviour.DENIED, []))

    def answer(
        self,
        behaviour: Behaviour,
        messages: Sequence[Message],
        allowance: Allowance | None = None,
    ) -> HttpAnswer:
        """Return SendGrid's answer for a behaviour, with what is left of the allowance."""
        if behaviour is Behaviour.BROKEN:
            return bad_gateway()
        if behaviour is Behaviour.GARBLED:
            return not_the_vendor(202)
        if behaviour in _REFUSALS:
            status, fault = _REFUSALS[behaviour]
            refusal = _errors(status, fault)
            return self._with_limits(refusal, allowance) if status == 429 else refusal
        # An opted-out recipient is accepted like any other; the message is dropped later.
        limits = _limits(allowance) if allowance else {}
        return HttpAnswer(202, headers={"X-Message-Id": messages[0].provider_id, **limits})

    def _with_limits(self, answer: HttpAnswer, allowance: Allowance | None) -> HttpAnswer:
        state = allowance or Allowance(
            granted=False,
            limit=600,
            remaining=0,
            reset=int(self.clock().timestamp()) + self.retry_after,
            wait=self.retry_after,
        )
        limits = {"Retry-After": str(state.wait), **_limits(state)}
        return HttpAnswer(answer.status, answer.body, {**answer.headers, **limits})

    def _messages(self, mail: dict[str, Any]) -> Iterator[Message]:
        provider_id, now = self.new_id(), self.clock()
        parts = {part["type"]: part["value"] for part in mail.get("content", [])}
        position = 0
        for personalization in mail["personalizations"]:
            arguments = {**mail.get("custom_args", {}), **personalization.get("custom_args", {})}
            for recipient in _recipients(personalization):
                yield Message(
                    id=f"{provider_id}.{position}" if position else provider_id,
                    provider_id=provider_id,
                    vendor=Vendor.SENDGRID,
                    channel=Channel.EMAIL,
                    at=now,
                    to=recipient["email"],
                    sender=mail["from"]["email"],
                    subject=personalization.get("subject") or mail.get("subject", ""),
                    text=parts.get("text/plain", ""),
                    html=parts.get("text/html", ""),
                    notify_id=str(arguments.get("notify_id", "")),
                    attempt_id=str(arguments.get("attempt_id", "")),
                    details=_details(mail, arguments),
                )
                position += 1


def _limits(allowance: Allowance) -> dict[str, str]:
    return {
        "X-RateLimit-Limit": str(allowance.limit),
        "X-RateLimit-Remaining": str(allowance.remaining),
        "X-RateLimit-Reset": str(allowance.reset),
    }


def _parse(body: bytes) -> dict[str, Any]:
    try:
        mail = json.loads(body)
    except (ValueError, RecursionError):
        mail = None
    if not isinstance(mail, dict):
        raise RequestRefused(_errors(400, ("Bad Request", None)))
    return mail


def _errors(status: int, *faults: Fault) -> HttpAnswer:
    errors = [{"message": text, "field": field, "help": None} for text, field in faults]
    return as_json(status, {"errors": errors})


def _details(mail: dict[str, Any], arguments: dict[str, Any]) -> dict[str, Any]:
    kept = ("template_id", "categories", "headers", "reply_to", "send_at", "asm")
    return {"custom_args": arguments, **{key: mail[key] for key in kept if key in mail}}


def _recipients(personalization: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        recipient for field in ("to", "cc", "bcc") for recipient in personalization.get(field, [])
    ]


def _faults(mail: dict[str, Any]) -> Iterator[Fault]:
    if not _is_address(mail.get("from")):
        yield "The from object must be provided, with a valid email.", "from.email"
    personalizations = mail.get("personalizations")
    if not isinstance(personalizations, list) or not personalizations:
        yield "At least one personalization is required.", "personalizations"
    elif len(personalizations) > MAX_RECIPIENTS:
        yield f"No more than {MAX_RECIPIENTS} personalizations.", "personalizations"
    else:
        yield from _faults_of_recipients(personalizations)
    if not isinstance(mail.get("custom_args", {}), dict):
        yield "Must be an object.", "custom_args"
    yield from _faults_of_content(mail, required=not mail.get("template_id"))


def _faults_of_recipients(personalizations: list[Any]) -> Iterator[Fault]:
    total = 0
    for index, personalization in enumerate(personalizations):
        place = f"personalizations.{index}"
        if not isinstance(personalization, dict) or not personalization.get("to"):
            yield "The to array is required, with at least one email.", f"{place}.to"
            continue
        faults = list(_faults_of_one(personalization, place))
        yield from faults
        total += 0 if faults else len(_recipients(personalization))
    if total > MAX_RECIPIENTS:
        yield f"No more than {MAX_RECIPIENTS} recipients.", "personalizations"


def _faults_of_one(personalization: dict[str, Any], place: str) -> Iterator[Fault]:
    seen: set[str] = set()
    for field in ("to", "cc", "bcc"):
        recipients = personalization.get(field, [])
        if not isinstance(recipients, list):
            yield "Must be an array.", f"{place}.{field}"
            continue
        for index, recipient in enumerate(recipients):
            if not _is_address(recipient):
                yield "Does not contain a valid address.", f"{place}.{field}.{index}.email"
            elif recipient["email"].lower() in seen:
                yield "Each address may occur once in a personalization.", f"{place}.{field}"
            else:
                seen.add(recipient["email"].lower())
    arguments = personalization.get("custom_args", {})
    if not isinstance(arguments, dict):
        yield "Must be an object.", f"{place}.custom_args"


def _faults_of_content(mail: dict[str, Any], *, required: bool) -> Iterator[Fault]:
    personalizations = mail.get("personalizations")
    listed = personalizations if isinstance(personalizations, list) else []
    subjects = [p.get("subject") for p in listed if isinstance(p, dict)]
    if required and not (mail.get("subject") or (subjects and all(subjects))):
        yield "The subject is required.", "subject"
    if not all(isinstance(subject, str | None) for subject in [mail.get("subject"), *subjects]):
        yield "Must be a string.", "subject"
    content = mail.get("content", [])
    if not isinstance(content, list) or (required and not content):
        yield "At least one content block is required.", "content"
        return
    for index, part in enumerate(content):
        for key in ("type", "value"):
            if not isinstance(part, dict) or not _is_text(part.get(key)):
                yield f"The {key} is required and must be a string.", f"content.{index}.{key}"


def _is_text(value: object) -> bool:
    return isinstance(value, str) and value != ""


def _is_address(value: object) -> bool:
    email = value.get("email") if isinstance(value, dict) else None
    if not isinstance(email, str) or any(map(str.isspace, email)):
        return False
    local, _, domain = email.rpartition("@")
    return bool(local) and "." in domain.strip(".")
