"""The operation that sends notifications, for one request or several of one key at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import TypeAdapter

from notify.apikeys import (
    Acceptance,
    Accepted,
    Acceptor,
    BodyRefused,
    KeyConflict,
    KeyLimits,
    NotConfirmed,
    read_lines,
    read_one,
    with_key,
)
from notify.web.api.limits import rate_headers, used_up
from notify.web.api.models import AcceptedView
from notify.web.api.operation import JSON, LINES, ApiAnswer, ApiCall
from notify.web.api.problems import RETRY_AFTER, ApiProblem, refused

REPLAYED = "Idempotent-Replayed"
_KEY = "idempotency-key"
_KEY_FIELD = b"idempotency_key"
_LONGEST_KEY = 200
SHARED_BYTES = 16 * 1024
"""The largest body that shares a thread: a larger one would delay the others."""


@dataclass(slots=True)
class _Sending:
    """
    One request on its way to its answer.

    Attributes:
        many: Whether it is an array or JSON Lines, and so is its answer.
        broken: Why its body is refused; it counts nevertheless, since to find its mistakes costs
            as much as to accept it.
    """

    call: ApiCall
    many: bool
    documents: Sequence[dict[str, Any]] = ()
    broken: BodyRefused | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    end: ApiAnswer | Exception | None = None

    @property
    def units(self) -> int:
        return len(self.documents) or 1


class SendHandler:
    """Answers the operation that sends, and writes its answers."""

    def __init__(self, acceptor: Acceptor, limits: KeyLimits) -> None:
        """Use the acceptance, and the limits of keys."""
        self._acceptor = acceptor
        self._limits = limits
        # The same JSON as `AcceptedView` and `AcceptedManyView`, without an object of each.
        self._one = TypeAdapter(Accepted).serializer
        self._many = TypeAdapter(list[Accepted]).serializer

    def send(self, call: ApiCall) -> ApiAnswer:
        """Accept the notifications of one request."""
        [end] = self.send_each([call])
        if isinstance(end, Exception):
            raise end
        return end

    def send_each(self, calls: Sequence[ApiCall]) -> Sequence[ApiAnswer | Exception]:
        """Accept the notifications of several requests of one key; return the end of each."""
        sendings = [_read(call) for call in calls]
        self._count([each for each in sendings if each.end is None])
        good = [each for each in sendings if each.end is None]
        results = self._acceptor.accept(calls[0].source, [each.documents for each in good])
        for each, result in zip(good, results, strict=True):
            if isinstance(result, Exception):
                each.end = _problem(result)
            else:
                each.end = self._answer(each, result)
        return [each.end for each in sendings if each.end is not None]

    def _count(self, sendings: Sequence[_Sending]) -> None:
        """Use the key's limit, and end the requests that it does not permit, or that are broken."""
        if not sendings:
            return
        units = [each.units for each in sendings]
        allowances = self._limits.use_each(sendings[0].call.key, units)
        for each, allowance in zip(sendings, allowances, strict=True):
            each.headers = rate_headers(allowance)
            if not allowance.granted:
                each.end = used_up(allowance, each.units)
            elif each.broken is not None:
                each.end = refused(each.broken.wrong)

    def _answer(self, sending: _Sending, accepted: Sequence[Accepted]) -> ApiAnswer:
        headers = sending.headers
        if all(each.status is Acceptance.REPLAYED for each in accepted):
            headers = {**headers, REPLAYED: "true"}
        if sending.many:
            content = b'{"notifications":' + self._many.to_json(accepted) + b"}"
        else:
            content = self._one.to_json(accepted[0])
        return ApiAnswer(content, 202, headers)


def shares(call: ApiCall) -> bool:
    """
    Return whether a request may be accepted together with others of its key.

    One with an idempotency key needs the record, for which the others must not wait.
    """
    body = call.body
    small = len(body) <= SHARED_BYTES and body[:1] == b"{" and call.media_type == JSON
    return small and _KEY_FIELD not in body and _KEY not in call.headers


def _read(call: ApiCall) -> _Sending:
    lines = call.media_type in LINES
    sending = _Sending(call, many=lines or call.body.lstrip()[:1] == b"[")
    try:
        documents = read_lines(call.body) if lines else read_one(call.body)
        key = _header_key(call, many=sending.many)
        sending.documents = documents if key is None else [with_key(documents[0], key)]
    except BodyRefused as error:
        sending.broken = error
    except ApiProblem as problem:
        sending.end = problem
    return sending


def _problem(error: Exception) -> Exception:
    """Return the answer to a request that was not accepted as a whole."""
    if isinstance(error, BodyRefused):
        return refused(error.wrong)
    if isinstance(error, KeyConflict):
        return ApiProblem("conflict", str(error), requests=list(error.indices))
    if isinstance(error, NotConfirmed):
        results = [_view(each) for each in error.results]
        text = f"{error}; send these again with the same ids"
        return ApiProblem("unavailable", text, notifications=results, headers=RETRY_AFTER)
    return error


def _header_key(call: ApiCall, *, many: bool) -> str | None:
    key = call.headers.get(_KEY)
    if key is None:
        return None
    if many:
        text = "the header Idempotency-Key names one notification: write `idempotency_key` in each"
        raise ApiProblem("malformed", text)
    # The draft of the header writes it as a string of structured fields; most clients do not.
    key = key[1:-1] if len(key) > 1 and key[0] == key[-1] == '"' else key
    if not key or len(key) > _LONGEST_KEY or not key.isprintable() or not key.isascii():
        text = f"the header Idempotency-Key needs 1 to {_LONGEST_KEY} printable ASCII characters"
        raise ApiProblem("malformed", text)
    return key


def _view(each: Accepted) -> AcceptedView:
    members = None if each.members is None else list(each.members)
    return AcceptedView(id=each.id, status=each.status, members=members)
