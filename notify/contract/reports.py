"""The parts that producers' reports share: their routing key, and their problems."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from notify.contract.document import parse
from notify.contract.envelope import Incoming, check_envelope, is_source
from notify.contract.limits import Limits
from notify.contract.problem import Problem, RequestInvalid

_Report = TypeVar("_Report", bound=BaseModel)


def read_report(
    incoming: Incoming, limits: Limits, *, kind: str, model: type[_Report], hints: Mapping[str, str]
) -> tuple[str, _Report]:
    """
    Return the source of a report, and its content.

    Args:
        kind: The first word of its routing key.
        hints: What to write instead, by field.

    Raises:
        RequestInvalid: It breaks the contract; the text names the field, never a value.
    """
    source = report_source(incoming.routing_key, kind)
    check_envelope(incoming, source=source, limits=limits)
    try:
        return source, model.model_validate(parse(incoming.body))
    except ValidationError as error:
        raise RequestInvalid(_problems(error, model, hints)) from None


def report_source(routing_key: str, kind: str) -> str:
    """
    Return the source in the routing key `<kind>.<source>` of a report.

    Raises:
        RequestInvalid: The key is not of this form.
    """
    first, _, source = routing_key.partition(".")
    if first != kind or not is_source(source):
        hint = f"publish with {kind}.<source>, such as {kind}.shop"
        raise RequestInvalid([Problem("", f"the routing key is not {kind}.<source>", hint)])
    return source


def _problems(
    error: ValidationError, model: type[BaseModel], hints: Mapping[str, str]
) -> list[Problem]:
    """Return the problems of a report; the texts name fields, never a value."""
    return [
        _problem(str(each["loc"][0]) if each["loc"] else "", each["type"], model, hints)
        for each in error.errors(include_url=False, include_context=False, include_input=False)
    ]


def _problem(name: str, kind: str, model: type[BaseModel], hints: Mapping[str, str]) -> Problem:
    if kind == "extra_forbidden":
        return Problem("*", "unknown field", f"the fields are {', '.join(model.model_fields)}")
    if kind == "missing":
        return Problem(name, "required", hints[name])
    return Problem(name, "is not allowed here", hints.get(name, "see `notify schema`"))
