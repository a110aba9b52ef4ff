"""Writing to the outbox: in the producer's transaction, and only valid requests."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import Engine, MetaData, String, create_engine, insert, select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from notify.errors import DecodeError
from notify.outbox import Outbox, OutboxRelay, outbox_table
from notify.outbox.relay import LONGEST_HOLD
from notify.publisher import Publisher

KEY = "email.normal.shop"
REQUEST = {"to": "ann@example.com", "subject": "Your order", "text": "Thank you."}


class Base(DeclarativeBase):
    """A producer's own schema."""


class Order(Base):
    """The producer's own data."""

    __tablename__ = "orders"
    id: Mapped[int] = mapped_column(primary_key=True)
    item: Mapped[str] = mapped_column(String(100))


TABLE = outbox_table(Base.metadata)


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    """A producer's database, with the outbox among its tables."""
    engine = create_engine(f"sqlite:///{tmp_path}/shop.db")
    Base.metadata.create_all(engine)
    yield engine
    engine.dispose()


def _rows(engine: Engine) -> list[Any]:
    with engine.begin() as connection:
        return list(connection.execute(select(TABLE).order_by(TABLE.c.id)))


def test_a_request_is_written_with_its_order(engine: Engine) -> None:
    """One transaction of an ORM session, and its id is the row's message id."""
    with Session(engine) as session, session.begin():
        session.add(Order(item="lamp"))
        id_ = Outbox(TABLE).put(session, KEY, REQUEST)
    (row,) = _rows(engine)
    assert json.loads(row.body) == {**REQUEST, "id": str(id_)}
    assert (row.message_id, row.routing_key, row.held_until) == (str(id_), KEY, None)


def test_a_request_of_a_transaction_that_fails_is_not_written(engine: Engine) -> None:
    """Without an order there is no email."""
    with engine.connect() as connection:
        connection.execute(insert(Order).values(item="lamp"))
        Outbox(TABLE).put(connection, KEY, REQUEST)
        connection.rollback()
    assert _rows(engine) == []


@pytest.mark.parametrize(
    ("key", "change", "why"),
    [
        (KEY, {"to": "nobody"}, "to"),
        (KEY, {"subjekt": "?"}, "did you mean `subject`"),
        (KEY, {"id": "17"}, "not a UUID"),
        (KEY, {"text": "half \ud83d"}, "UTF-8"),
        (KEY, {"metadata": {"weight": float("nan")}}, "NaN"),
        ("email.shop", {}, "<channel>.<lane>.<source>"),
        ("fax.normal.shop", {}, "channel that does not exist"),
    ],
)
def test_a_request_that_violates_the_contract_is_refused_to_the_producer(
    engine: Engine, key: str, change: dict[str, Any], why: str
) -> None:
    """With the reason, while it can be corrected; the transaction itself may continue."""
    with engine.begin() as connection:
        with pytest.raises(DecodeError, match=why):
            Outbox(TABLE).put(connection, key, {**REQUEST, **change})
        kept = Outbox(TABLE).put(connection, KEY, REQUEST)
    assert [row.message_id for row in _rows(engine)] == [str(kept)]


def test_ids_and_times_may_be_pythons_own(engine: Engine) -> None:
    """They need not be written as text; other values are refused by their type."""
    id_, until = uuid4(), datetime(2030, 1, 1, tzinfo=UTC)
    with engine.begin() as connection:
        put = Outbox(TABLE).put(connection, KEY, {**REQUEST, "id": id_, "expires_at": until})
        with pytest.raises(TypeError, match="a request cannot contain a set"):
            Outbox(TABLE).put(connection, KEY, {**REQUEST, "data": {"x": {1}}})
    assert put == id_
    (row,) = _rows(engine)
    assert json.loads(row.body)["expires_at"] == "2030-01-01T00:00:00+00:00"


def test_the_limits_are_those_of_the_service(engine: Engine) -> None:
    """A batch that would be refused later is refused here."""
    outbox = Outbox(TABLE, max_body_bytes=200, max_recipients=2)
    everybody = [f"r{number}@example.com" for number in range(3)]
    with engine.begin() as connection:
        with pytest.raises(DecodeError, match="200 bytes"):
            outbox.put(connection, KEY, {**REQUEST, "text": "x" * 200})
        with pytest.raises(DecodeError, match="2 recipients"):
            outbox.put(connection, KEY, {**REQUEST, "to": everybody})
    assert _rows(engine) == []


def test_a_request_keeps_the_id_it_has(engine: Engine) -> None:
    """A batch too: its id is the request's."""
    id_ = "6c8f3f0e-5b0a-4a53-9d0a-2f2f7c1c7e11"
    with engine.begin() as connection:
        put = Outbox(TABLE).put(
            connection, KEY, {**REQUEST, "id": id_, "to": ["a@example.com"]}, traceparent="00-x"
        )
    assert put == UUID(id_)
    assert _rows(engine)[0].traceparent == "00-x"


def test_the_table_takes_the_name_and_schema_it_is_given() -> None:
    """It is one of the producer's tables."""
    table = outbox_table(MetaData(), name="mail_outbox", schema="shop")
    assert str(table) == "shop.mail_outbox"


@pytest.mark.parametrize("hold", [timedelta(0), LONGEST_HOLD + timedelta(microseconds=1)])
def test_a_relay_refuses_a_lease_that_others_would_not_respect(hold: timedelta) -> None:
    """They would publish its rows at once, as if leased before the clock was set back."""
    engine, table = create_engine("sqlite://"), outbox_table(MetaData())
    with Publisher("pyamqp://guest:guest@127.0.0.1:1//") as publisher:
        with pytest.raises(ValueError, match="at most 0:10:00"):
            OutboxRelay(engine, table, publisher, hold=hold)
        OutboxRelay(engine, table, publisher, hold=LONGEST_HOLD)
    engine.dispose()
