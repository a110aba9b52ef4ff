"""One operation of the API: its address, the scope that it needs, its documents, its handler."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel

from notify.apikeys import ApiKey, KeyScope
from notify.web.api.models import NoQuery

JSON = "application/json"
LINES = ("application/jsonl", "application/x-ndjson", "application/jsonlines")
"""The content types of JSON Lines."""


@dataclass(frozen=True, slots=True)
class ApiCall:
    """One request, authorised, with its parts checked. A handler runs in a thread."""

    key: ApiKey
    path: Mapping[str, Any]
    query: Any
    """An instance of the operation's `query`."""
    body: bytes
    media_type: str
    headers: Mapping[str, str]

    @property
    def source(self) -> str:
        """The source that the key belongs to: a handler knows no other."""
        return self.key.source


@dataclass(frozen=True, slots=True)
class ApiAnswer:
    """The result of a handler."""

    document: BaseModel | bytes | None
    """A model, or its JSON."""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


Handler = Callable[[ApiCall], ApiAnswer]


@dataclass(frozen=True, slots=True)
class Together:
    """How the requests of one key that arrive at the same time are handled in one thread."""

    handle: Callable[[Sequence[ApiCall]], Sequence[ApiAnswer | Exception]]
    """Returns the end of each request, in order."""
    fits: Callable[[ApiCall], bool]
    """Returns whether a request may be handled so."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """
    One operation.

    Attributes:
        path: With parameters in braces, such as `/v1/notifications/{id}`.
        scope: The scope that a key needs.
        handler: Called in a thread; raises `ApiProblem`, or an error of a use case.
        body: The model of its body in JSON, or its JSON Schema; None without one.
        lines: Whether the body may be many notifications, also in JSON Lines.
        answers: The models of its answers by status, without errors.
        problems: The kinds of its own errors, besides those of every operation.
        streams: Whether the answer may be an endless stream of events.
        together: How it handles several requests at once; None if it cannot.
        counts_itself: Whether the handler uses the key's limit by the notifications it finds.
    """

    method: str
    path: str
    scope: KeyScope
    name: str
    summary: str
    handler: Handler
    answers: Mapping[int, type[BaseModel] | tuple[type[BaseModel], ...] | None]
    query: type[BaseModel] = NoQuery
    body: type[BaseModel] | Mapping[str, Any] | None = None
    lines: bool = False
    problems: tuple[str, ...] = ()
    streams: bool = False
    together: Together | None = None
    counts_itself: bool = False
    description: str = ""

    def models(self) -> Iterator[type[BaseModel]]:
        """Yield the models of its answers."""
        for answer in self.answers.values():
            if answer is not None:
                yield from answer if isinstance(answer, tuple) else (answer,)

    def kinds(self) -> Iterator[str]:
        """Yield the kinds of its errors, besides those of every operation."""
        yield "malformed"
        if "{" in self.path:
            yield "not-found"
        if self.body is not None:
            yield from ("timeout", "too-large", "media-type", "invalid")
        yield from self.problems
