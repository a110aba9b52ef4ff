"""The checks of SendGrid on a request to send."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

MAX_RECIPIENTS = 1000
"""To, cc and bcc of one request together; also the limit of personalizations."""

MAX_PERSONAL_BYTES = 10_000
"""The bytes of a personalization's substitutions, and of its custom arguments, must be fewer."""

Fault = tuple[str, str | None]
"""The text of a mistake, and its field."""


def recipients_of(personalization: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the recipients of a personalization: to, cc and bcc."""
    return [
        recipient for field in ("to", "cc", "bcc") for recipient in personalization.get(field, [])
    ]


def faults_of(mail: dict[str, Any]) -> Iterator[Fault]:
    """Yield the mistakes for which SendGrid refuses a request."""
    if not _is_address(mail.get("from")):
        yield "The from object must be provided, with a valid email.", "from.email"
    if "reply_to" in mail and not _is_address(mail["reply_to"]):
        yield "The reply_to object must have a valid email.", "reply_to.email"
    personalizations = mail.get("personalizations")
    if not isinstance(personalizations, list) or not personalizations:
        yield "At least one personalization is required.", "personalizations"
    elif len(personalizations) > MAX_RECIPIENTS:
        yield f"No more than {MAX_RECIPIENTS} personalizations.", "personalizations"
    else:
        yield from _faults_of_recipients(personalizations)
    for field in ("custom_args", "headers"):
        if not isinstance(mail.get(field, {}), dict):
            yield "Must be an object.", field
    if str(mail.get("template_id", "")).startswith("d-") and _substitutes(personalizations):
        text = "Substitutions may not be used with dynamic templating"
        yield text, "personalizations.0.substitutions"
    yield from _faults_of_content(mail, required=not mail.get("template_id"))


def _faults_of_recipients(personalizations: list[Any]) -> Iterator[Fault]:
    addresses: list[str] = []
    for index, personalization in enumerate(personalizations):
        place = f"personalizations.{index}"
        if not isinstance(personalization, dict) or not personalization.get("to"):
            yield "The to array is required, with at least one email.", f"{place}.to"
            continue
        faults = [*_faults_of_one(personalization, place), *_faults_of_size(personalization, place)]
        yield from faults
        if not faults:
            addresses += [each["email"].lower() for each in recipients_of(personalization)]
    if len(addresses) > MAX_RECIPIENTS:
        yield f"No more than {MAX_RECIPIENTS} recipients.", "personalizations"
    # https://www.twilio.com/docs/sendgrid/api-reference/mail-send/errors
    if len(addresses) > len(set(addresses)):
        yield "Each email address in the personalizations should be unique.", "personalizations"


def _faults_of_size(personalization: dict[str, Any], place: str) -> Iterator[Fault]:
    """Yield the mistakes in substitutions and custom arguments, which have a limit each."""
    substitutions = personalization.get("substitutions", {})
    if not isinstance(substitutions, dict) or not all(
        isinstance(value, str) for value in substitutions.values()
    ):
        # SendGrid says no more than that.
        yield "", ""
    elif _bytes_of(substitutions) > MAX_PERSONAL_BYTES:
        text = f"The substitutions are limited to {MAX_PERSONAL_BYTES} bytes."
        yield text, f"{place}.substitutions"
    arguments = personalization.get("custom_args", {})
    if isinstance(arguments, dict) and len(json.dumps(arguments)) >= MAX_PERSONAL_BYTES:
        text = f"The custom arguments must be fewer than {MAX_PERSONAL_BYTES} bytes."
        yield text, f"{place}.custom_args"


def _bytes_of(substitutions: dict[str, str]) -> int:
    return sum(len(tag.encode()) + len(value.encode()) for tag, value in substitutions.items())


def _substitutes(personalizations: object) -> bool:
    listed = personalizations if isinstance(personalizations, list) else []
    return any(isinstance(each, dict) and each.get("substitutions") for each in listed)


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
    for field in ("custom_args", "headers"):
        if not isinstance(personalization.get(field, {}), dict):
            yield "Must be an object.", f"{place}.{field}"


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
