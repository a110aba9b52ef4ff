"""Feedback that comes by the API: checked, and published as a producer's own message."""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID

from notify.apikeys.reading import BodyRefused, WrongItem
from notify.contract import FEEDBACK_KEY, Incoming, Limits, RequestInvalid, read_feedback
from notify.message import time_id
from notify.publisher import Outgoing, Publisher


def report_feedback(publisher: Publisher, source: str, body: bytes, *, limits: Limits) -> UUID:
    """
    Publish a source's feedback; return the notification's id once RabbitMQ has confirmed it.

    Raises:
        BodyRefused: It breaks the contract.
        PublishError: RabbitMQ did not confirm it.
    """
    key = f"{FEEDBACK_KEY}.{source}"
    incoming = Incoming(body=body, routing_key=key, content_type="application/json")
    try:
        feedback = read_feedback(incoming, replace(limits, require_user_id=False))
    except RequestInvalid as error:
        raise BodyRefused([WrongItem(0, each) for each in error.problems]) from None
    publisher.publish(Outgoing(body=body, routing_key=key, message_id=str(time_id())))
    return feedback.id
