"""What producers may send: read strictly, refused with reasons, described as JSON Schema."""

from __future__ import annotations

from notify.channels import Request, is_uuid, turns_direction
from notify.contract.decode import decode
from notify.contract.document import parse, unique
from notify.contract.envelope import Incoming, Route, is_source, likely_source, route
from notify.contract.event import Event, event_schema
from notify.contract.limits import DEFAULT_LIMITS, Limits
from notify.contract.lint import TemplateCheck, likely_channel, problems
from notify.contract.problem import Problem, RequestInvalid
from notify.contract.published import IN_MS
from notify.contract.recipient import Spellings, as_one, reading, same
from notify.contract.refusal import REFUSED, Mistake, RefusalCause, RefusedEvent, refused_schema
from notify.contract.schema import schema

__all__ = [
    "DEFAULT_LIMITS",
    "IN_MS",
    "REFUSED",
    "Event",
    "Incoming",
    "Limits",
    "Mistake",
    "Problem",
    "RefusalCause",
    "RefusedEvent",
    "Request",
    "RequestInvalid",
    "Route",
    "Spellings",
    "TemplateCheck",
    "as_one",
    "decode",
    "event_schema",
    "is_source",
    "is_uuid",
    "likely_channel",
    "likely_source",
    "parse",
    "problems",
    "reading",
    "refused_schema",
    "route",
    "same",
    "schema",
    "turns_direction",
    "unique",
]
