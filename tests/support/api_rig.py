"""The application of `notify web api` on a record, with a broker that confirms what a test says."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import httpx
from starlette.types import ASGIApp

from notify.apikeys import Acceptor, KeyDirectory, KeyLimits, KeyScope, issue_key, key_limit
from notify.errors import PublishError, Unconfirmed
from notify.flow import Limiter
from notify.publisher import Outgoing
from notify.service.contract import contract_limits, open_templates
from notify.settings import Settings
from notify.status.events import EventHistory
from notify.store import Actor, Store
from notify.telemetry.metrics import Metrics
from notify.templating import TemplateNames
from notify.web import WebLimits
from notify.web.api.events import EventHandlers
from notify.web.api.feed import EventFeed
from notify.web.api.process import build_api
from tests.support.patience import PATIENCE

ANN = Actor("ann@ops-1", "a test")
BODY_LIMIT = 200_000


@dataclass
class Confirming:
    """Has the methods of a publisher that the API uses; confirms unless `away`."""

    sent: list[Outgoing] = field(default_factory=list)
    away: bool = False
    lost: int = 0
    """The number of further messages that are stored and not confirmed."""

    def publish(self, message: Outgoing) -> None:
        """Store a message, or raise as a publisher does."""
        for error in self.publish_many([message]):
            if error is not None:
                raise error

    def publish_many(self, messages: Iterable[Outgoing]) -> Iterator[PublishError | None]:
        """Store messages; yield the error of each."""
        for each in messages:
            if self.away:
                yield Unconfirmed("the broker is away", message_id=each.message_id)
                continue
            self.sent.append(each)
            if self.lost:
                self.lost -= 1
                yield Unconfirmed("no confirm in time", message_id=each.message_id)
            else:
                yield None


class ApiRig:
    """
    An API with the sources shop and crm; `shop` and `crm` are clients with all scopes.

    Attributes:
        looks: How often open streams have looked whether the process stops, each time before they
            read the feed.
    """

    def __init__(
        self,
        store: Store,
        *,
        rate: float = 1e6,
        toml: Mapping[str, Any] = {},
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.store = store
        self.broker = Confirming()
        self.settings = Settings(**toml)
        self.seconds = 100.0
        self.keys = KeyDirectory(store, monotonic=lambda: self.seconds)
        self.feed = EventFeed(EventHistory(store))
        self.stopping = False
        self.looks = 0
        self.app = self._build(Limiter(store, key_limit(rate, rate), monotonic=monotonic))
        self.secrets = {name: self.key(name) for name in ("shop", "crm")}
        self.keys.refresh()
        self.shop, self.crm = (self.client(self.secrets[name]) for name in ("shop", "crm"))

    def key(self, source: str, *scopes: KeyScope) -> str:
        """Make a key; with all scopes, if none is given."""
        issued = issue_key(
            self.store,
            source=source,
            scopes=scopes or list(KeyScope),
            name="",
            expires_at=None,
            actor=ANN,
        )
        # So that the next request with an unknown key reads the keys.
        self.seconds += 2
        return issued.secret

    def client(self, secret: str | None) -> httpx.AsyncClient:
        """Return a client that sends a key."""
        headers = {} if secret is None else {"Authorization": f"Bearer {secret}"}
        return httpx.AsyncClient(
            transport=httpx.ASGITransport(app=self.app, raise_app_exceptions=False),
            base_url="http://api.test",
            headers=headers,
        )

    def _stops(self) -> bool:
        self.looks += 1
        return self.stopping

    def _build(self, limiter: Limiter) -> ASGIApp:
        publisher: Any = self.broker
        templates = open_templates(self.settings)
        history = EventHistory(self.store)
        return build_api(
            self.settings,
            self.store,
            acceptor=Acceptor(
                self.store,
                publisher,
                limits=contract_limits(self.settings),
                lanes=list(self.settings.lanes),
                template=TemplateNames(templates).problem,
            ),
            templates=templates,
            events=EventHandlers(
                history, self.feed, live=self.keys.still_live, stopping=self._stops
            ),
            publisher=publisher,
            keys=self.keys,
            rates=KeyLimits(limiter),
            metrics=Metrics(),
            limits=WebLimits(body=BODY_LIMIT, body_seconds=0.5, answer_seconds=PATIENCE),
        )


def email(**changes: Any) -> dict[str, Any]:
    """Return one notification."""
    values = {
        "channel": "email",
        "lane": "normal",
        "to": "ann@example.com",
        "subject": "Hello",
        "text": "It works.",
    }
    return {name: value for name, value in {**values, **changes}.items() if value is not ...}


def run(work: Coroutine[Any, Any, Any]) -> Any:
    """Run a coroutine to its end."""
    return asyncio.run(work)


def ids_of(response: httpx.Response) -> list[UUID]:
    """Return the ids of an answer to many notifications."""
    return [UUID(each["id"]) for each in response.json()["notifications"]]
