"""Errors as RFC 9457 problem details, with every mistake, its place and its fix."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import ValidationError
from starlette.responses import Response

from notify.apikeys import WrongItem
from notify.contract import Problem
from notify.web.api.models import MistakeView, ProblemView

MEDIA_TYPE = "application/problem+json"
"""The content type of every error."""

TITLES: Mapping[str, tuple[int, str]] = {
    "malformed": (400, "The request cannot be read"),
    "unauthorized": (401, "The key is missing or not valid"),
    "forbidden": (403, "The key does not permit this"),
    "not-found": (404, "There is nothing here"),
    "method": (405, "This address has no such method"),
    "timeout": (408, "The body did not arrive in time"),
    "conflict": (409, "This contradicts an earlier request"),
    "too-late": (409, "It is too late for this"),
    "too-large": (413, "The body is too large"),
    "media-type": (415, "The body has another content type"),
    "invalid": (422, "The request breaks the contract"),
    "limited": (429, "The key has used its rate limit"),
    "head-too-large": (431, "The head is too large"),
    "fault": (500, "The service has a fault"),
    "unavailable": (503, "Not now: send it again"),
}
"""Each type of problem, with its status and its title."""

RETRY_AFTER = {"Retry-After": "5"}
"""The header of an answer that is unavailable for now, in seconds."""

_BY_STATUS = {404: "not-found", 405: "method", 408: "timeout", 413: "too-large", 415: "media-type"}


class ApiProblem(Exception):
    """An error that ends a request with a problem document."""

    def __init__(
        self,
        kind: str,
        detail: str,
        *,
        problems: Sequence[MistakeView] = (),
        headers: Mapping[str, str] | None = None,
        **members: Any,
    ) -> None:
        """
        Describe it.

        Args:
            kind: A key of `TITLES`.
            detail: The explanation of this occurrence, without a value of the request.
            problems: The mistakes of the request.
            headers: Further headers of the answer.
            members: Further members of the document.
        """
        super().__init__(detail)
        self.kind = kind
        self.detail = detail
        self.problems = problems
        self.headers = headers
        self.members = members

    def response(self) -> Response:
        """Return the answer."""
        status, title = TITLES[self.kind]
        view = ProblemView(
            type=f"urn:notify:problem:{self.kind}",
            title=title,
            status=status,
            detail=self.detail,
            problems=list(self.problems),
            **self.members,
        )
        return Response(
            view.model_dump_json(exclude_defaults=True),
            status,
            dict(self.headers or {}),
            media_type=MEDIA_TYPE,
        )


def of_status(status: int, headers: Mapping[str, str] | None = None) -> ApiProblem:
    """Return the problem of an HTTP error that has no further explanation."""
    kind = _BY_STATUS.get(status, "malformed" if status < 500 else "fault")
    return ApiProblem(kind, TITLES[kind][1].lower(), headers=headers)


def refused(wrong: Sequence[WrongItem]) -> ApiProblem:
    """Return the problem of notifications that break the contract: all mistakes, as `lint` does."""
    found = [_mistake(each.problem, each.index) for each in wrong]
    noun = "mistake" if len(found) == 1 else "mistakes"
    detail = f"{len(found)} {noun}; nothing was published"
    return ApiProblem("invalid", detail, problems=found[:_MOST])


def invalid(error: ValidationError, *, kind: str = "invalid") -> ApiProblem:
    """Return the problem of a body or query that does not fit its model."""
    found = [
        MistakeView(
            request=0,
            where=".".join(map(str, each["loc"])),
            why=_why(each["type"], each["msg"]),
            hint="see /v1/docs",
        )
        for each in error.errors(include_url=False, include_context=False, include_input=False)
    ]
    return ApiProblem(kind, f"{len(found)} mistakes in the request", problems=found[:_MOST])


_MOST = 1000


def _why(kind: str, message: str) -> str:
    words = {"extra_forbidden": "there is no such field", "missing": "required"}
    return words.get(kind, message[:1].lower() + message[1:])


def _mistake(problem: Problem, index: int) -> MistakeView:
    return MistakeView(
        request=index,
        where=problem.named or problem.where,
        why=problem.why,
        hint=problem.hint,
        line=problem.line,
        column=problem.column,
    )
