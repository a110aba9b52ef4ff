"""
The contract with producers: how a message is read, why it is refused, and its JSON Schema.

Also the events that subscribers read, and the spellings of a recipient. Not here: the differences
between channels (`channels`), and dead letters (`deadletters`).
"""

from __future__ import annotations

from notify.channels import Request, is_uuid, turns_direction
from notify.contract.batch import whole_body
from notify.contract.categories import CategoryNames
from notify.contract.decode import decode, digest_of
from notify.contract.document import parse, parse_array, unique
from notify.contract.envelope import Incoming, Route, is_source, likely_source, route
from notify.contract.event import Event, event_schema
from notify.contract.event_text import EventIdentity, EventText
from notify.contract.feedback import (
    FEEDBACK_KEY,
    Feedback,
    FeedbackOutcome,
    feedback_schema,
    read_feedback,
)
from notify.contract.limits import DEFAULT_LIMITS, Limits
from notify.contract.lint import (
    TemplateCheck,
    check_document,
    counted,
    likely_channel,
    problems,
)
from notify.contract.optout import OPTOUT_KEY, ProducerOptOut, opt_out_schema, read_opt_out
from notify.contract.problem import Problem, RequestInvalid
from notify.contract.published import IN_MS, publication_time
from notify.contract.receipt import MOST_RECEIPTS, ReceiptEntry, ReceiptMessage, read_receipts
from notify.contract.recipient import Spellings, case_folded, normal_form, same_recipient
from notify.contract.refusal import REFUSED, Mistake, RefusalCause, RefusedEvent, refused_schema
from notify.contract.reports import report_source
from notify.contract.schema import schema
from notify.contract.senders import SenderNames
from notify.contract.size import in_base64, largest_request

__all__ = [
    "DEFAULT_LIMITS",
    "FEEDBACK_KEY",
    "IN_MS",
    "MOST_RECEIPTS",
    "OPTOUT_KEY",
    "REFUSED",
    "CategoryNames",
    "Event",
    "EventIdentity",
    "EventText",
    "Feedback",
    "FeedbackOutcome",
    "Incoming",
    "Limits",
    "Mistake",
    "Problem",
    "ProducerOptOut",
    "ReceiptEntry",
    "ReceiptMessage",
    "RefusalCause",
    "RefusedEvent",
    "Request",
    "RequestInvalid",
    "Route",
    "SenderNames",
    "Spellings",
    "TemplateCheck",
    "case_folded",
    "check_document",
    "counted",
    "decode",
    "digest_of",
    "event_schema",
    "feedback_schema",
    "in_base64",
    "is_source",
    "is_uuid",
    "largest_request",
    "likely_channel",
    "likely_source",
    "normal_form",
    "opt_out_schema",
    "parse",
    "parse_array",
    "problems",
    "publication_time",
    "read_feedback",
    "read_opt_out",
    "read_receipts",
    "refused_schema",
    "report_source",
    "route",
    "same_recipient",
    "schema",
    "turns_direction",
    "unique",
    "whole_body",
]
