"""Handle a request to send: read it, decide, act, record it, answer."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from notify.sandbox.allowance import Allowance, RequestCounter
from notify.sandbox.behaviour import (
    EVENTS,
    PERSONAL,
    Behaviour,
    Effect,
    FeedbackEvent,
    behaviour_of,
)
from notify.sandbox.exchange import ExchangeEnd, HttpAnswer, HttpRequest, Reply, RequestRefused
from notify.sandbox.fcm import Fcm
from notify.sandbox.inbox import Inbox, Message
from notify.sandbox.ledger import LedgerEntry, SandboxLedger
from notify.sandbox.posting import Poster
from notify.sandbox.sendgrid import SendGrid
from notify.sandbox.switch import Setting, Switch
from notify.sandbox.twilio import Twilio
from notify.sandbox.vonage import Vonage

StandIn = SendGrid | Twilio | Vonage | Fcm
"""Reads requests and writes answers for one vendor."""

_ENDINGS = {
    Behaviour.RESET: ExchangeEnd.RESET,
    Behaviour.LOST: ExchangeEnd.RESET,
    Behaviour.HANG: ExchangeEnd.HANG,
    Behaviour.MUTE: ExchangeEnd.HANG,
}
_NOT_PROCESSED = {Behaviour.RESET, Behaviour.HANG, Behaviour.GARBLED}
# These, set for a vendor, also apply to a look-up, which has no recipient.
_OUTAGES = {
    Behaviour.DENIED,
    Behaviour.THROTTLED,
    Behaviour.DOWN,
    Behaviour.ERROR,
    Behaviour.BROKEN,
    Behaviour.GARBLED,
}
_FLAKY_FAILURES = 2
_FLAKY_MEMORY = 100_000


@dataclass(frozen=True, slots=True)
class _Call:
    """The arrival of a request, its account, and the account's setting."""

    arrived: float
    account: str
    setting: Setting


@dataclass(frozen=True, slots=True)
class RequestHandler:
    """
    Handles requests to send. Safe to use from several threads.

    Args:
        inbox: Stores accepted messages.
        ledger: Records effects and answers.
        switch: The settings of vendors and accounts.
        clock: The time, in UTC.
        slow: Seconds that a SLOW answer takes.
        poster: Posts the later events of accepted messages; None posts none.
    """

    inbox: Inbox
    ledger: SandboxLedger
    switch: Switch
    clock: Callable[[], datetime]
    slow: float
    poster: Poster | None = None
    _failures: OrderedDict[tuple[str, str], int] = field(default_factory=OrderedDict)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _requests: RequestCounter = field(default_factory=RequestCounter)

    def send(self, stand_in: StandIn, request: HttpRequest) -> Reply:
        """Handle one request; its effect is recorded before this returns."""
        call = self._call(stand_in, request)
        try:
            messages = stand_in.read(request)
        except RequestRefused as refused:
            return self._refused(stand_in, refused.answer, call)
        allowance = self._allowance(call)
        refused_all = Behaviour.THROTTLED if allowance and not allowance.granted else None
        for_all = call.setting.behaviour or refused_all
        messages = [
            replace(
                message,
                account=call.account,
                behaviour=for_all or behaviour_of(message.channel, message.to),
            )
            for message in messages
        ]
        behaviour = self._resolved(_of_request(messages), messages)
        answer = stand_in.answer(behaviour, messages, allowance)
        reply = Reply(
            answer,
            ending=_ENDINGS.get(behaviour, ExchangeEnd.ANSWER),
            delay=call.setting.latency + (self.slow if behaviour is Behaviour.SLOW else 0.0),
        )
        self._record(messages, reply, _effect(behaviour, answer), call)
        return reply

    def look_up(self, stand_in: Twilio, request: HttpRequest) -> Reply:
        """Answer a look-up of sent messages."""
        return self.ask(stand_in, request, lambda query: stand_in.look_up(query, self.inbox))

    def ask(
        self, stand_in: StandIn, request: HttpRequest, respond: Callable[[HttpRequest], HttpAnswer]
    ) -> Reply:
        """Answer a request that sends nothing, unless the vendor has an outage."""
        setting = self._call(stand_in, request).setting
        try:
            answer = respond(request)
        except RequestRefused as refused:
            answer = refused.answer
        behaviour = setting.behaviour
        if behaviour in _OUTAGES:
            answer = stand_in.answer(behaviour, [])
        ending = _ENDINGS.get(behaviour, ExchangeEnd.ANSWER) if behaviour else ExchangeEnd.ANSWER
        return Reply(answer, ending=ending, delay=setting.latency)

    def _call(self, stand_in: StandIn, request: HttpRequest) -> _Call:
        account = request.prefix or stand_in.vendor.value
        setting = self.switch.of(stand_in.vendor, account)
        return _Call(arrived=self.clock().timestamp(), account=account, setting=setting)

    def _allowance(self, call: _Call) -> Allowance | None:
        limit = call.setting.rate
        # An outage comes before the limit: a request that is not processed is not counted.
        if limit is None or call.setting.behaviour is not None:
            return None
        return self._requests.count(call.account, limit=limit, now=call.arrived)

    def _resolved(self, behaviour: Behaviour, messages: Sequence[Message]) -> Behaviour:
        if behaviour is not Behaviour.FLAKY:
            return behaviour
        first = next(message for message in messages if message.behaviour is Behaviour.FLAKY)
        key = (first.vendor, first.notify_id or first.to)
        with self._lock:
            count = self._failures[key] = self._failures.pop(key, 0) + 1
            if len(self._failures) > _FLAKY_MEMORY:
                self._failures.popitem(last=False)
        return Behaviour.DOWN if count <= _FLAKY_FAILURES else Behaviour.DELIVER

    def _record(
        self, messages: Sequence[Message], reply: Reply, effect: Effect, call: _Call
    ) -> None:
        accepted = effect is Effect.ACCEPTED
        entries = []
        for message in messages:
            event = EVENTS.get(message.behaviour, FeedbackEvent.DELIVERED)
            if accepted:
                self.inbox.add(replace(message, event=event))
            entries.append(
                LedgerEntry(
                    at=message.at,
                    vendor=message.vendor,
                    did=effect,
                    answered=_answered(reply),
                    account=call.account,
                    arrived=call.arrived,
                    recipient=message.to,
                    notify_id=message.notify_id,
                    attempt_id=message.attempt_id,
                    provider_id=message.provider_id if accepted else "",
                    behaviour=message.behaviour,
                    event=event if accepted else None,
                )
            )
        self.ledger.add(entries)
        if accepted and self.poster is not None:
            self.poster.follow(messages, call.setting)

    def _refused(self, stand_in: StandIn, answer: HttpAnswer, call: _Call) -> Reply:
        entry = LedgerEntry(
            at=self.clock(),
            vendor=stand_in.vendor,
            did=Effect.REFUSED,
            answered=answer.status,
            account=call.account,
            arrived=call.arrived,
        )
        self.ledger.add([entry])
        return Reply(answer, delay=call.setting.latency)


def _of_request(messages: Sequence[Message]) -> Behaviour:
    if len(messages) == 1:
        return messages[0].behaviour
    strict = (m.behaviour for m in messages if m.behaviour not in PERSONAL)
    return next(strict, Behaviour.DELIVER)


def _effect(behaviour: Behaviour, answer: HttpAnswer) -> Effect:
    if behaviour in _NOT_PROCESSED or answer.status >= 500:
        return Effect.NOTHING
    return Effect.REFUSED if answer.refused or answer.status >= 400 else Effect.ACCEPTED


def _answered(reply: Reply) -> int | str:
    return reply.answer.status if reply.ending is ExchangeEnd.ANSWER else reply.ending.value
