"""Events written from an equal one are those that the model writes, byte for byte."""

from __future__ import annotations

from datetime import UTC
from typing import Any
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from notify.contract import Event, EventIdentity, EventText
from notify.message import Channel, Status
from notify.store.relays import event_id_of, event_id_text

# Texts that look like the fields whose places are searched for, and like places themselves.
words = st.text(max_size=20) | st.sampled_from(['"id":"', '"position":0,', "%s", "%d%%", '","'])
numbers = st.integers(0, 2**63 - 1)
identities = st.builds(
    lambda row, sequence, id_, position: EventIdentity(
        event_id_text(row, sequence), sequence, id_, position
    ),
    st.uuids(),
    numbers,
    st.uuids(),
    st.integers(0, 999),
)


@st.composite
def fields(draw: st.DrawFn) -> dict[str, Any]:
    """Return the fields of an event that its equals share."""
    text = draw(words)
    optional = st.none() | words
    return {
        "at": draw(st.datetimes(timezones=st.just(UTC))),
        "batch_id": draw(st.none() | st.uuids()),
        "source": text,
        "channel": draw(st.sampled_from(Channel)),
        "lane": draw(words),
        "idempotency_key": draw(words),
        "template": draw(optional),
        "status": draw(st.sampled_from(Status)),
        "reason": draw(optional),
        "attempts": draw(st.integers(0, 9)),
        "provider": draw(optional),
        "provider_id": draw(optional),
        "code": draw(optional),
        "possible_duplicate": draw(st.booleans()),
        "metadata": draw(st.dictionaries(words, words, max_size=3)),
    }


def _event(shared: dict[str, Any], identity: EventIdentity) -> Event:
    event_id, sequence, id_, position = identity
    return Event(
        v=1, event_id=UUID(event_id), sequence=sequence, id=id_, position=position, **shared
    )


@given(shared=fields(), first=identities, other=identities)
def test_an_equal_event_is_written_as_by_the_model(
    shared: dict[str, Any], first: EventIdentity, other: EventIdentity
) -> None:
    """A subscriber must not see which of the two ways wrote it."""
    text = EventText(_event(shared, first))
    for each in (first, other):
        assert text.of(each) == _event(shared, each).model_dump_json().encode()


@given(row=st.uuids(), sequence=numbers)
def test_an_events_id_is_the_same_as_text(row: UUID, sequence: int) -> None:
    """The relay of another worker uses the other function for the same event."""
    assert event_id_text(row, sequence) == str(event_id_of(row, sequence))
