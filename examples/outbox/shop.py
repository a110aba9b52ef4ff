"""
Place an order and request its mail in one transaction.

    python examples/outbox/shop.py ada@sandbox.test            # commit, publish
    python examples/outbox/shop.py ada@sandbox.test --crash    # commit, die before publishing
"""

from __future__ import annotations

import os
import sys

from sqlalchemy import Engine, String, create_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from notify.outbox import Outbox, OutboxRelay, outbox_table
from notify.publisher import Publisher


class Base(DeclarativeBase):
    """The shop's schema."""


class Order(Base):
    """A purchase."""

    __tablename__ = "orders"
    id: Mapped[int] = mapped_column(primary_key=True)
    buyer: Mapped[str] = mapped_column(String(254))


# The outbox is one of the shop's own tables: `create_all` or the shop's migrations create it.
OUTBOX = outbox_table(Base.metadata)


def order(engine: Engine, buyer: str) -> str:
    """Write the order and its mail, both or none; return the notification's id."""
    with Session(engine) as session, session.begin():
        bought = Order(buyer=buyer)
        session.add(bought)
        session.flush()
        # A request that breaks the contract raises DecodeError here, and there is no order.
        id_ = Outbox(OUTBOX).put(
            session,
            "email.normal.shop",
            {
                "to": buyer,
                "subject": f"Your order {bought.id}",
                "text": "Thank you. It is on its way.",
                "metadata": {"order": str(bought.id)},
            },
        )
    return str(id_)


def main() -> None:
    """Place one order; then relay until the outbox is empty."""
    arguments = sys.argv[1:]
    crash = "--crash" in arguments
    buyers = [argument for argument in arguments if argument != "--crash"]
    if len(buyers) != 1:
        sys.exit("usage: python examples/outbox/shop.py EMAIL_ADDRESS [--crash]")
    engine = create_engine(os.environ.get("SHOP", "sqlite:///shop.db"))
    Base.metadata.create_all(engine)
    sys.stdout.write(f"{order(engine, buyers[0])}\n")
    sys.stdout.flush()
    if crash:
        os._exit(1)
    url = os.environ.get("AMQP_URL", "pyamqp://guest:guest@127.0.0.1:5672//")
    with Publisher(url) as publisher:
        # A service would run it in its own thread or process: OutboxRelay(...).run(stop).
        relay = OutboxRelay(engine, OUTBOX, publisher)
        while relay.relay():
            pass


if __name__ == "__main__":
    main()
