"""Shared by many worlds: one database in memory, the templates, and the rules."""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import event

from notify.gateway import ConfiguredProvider, Gateway
from notify.keyring import CLEAR, Keyring
from notify.message import Channel, Unknown
from notify.policies.retry import RetryPolicy, RetrySettings, UnknownRules
from notify.store import Store
from notify.store.db.engine import connect
from notify.store.sealing.row_cipher import RowCipher
from notify.store.tables import metadata
from notify.templating import Templates
from tests.unit.course.trouble import Troubles
from tests.unit.course.vendor import Book, Mail, Texts

PATIENCE = RetrySettings(
    attempts=2,
    deadline=timedelta(minutes=10),
    first=timedelta(seconds=1),
    most=timedelta(seconds=8),
)
LOOKUP = timedelta(seconds=30)


class Base:
    """A record in memory, for many worlds in turn."""

    def __init__(self, keyring: Keyring = CLEAR) -> None:
        self.cipher = RowCipher(keyring)
        engine = connect("sqlite://")
        drivers: list[sqlite3.Connection] = []
        event.listen(engine, "connect", lambda driver, _: drivers.append(driver))
        self.store = Store(engine, keyring=keyring)
        self.store.migrate()
        # For reads past the product; one connection is enough, since there is one thread.
        (self.driver,) = drivers
        self.troubles = Troubles(engine)
        self.templates = Templates()

    def clear(self) -> None:
        """Delete the previous world."""
        self.troubles.pass_by()
        for table in metadata.sorted_tables:
            self.driver.execute(f"DELETE FROM {table.name}")  # noqa: S608 - our own names
        # Otherwise the store would find that the record lacks its commits.
        self.store.position.accept()


@dataclass(frozen=True, slots=True)
class Terms:
    """The configuration: one channel, and each lane's rule for lost answers."""

    channel: Channel
    lanes: Mapping[str, Unknown]

    @property
    def asks(self) -> bool:
        """Whether the vendor can be asked which messages it accepted."""
        return self.channel is Channel.SMS

    def gateway(self, book: Book) -> Gateway:
        """Return a gateway to a vendor that records its calls in this book."""
        vendor = Texts(book) if self.asks else Mail(book)
        return Gateway(self.channel, [ConfiguredProvider("vendor", vendor)])

    def policy(self) -> RetryPolicy:
        """Return the rules for what follows a call."""
        rules = {(lane, self.channel): rule for lane, rule in self.lanes.items()}
        return RetryPolicy(
            lanes=dict.fromkeys(self.lanes, PATIENCE),
            unknown=UnknownRules({self.channel: Unknown.PARK}, lanes=rules),
            lookups={self.channel: LOOKUP} if self.asks else {},
            rng=random.Random(7),
        )
