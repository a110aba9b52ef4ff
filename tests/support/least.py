"""A broker with the exported users, and everything that a user with a password can try."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

import amqp

from notify.message import Channel
from notify.topology import EXCHANGE, Producer, Topology, export
from tests.support.malformed import JSON
from tests.support.patience import PATIENCE, connect
from tests.support.services import Users

USERS = (
    *("notify-worker", "notify-operator", "notify-receipts", "notify-api"),
    "notify-console",
    *("shop", "bank", "shop.events"),
)


@dataclass(frozen=True, slots=True)
class Login:
    """One user of the broker, with the rights that the exported definitions give."""

    url: str

    @property
    def user(self) -> str:
        """Its name."""
        return self.url.split("//")[1].partition(":")[0]

    @contextmanager
    def channel(self) -> Iterator[amqp.Channel]:
        """Open a channel; a refusal closes it, and closing the connection ignores errors."""
        with connect(self.url) as connection:
            yield connection.channel()

    def publish(
        self,
        key: str,
        body: bytes,
        properties: Mapping[str, Any] = JSON,
        *,
        exchange: str = EXCHANGE,
        user_id: str | None = None,
    ) -> None:
        """Publish one message as this user, or with another's name; raises the broker's error."""
        others = {"user_id": user_id or self.user, "delivery_mode": 2, **properties}
        headers = others.pop("headers", {})
        self.post(key, amqp.Message(body, application_headers=headers, **others), exchange=exchange)

    def post(self, key: str | bytes, *messages: amqp.Message, exchange: str = EXCHANGE) -> None:
        """Publish messages as they are, and wait for the confirm of each."""
        with self.channel() as channel:
            channel.confirm_select()
            for message in messages:
                channel.basic_publish_confirm(
                    message, exchange, key, mandatory=True, timeout=PATIENCE
                )

    def request(self, key: str, **fields: Any) -> UUID:
        """Publish one email and return its id."""
        id_ = uuid4()
        request = {"id": str(id_), "to": "ada@example.com", "subject": "Hello", "text": "Hi."}
        self.publish(key, json.dumps({**request, **fields}).encode())
        return id_


def logins(users: Users, url: str, topology: Topology) -> dict[str, Login]:
    """Import the definitions for a virtual host, and set passwords for all their users."""
    definitions = export(
        topology,
        vhost=url.rpartition("/")[2],
        producers=[
            Producer("shop", (Channel.EMAIL,)),
            Producer("bank", (Channel.EMAIL, Channel.SMS)),
        ],
        subscribers=["shop"],
        users=True,
    )
    users.bring(definitions)
    addresses = users.let_in(url, *USERS)
    return {name: Login(address) for name, address in zip(USERS, addresses, strict=True)}
