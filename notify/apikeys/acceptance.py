"""
The use case of the API's POST: validate, decide on repeats, publish, and answer what is certain.

A notification counts as accepted once RabbitMQ has confirmed it, never before. One with an
idempotency key has a row (docs/adr/0018), so that a repeat can be answered before a worker has
claimed the first. Others are recognised by their id at the claim, as those of any producer.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid5

import structlog

from notify.apikeys.answers import Acceptance, Accepted, KeyConflict, NotConfirmed
from notify.apikeys.reading import BodyRefused, SentItem, WrongItem, routed
from notify.contract import (
    Limits,
    Request,
    TemplateCheck,
    check_document,
    digest_of,
)
from notify.errors import StoreError
from notify.message import time_id
from notify.publisher import Outgoing, Publisher
from notify.store import Store
from notify.store.apikeys import KeyedRequest, KnownRequest, confirm_requests, reserve
from notify.topology import routing_key

log = structlog.get_logger("notify.api")

Documents = Sequence[dict[str, Any]]
"""The notifications of one request."""
# Made by the parser, so that none contains itself.
_JSON = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), check_circular=False)


@dataclass(slots=True)
class _Prepared:
    """One notification on its way to RabbitMQ."""

    item: SentItem
    body: bytes
    request: Request
    id: UUID
    key: str | None
    known: KnownRequest | None = None
    confirmed: bool = False

    @property
    def replayed(self) -> bool:
        return self.known is not None and self.known.confirmed


class Acceptor:
    """Accepts notifications of sources. Thread-safe; each call may take the publisher's timeout."""

    def __init__(
        self,
        store: Store,
        publisher: Publisher,
        *,
        limits: Limits,
        lanes: Sequence[str],
        template: TemplateCheck | None,
        new_id: Callable[[], UUID] = time_id,
    ) -> None:
        """
        Prepare it.

        Args:
            limits: The limits of a message.
            lanes: The configured lanes.
            template: Checks a template's name; names are not looked up if None.
            new_id: Returns the id of a notification that has none.
        """
        self._store = store
        self._publisher = publisher
        self._limits = limits
        self._lanes = lanes
        self._template = template
        self._new_id = new_id

    def accept(
        self, source: str, requests: Sequence[Documents]
    ) -> list[list[Accepted] | Exception]:
        """
        Publish the notifications of requests, each once.

        Returns:
            For each request what RabbitMQ has confirmed, in the order of its notifications; or an
            error: `BodyRefused` if one breaks the contract, `KeyConflict` if one has the
            idempotency key of another request, `NotConfirmed` if RabbitMQ did not confirm all,
            `StoreError` if one has an idempotency key and the record cannot be used. A fault in one
            request is its own error.
        """
        ready = [self._ready(source, documents) for documents in requests]
        good = [prepared for prepared in ready if not isinstance(prepared, Exception)]
        self._publish(source, [each for prepared in good for each in prepared if not each.replayed])
        return [
            prepared if isinstance(prepared, Exception) else self._answer(source, prepared)
            for prepared in ready
        ]

    def _ready(self, source: str, documents: Documents) -> list[_Prepared] | Exception:
        try:
            prepared = self._prepare(source, documents)
            keyed = [each for each in prepared if each.key is not None]
            if keyed:
                self._decide(source, prepared, keyed)
        except Exception as error:  # noqa: BLE001 - an unexpected one is its own request's answer
            return error
        return prepared

    def _answer(self, source: str, prepared: Sequence[_Prepared]) -> list[Accepted] | Exception:
        repeats = self._confirm(source, prepared)
        results = [_result(each, repeats) for each in prepared]
        if any(each.status is Acceptance.UNCONFIRMED for each in results):
            return NotConfirmed(results)
        return results

    def _prepare(self, source: str, documents: Documents) -> list[_Prepared]:
        """Return the notifications to publish; raise `BodyRefused` with the mistakes of all."""
        prepared: list[_Prepared] = []
        wrong: list[WrongItem] = []
        for index, item in enumerate(routed(documents, self._lanes)):
            if not isinstance(item, SentItem):
                wrong += [WrongItem(index, each) for each in item]
                continue
            body = _body_of(item.document)
            request, found = check_document(
                item.document,
                item.channel,
                size=len(body),
                limits=self._limits,
                template=self._template,
                lane=item.lane,
                source=source,
            )
            if request is None or found:
                wrong += [WrongItem(index, each) for each in found]
            else:
                id_ = request.id or self._new_id()
                prepared.append(_Prepared(item, body, request, id_, request.idempotency_key))
        if wrong:
            raise BodyRefused(wrong)
        return prepared

    def _decide(
        self, source: str, prepared: Sequence[_Prepared], keyed: Sequence[_Prepared]
    ) -> None:
        """Read or record the keys; raise `KeyConflict` if one is another request's."""
        wanted: dict[str, KeyedRequest] = {}
        conflicts = []
        for index, each in enumerate(prepared):
            if each.key is None:
                continue
            digest = digest_of(each.item.document, each.item.channel)
            first = wanted.setdefault(each.key, KeyedRequest(each.key, each.id, digest))
            if first.digest != digest:
                conflicts.append(index)
        if conflicts:
            raise KeyConflict(conflicts)
        now = self._store.clock()
        with self._store.writing() as connection:
            known = reserve(connection, source, list(wanted.values()), now=now)
            numbered = [(n, each.key) for n, each in enumerate(prepared) if each.key is not None]
            conflicts = [index for index, key in numbered if not known[key].same]
            if conflicts:
                # Inside the block, so that no other key of the request is recorded either.
                raise KeyConflict(conflicts)
        for each in keyed:
            each.known = known[str(each.key)]
            each.id = each.known.id

    def _publish(self, source: str, prepared: Sequence[_Prepared]) -> None:
        if not prepared:
            return
        messages = (_outgoing(each, source) for each in prepared)
        errors = self._publisher.publish_many(messages)
        for each, error in zip(prepared, errors, strict=True):
            each.confirmed = error is None
            if error is not None:
                log.warning("notify.api_unconfirmed", id=str(each.id), reason=str(error))

    def _confirm(self, source: str, prepared: Sequence[_Prepared]) -> set[str]:
        """
        Write which keyed requests RabbitMQ has confirmed.

        Returns:
            The keys of which another request wrote it before: these were published twice, under
            one id.
        """
        keys = {each.key for each in prepared if each.key is not None and each.confirmed}
        if not keys:
            return set()
        try:
            with self._store.writing() as connection:
                now = self._store.clock()
                return keys - confirm_requests(connection, source, keys, now=now)
        except StoreError as error:
            # RabbitMQ has them, which is the answer. A repeat is published under the same id.
            log.warning("notify.api_confirm_unrecorded", count=len(keys), reason=str(error))
            return set()


def _outgoing(each: _Prepared, source: str) -> Outgoing:
    # The body's own id would take precedence over that of the row of its key.
    body = each.body if each.known is None else _with_id(each)
    key = routing_key(each.item.channel, each.item.lane, source)
    return Outgoing(body=body, routing_key=key, message_id=str(each.id))


def _with_id(each: _Prepared) -> bytes:
    if each.request.id is None:
        return each.body
    return _body_of({**each.item.document, "id": str(each.id)})


def _body_of(document: Mapping[str, Any]) -> bytes:
    return _JSON.encode(document).encode()


def _result(each: _Prepared, repeats: set[str]) -> Accepted:
    if each.replayed or (each.key in repeats and each.confirmed):
        status = Acceptance.REPLAYED
    else:
        status = Acceptance.ACCEPTED if each.confirmed else Acceptance.UNCONFIRMED
    to = each.request.to
    if not isinstance(to, list):
        return Accepted(each.id, status)
    return Accepted(each.id, status, [uuid5(each.id, str(n)) for n in range(len(to))])
