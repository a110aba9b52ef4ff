"""Route each request to its handler."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from notify.sandbox.actions import Actions
from notify.sandbox.api import Api
from notify.sandbox.exchange import HttpAnswer, HttpRequest, Reply, as_json
from notify.sandbox.fcm import Fcm
from notify.sandbox.page import Page
from notify.sandbox.request_handler import RequestHandler
from notify.sandbox.sendgrid import SendGrid
from notify.sandbox.sendgrid_lists import SendGridMemory
from notify.sandbox.switch import ACCOUNT
from notify.sandbox.twilio import Twilio
from notify.sandbox.vonage import Vonage


@dataclass(frozen=True, slots=True)
class PageRoute:
    """A method and a pattern of paths, and the function that answers."""

    method: str
    path: re.Pattern[str]
    answer: Callable[[HttpRequest], Reply]


@dataclass(frozen=True, slots=True)
class Site:
    """
    Every address of the sandbox.

    Args:
        routes: The addresses; the first that matches answers.
    """

    routes: Sequence[PageRoute]

    def answer(self, request: HttpRequest) -> Reply:
        """Answer a request; 404 for an unknown path, 405 for a wrong method."""
        allowed = []
        for route in self.routes:
            match = route.path.fullmatch(request.path)
            if match and route.method == request.method:
                return route.answer(replace(request, groups=match.groupdict()))
            if match:
                allowed.append(route.method)
        if allowed:
            methods = ", ".join(allowed)
            return Reply(as_json(405, {"error": f"use {methods}"}, {"Allow": methods}))
        return Reply(as_json(404, {"error": "there is nothing at this path"}))


def vendor_routes(
    handler: RequestHandler, sendgrid: SendGrid, twilio: Twilio, vonage: Vonage, fcm: Fcm
) -> list[PageRoute]:
    """Return the vendors' addresses; a name before them is the account."""
    account = r"/2010-04-01/Accounts/(?P<account>[^/]+)"
    messages = rf"{account}/Messages\.json"

    def push(request: HttpRequest) -> Reply:
        if fcm.only_validates(request):
            return handler.ask(fcm, request, fcm.validate)
        return handler.send(fcm, request)

    return [
        _vendor("POST", r"/v3/mail/send", lambda request: handler.send(sendgrid, request)),
        _vendor(
            "GET", r"/v3/scopes", lambda request: handler.ask(sendgrid, request, sendgrid.scopes)
        ),
        _vendor(
            "GET", rf"{account}\.json", lambda request: handler.ask(twilio, request, twilio.account)
        ),
        _vendor("POST", messages, lambda request: handler.send(twilio, request)),
        _vendor("GET", messages, lambda request: handler.look_up(twilio, request)),
        _vendor(
            "GET",
            rf"{account}/Messages/(?P<sid>SM[0-9a-f]+)\.json",
            lambda request: handler.look_up(twilio, request),
        ),
        _vendor("POST", r"/sms/json", lambda request: handler.send(vonage, request)),
        _vendor(
            "GET",
            r"/account/get-balance",
            lambda request: handler.ask(vonage, request, vonage.balance),
        ),
        _vendor("POST", r"/v1/projects/(?P<project>[^/]+)/messages:send", push),
        _vendor("POST", r"/token", lambda request: Reply(fcm.grant(request))),
    ]


def list_routes(
    handler: RequestHandler, sendgrid: SendGrid, memory: SendGridMemory
) -> list[PageRoute]:
    """Return the addresses of SendGrid's suppression lists; a name before them is the account."""
    names = "bounces|invalid_emails|spam_reports|unsubscribes"

    def checked(answer: Callable[[HttpRequest], HttpAnswer]) -> Callable[[HttpRequest], Reply]:
        def respond(request: HttpRequest) -> HttpAnswer:
            sendgrid.check_key(request)
            return answer(request)

        return lambda request: handler.ask(sendgrid, request, respond)

    page, delete = checked(memory.page), checked(memory.delete)
    return [
        _vendor("GET", rf"/v3/suppression/(?P<list>{names})", page),
        _vendor("GET", r"/v3/asm/suppressions", page),
        _vendor("DELETE", rf"/v3/suppression/(?P<list>{names})/(?P<address>[^/]+)", delete),
        _vendor("DELETE", r"/v3/asm/suppressions/global/(?P<address>[^/]+)", delete),
    ]


def own_routes(api: Api, page: Page, actions: Actions) -> list[PageRoute]:
    """Return the sandbox's own addresses."""
    return [
        _plain("GET", r"/healthz", api.health),
        _plain("GET", r"/api/messages", api.messages),
        _plain("DELETE", r"/api/messages", api.clear),
        _plain("GET", r"/api/ledger", api.entries),
        _plain("GET", r"/api/counts", api.counts),
        _plain("GET", r"/api/receipts", api.receipts),
        _plain("GET", r"/api/receipts/counts", api.receipt_counts),
        _plain("GET", r"/api/behaviour", api.behaviour),
        _plain("PUT", r"/api/behaviour", api.set_behaviour),
        _plain("GET", r"/", page.list),
        _plain("GET", r"/messages/(?P<message>[\w.-]+)", page.message),
        _plain("POST", r"/messages/(?P<message>[\w.-]+)/events", actions.post),
        _plain("GET", r"/ledger", page.entries),
        _plain("GET", r"/(?P<asset>page\.css|page\.js)", page.asset),
    ]


def _route(method: str, path: str, answer: Callable[[HttpRequest], Reply]) -> PageRoute:
    return PageRoute(method, re.compile(path), answer)


def _vendor(method: str, path: str, answer: Callable[[HttpRequest], Reply]) -> PageRoute:
    return _route(method, rf"(?:/(?P<prefix>{ACCOUNT}))?{path}", answer)


def _plain(method: str, path: str, answer: Callable[[HttpRequest], HttpAnswer]) -> PageRoute:
    return _route(method, path, lambda request: Reply(answer(request)))
