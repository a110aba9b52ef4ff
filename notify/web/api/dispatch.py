"""The way of every request: its key, its scope, its parts, its limit, then its handler."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

import anyio
from anyio.to_thread import run_sync
from pydantic import ValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from notify.apikeys import ApiKey, KeyDirectory, KeyLimits
from notify.errors import PublishError, StoreError
from notify.telemetry.metrics import Metrics, catalog
from notify.web.api.groups import CallGroups
from notify.web.api.limits import rate_headers, used_up
from notify.web.api.models import NoQuery
from notify.web.api.operation import JSON, LINES, ApiAnswer, ApiCall, Operation
from notify.web.api.problems import RETRY_AFTER, ApiProblem, invalid, of_status
from notify.web.body import read_body
from notify.web.limits import WebLimits

_CHALLENGE = {"WWW-Authenticate": 'Bearer realm="notify"'}
_ONCE = {"authorization": "Authorization", "idempotency-key": "Idempotency-Key"}
"""Headers of which a proxy may read one and this process another, if they are there twice."""
_LARGEST_NUMBER = 2**63 - 1
_DIGITS = re.compile(r"[0-9]{1,19}")
_NO_QUERY = NoQuery()


class ApiDispatcher:
    """
    Answers requests. Each operation is authorised here, before its handler runs.

    A handler runs in a thread, and sees the key's source and no other.
    """

    def __init__(
        self,
        keys: KeyDirectory,
        rates: KeyLimits,
        *,
        metrics: Metrics,
        limits: WebLimits,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """
        Prepare it.

        Args:
            keys: The live keys.
            rates: The limits of keys.
            metrics: Where the duration of answers is recorded.
            limits: The limits of requests.
            monotonic: Seconds that never go back.
        """
        self._keys = keys
        self._rates = rates
        self._metrics = metrics
        self._limits = limits
        self._monotonic = monotonic
        self._working = anyio.CapacityLimiter(limits.working)
        self._reading = anyio.CapacityLimiter(1)
        self._groups: dict[str, CallGroups] = {}

    async def answer(self, operation: Operation, request: Request) -> Response:
        """Return the answer to a request; each error is a problem document."""
        begun = self._monotonic()
        try:
            call = await self.call(operation, request)
            begun = self._monotonic()
            response = await self._answered(operation, call)
        except ApiProblem as problem:
            response = problem.response()
        seconds, status = self._monotonic() - begun, str(response.status_code)
        self._metrics.observe(catalog.API_ANSWERS, seconds, operation.name, status)
        return response

    async def call(self, operation: Operation, request: Request) -> ApiCall:
        """
        Return a request with its parts checked.

        Raises:
            ApiProblem: It is not authorised, or a part is wrong.
        """
        headers = _headers(request)
        key = await self._authorised(headers.get("authorization", ""))
        if operation.scope not in key.scopes:
            challenge = (
                f'Bearer realm="notify", error="insufficient_scope", scope="{operation.scope}"'
            )
            raise ApiProblem(
                "forbidden",
                f"this key lacks the scope `{operation.scope}`; an operator makes one with it: "
                f"`notify key new --scope {operation.scope}`",
                headers={"WWW-Authenticate": challenge},
            )
        try:
            path, query = _path(operation, request.path_params), _query(operation, request)
            media_type = _media_type(operation, headers.get("content-type", ""))
            body = await self._body(request) if media_type else b""
        except ApiProblem as problem:
            raise await self._counted(key, problem) from None
        return ApiCall(key, path, query, body, media_type, headers)

    async def _counted(self, key: ApiKey, problem: ApiProblem) -> ApiProblem:
        """Count a request that is refused before its handler; return its problem."""
        allowance = await run_sync(self._rates.use, key, 1, limiter=self._working)
        found = problem if allowance.granted else used_up(allowance)
        found.headers = {
            **rate_headers(allowance),
            **(problem.headers or {}),
            **(found.headers or {}),
        }
        return found

    async def _authorised(self, header: str) -> ApiKey:
        scheme, _, secret = header.partition(" ")
        if scheme.lower() != "bearer" or not secret.strip():
            text = "send the header `Authorization: Bearer <key>`; `notify key new` makes one"
            raise ApiProblem("unauthorized", text, headers=_CHALLENGE)
        key = self._keys.find(secret.strip())
        if key is None:
            # It may have been made since the last read. Of many, one reads for all.
            await anyio.sleep(self._keys.fresh_for)
            with suppress(StoreError):
                await run_sync(self._keys.refresh, limiter=self._reading)
            key = self._keys.find(secret.strip())
        if key is not None:
            return key
        if not self._keys.loaded:
            raise ApiProblem("unavailable", "the keys cannot be read yet", headers=RETRY_AFTER)
        raise ApiProblem(
            "unauthorized", "there is no such key, or it has ended", headers=_CHALLENGE
        )

    async def _body(self, request: Request) -> bytes:
        try:
            return await read_body(request, self._limits)
        except HTTPException as error:
            raise of_status(error.status_code, error.headers) from None

    async def _answered(self, operation: Operation, call: ApiCall) -> Response:
        groups = self._groups_of(operation)
        try:
            if groups is not None and groups.fits(call):
                return _response(await groups.answer(call))
            with anyio.fail_after(self._limits.answer_seconds):
                answer = await run_sync(
                    self._handled, operation, call, abandon_on_cancel=True, limiter=self._working
                )
            return _response(answer)
        except TimeoutError:
            text = "it is not known whether this was done: send it again, with the same id or key"
            raise ApiProblem("unavailable", text, headers=RETRY_AFTER) from None
        except (ValidationError, StoreError, PublishError) as error:
            raise _problem(error) from None

    def _groups_of(self, operation: Operation) -> CallGroups | None:
        if operation.together is None:
            return None
        found = self._groups.get(operation.name)
        if found is None:
            found = self._groups[operation.name] = CallGroups(
                operation.together, seconds=self._limits.answer_seconds, threads=self._working
            )
        return found

    def _handled(self, operation: Operation, call: ApiCall) -> ApiAnswer:
        """Run a handler, in a thread."""
        if operation.counts_itself:
            return operation.handler(call)
        allowance = self._rates.use(call.key, 1)
        if not allowance.granted:
            raise used_up(allowance)
        answer = operation.handler(call)
        headers = {**rate_headers(allowance), **answer.headers}
        return ApiAnswer(answer.document, answer.status, headers)


def _problem(error: ValidationError | StoreError | PublishError) -> ApiProblem:
    if isinstance(error, ValidationError):
        return invalid(error)
    text = "RabbitMQ did not confirm it: send it again"
    if isinstance(error, StoreError):
        text = "the record is away"
    return ApiProblem("unavailable", text, headers=RETRY_AFTER)


def _path(operation: Operation, params: Mapping[str, Any]) -> Mapping[str, Any]:
    return {
        name: _number(value) if f"{{{name}:int}}" in operation.path else value
        for name, value in params.items()
    }


def _number(text: str) -> int:
    """Return the number of a path; raise `ApiProblem` if no row can have it."""
    if _DIGITS.fullmatch(text) is None or int(text) > _LARGEST_NUMBER:
        raise of_status(404)
    return int(text)


def _headers(request: Request) -> Mapping[str, str]:
    """Return the headers by name, the first of each; raise `ApiProblem` if one is ambiguous."""
    headers: dict[str, str] = {}
    for raw, value in request.scope["headers"]:
        name = raw.decode("latin-1")
        if name not in headers:
            headers[name] = value.decode("latin-1")
        elif name in _ONCE:
            text = f"the header {_ONCE[name]} is there twice: send it once"
            raise ApiProblem("malformed", text)
    return headers


def _query(operation: Operation, request: Request) -> Any:
    given: dict[str, str] = {}
    if not request.scope["query_string"] and operation.query is NoQuery:
        return _NO_QUERY
    for name, value in request.query_params.multi_items():
        if name in given:
            raise ApiProblem("malformed", "a query parameter is there twice")
        given[name] = value
    try:
        return operation.query.model_validate(given)
    except ValidationError as error:
        raise invalid(error, kind="malformed") from None


def _media_type(operation: Operation, header: str) -> str:
    """Return the body's content type; empty for an operation without a body."""
    if operation.body is None:
        return ""
    given = header.partition(";")[0].strip().lower()
    allowed = (JSON, *LINES) if operation.lines else (JSON,)
    if given not in allowed:
        raise ApiProblem("media-type", f"send one of {', '.join(allowed)}")
    return given


def _response(answer: ApiAnswer) -> Response:
    headers = dict(answer.headers)
    if answer.document is None:
        return Response(status_code=answer.status, headers=headers)
    content = answer.document
    if not isinstance(content, bytes):
        content = content.model_dump_json().encode()
    return Response(content, answer.status, headers, media_type=JSON)
