"""What many worlds share: one database in memory, the templates, and the rules."""

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
    """A record in memory, for many worlds one after the other."""

    def __init__(self, keyring: Keyring = CLEAR) -> None:
        self.cipher = RowCipher(keyring)
        engine = connect("sqlite://")
        drivers: list[sqlite3.Connection] = []
        event.listen(engine, "connect", lambda driver, _: drivers.append(driver))
        self.store = Store(engine, keyring=keyring)
        self.store.migrate()
        # For looks past the product; one connection serves all, since there is one thread.
        (self.driver,) = drivers
        self.troubles = Troubles(engine)
        self.templates = Templates()

    def clear(self) -> None:
        """Forget the world before."""
        self.troubles.pass_by()
        for table in metadata.sorted_tables:
            self.driver.execute(f"DELETE FROM {table.name}")  # noqa: S608 - names of our own
        # Otherwise the store would find that the record lacks what it has seen committed.
        self.store.position.accept()


@dataclass(frozen=True, slots=True)
class Terms:
    """What is configured: one channel, and each lane's rule for lost answers."""

    channel: Channel
    lanes: Mapping[str, Unknown]

    @property
    def asks(self) -> bool:
        """Whether the vendor can be asked what it took."""
        return self.channel is Channel.SMS

    def gateway(self, book: Book) -> Gateway:
        """Make the way to a vendor who writes into this book."""
        vendor = Texts(book) if self.asks else Mail(book)
        return Gateway(self.channel, [ConfiguredProvider("vendor", vendor)])

    def policy(self) -> RetryPolicy:
        """Make the rules of what follows a call."""
        rules = {(lane, self.channel): rule for lane, rule in self.lanes.items()}
        return RetryPolicy(
            lanes=dict.fromkeys(self.lanes, PATIENCE),
            unknown=UnknownRules({self.channel: Unknown.PARK}, lanes=rules),
            lookups={self.channel: LOOKUP} if self.asks else {},
            rng=random.Random(7),
        )
