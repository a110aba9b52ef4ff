"""The guard: who is refused, why, and what that costs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import func, insert, select

from notify.errors import StoreError
from notify.flow.guard import BATCH_SIZE, PRUNING, Guard
from notify.message import Channel, Notification, Rendered
from notify.policies.caps import Cap, CapPer, Countries, Period, Unit, daily_spend
from notify.store import Store
from notify.store.flow.caps import Charge, charge_caps
from notify.store.tables import cap_counts, cap_uses
from tests.support.examples import examples
from tests.support.migrated import migrated
from tests.support.recording import asked

GERMANY = {Channel.SMS: Countries(["DE"], {"DE": 0.25})}


@dataclass
class Clock:
    """A monotonic clock that stands until a test moves it."""

    now: float = 1000.0

    def __call__(self) -> float:
        """Return the time."""
        return self.now


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """A record that the tests of this module use in turn."""
    store = migrated(f"sqlite:///{tmp_path_factory.mktemp('record')}/notify.db")
    yield store
    store.close()


@pytest.fixture
def store(shared: Store) -> Store:
    """A record with no counts."""
    with shared.writing() as connection:
        connection.execute(cap_counts.delete())
        connection.execute(cap_uses.delete())
    return shared


def _message(text: str = "hi", **changes: Any) -> tuple[Notification, Rendered]:
    notification = asked(**changes)
    return notification, Rendered(notification.id, uuid4(), notification.to, text=text)


def _sms(text: str = "hi", to: str = "+4915112345678", **changes: Any) -> Any:
    return _message(text, channel=Channel.SMS, to=to, **changes)


def _cap(**changes: Any) -> Cap:
    values: dict[str, Any] = {"name": "one", "most": 2, "period": Period.DAY}
    return Cap(**(values | changes))


def _passed(answers: Sequence[str | None]) -> list[bool]:
    return [answer is None for answer in answers]


def test_without_caps_the_record_is_not_asked(tmp_path: Path) -> None:
    """There is none here, and none is needed."""
    guard = Guard(Store.open(f"sqlite:///{tmp_path}/nowhere/notify.db"), countries=GERMANY)
    assert guard.refusals([_message(), _sms()]) == [None, None]
    assert guard.refusals([]) == []


def test_what_no_cap_concerns_does_not_ask_the_record(tmp_path: Path) -> None:
    """Critical is exempt, email is not SMS, and a refused country needs no count."""
    nowhere = Store.open(f"sqlite:///{tmp_path}/nowhere/notify.db")
    cap = _cap(channel=Channel.SMS, exempt=["critical"])
    guard = Guard(nowhere, caps=[cap], countries=GERMANY)
    answers = guard.refusals([_message(lane="bulk"), _sms(), _sms(to="+12025550123", lane="bulk")])
    assert _passed(answers) == [True, True, False]
    with pytest.raises(StoreError):
        guard.refusals([_sms(lane="bulk")])


def test_no_sms_leaves_for_a_country_that_is_not_allowed(store: Store) -> None:
    """By default for none; other channels know no countries."""
    island = _sms(to="+18765551234")
    (refused,) = Guard(store, countries=GERMANY).refusals([island])
    assert refused == "SMS to JM are not allowed; see channels.sms.countries"
    assert _passed(Guard(store).refusals([_sms(), _message()])) == [False, True]


def test_what_goes_to_no_allowed_country_uses_up_no_cap(store: Store) -> None:
    """A flood to far islands leaves the caps to those at home."""
    guard = Guard(store, caps=[_cap(most=1)], countries=GERMANY)
    answers = guard.refusals([_sms(to="+18765551234"), _sms(to="+18765551235"), _sms(), _sms()])
    assert _passed(answers) == [False, False, True, False]
    assert answers[3] == "caps.one is used up: 1 notifications a day"


def test_a_refusal_is_not_another_sources_that_uses_the_same_id(store: Store) -> None:
    """Ids count within their source: in one claim, each gets its own answer."""
    guard = Guard(store, caps=[_cap(most=1, per=CapPer.SOURCE)], countries=GERMANY)
    id_ = uuid4()
    first, second = _message(source="shop"), _message(source="shop", id=id_)
    assert _passed(guard.refusals([first, second, _message(source="bank", id=id_)])) == [
        True,
        False,
        True,
    ]


def test_one_person_gets_so_many_and_another_one_as_many(store: Store) -> None:
    """The refusal names neither."""
    cap = _cap(per=CapPer.RECIPIENT, exempt=["critical"])
    guard = Guard(store, caps=[cap])
    ann = [_message(lane="bulk") for _ in range(3)]
    bob = [_message(lane="bulk", to="bob@example.com") for _ in range(2)]
    answers = guard.refusals([*ann, *bob, _message(lane="critical")])
    assert _passed(answers) == [True, True, False, True, True, True]
    assert "ann" not in (answers[2] or "ann")


def test_a_retry_passes_a_full_cap(store: Store) -> None:
    """It was counted when it came first, and is not counted again."""
    guard = Guard(store, caps=[_cap(most=1)])
    first, second = _message(), _message()
    assert _passed(guard.refusals([first, second])) == [True, False]
    assert _passed(guard.refusals([first, second, first])) == [True, False, True]
    assert _passed(Guard(store, caps=[_cap(most=1)]).refusals([first])) == [True]


def test_a_long_text_counts_as_the_segments_it_is_charged_as(store: Store) -> None:
    """161 plain letters are two."""
    guard = Guard(store, caps=[_cap(most=3, unit=Unit.SEGMENTS)], countries=GERMANY)
    long = "x" * 161
    assert _passed(guard.refusals([_sms(long), _sms(long), _sms(), _sms()])) == [
        True,
        False,
        True,
        False,
    ]


def test_the_daily_spend_counts_segments_at_the_countrys_price(store: Store) -> None:
    """The refusal names the option; no lane is exempt."""
    guard = Guard(store, caps=[daily_spend(Channel.SMS, 1.0)], countries=GERMANY)
    answers = guard.refusals([_sms("x" * 161), _sms(), _sms(), _sms(lane="critical"), _message()])
    assert _passed(answers) == [True, True, True, False, True]
    assert answers[3] == "channels.sms.daily_spend is used up: 1 a day"


def test_other_rules_hold_at_once_and_counts_stay(store: Store) -> None:
    """A country that is struck off, and a cap that is raised by one."""
    guard = Guard(store, caps=[_cap()], countries=GERMANY)
    assert _passed(guard.refusals([_sms() for _ in range(3)])) == [True, True, False]
    guard.change(caps=[_cap(most=3)], countries=GERMANY)
    assert _passed(guard.refusals([_sms() for _ in range(2)])) == [True, False]
    guard.change(caps=[], countries={Channel.SMS: Countries(["FR"])})
    assert _passed(guard.refusals([_sms()])) == [False]


def test_the_first_full_cap_is_the_one_that_is_named(store: Store) -> None:
    """And nothing is counted in the others."""
    caps = [_cap(name="wide", most=9), _cap(name="tight", most=0, per=CapPer.SOURCE)]
    guard = Guard(store, caps=caps)
    (answer,) = guard.refusals([_message()])
    assert answer == "caps.tight is used up: 0 notifications from shop a day"
    with store.reading() as connection:
        assert connection.execute(select(func.sum(cap_counts.c.used))).scalar_one() == 0


def test_old_counts_are_forgotten_once_a_minute_or_while_there_are_many(store: Store) -> None:
    """A small batch at each read, so that other reads are not delayed."""
    monotonic = Clock()
    guard = Guard(store, monotonic=monotonic)
    _plant(store, BATCH_SIZE + 10)
    guard.refresh()
    assert _uses(store) == 10
    guard.refresh()
    assert _uses(store) == 0
    _plant(store, 5)
    monotonic.now += PRUNING - 1
    guard.refresh()
    assert _uses(store) == 5
    monotonic.now += 2
    guard.refresh()
    assert _uses(store) == 0


def _plant(store: Store, number: int) -> None:
    rows = [{"notification_id": uuid4(), "name": "old", "ends": 3600} for _ in range(number)]
    with store.writing() as connection:
        connection.execute(insert(cap_uses), rows)


def _uses(store: Store) -> int:
    with store.reading() as connection:
        return int(connection.execute(select(func.count()).select_from(cap_uses)).scalar_one())


NAMES = ("all", "shop", "ann")
batches = st.lists(
    st.lists(
        st.tuples(
            st.integers(0, 9),
            st.dictionaries(st.sampled_from(NAMES), st.sampled_from([0.1, 0.5, 1, 3]), min_size=1),
        ),
        max_size=6,
    ),
    max_size=8,
)


@settings(deadline=None, max_examples=examples(50))
@given(batches, st.lists(st.integers(0, 1), min_size=8, max_size=8), st.data())
def test_no_cap_is_exceeded_and_nothing_counted_twice(
    shared: Store, batches: Any, hours: list[int], data: st.DataObject
) -> None:
    """Whatever comes, again and again and in whichever hour; compared with a plain tally."""
    most = {name: data.draw(st.sampled_from([0.0, 0.3, 1.0, 4.0])) for name in NAMES}
    example = uuid4().hex
    ids = [uuid4() for _ in range(10)]
    used: Counter[tuple[str, int]] = Counter()
    counted: set[tuple[UUID, str]] = set()
    for batch, hour in zip(batches, hours, strict=False):
        asked_now = []
        expected = []
        for number, costs in batch:
            id_ = ids[number]
            asked_now.append(
                (id_, [_charge(example, name, hour, cost, most) for name, cost in costs.items()])
            )
            new = {name: cost for name, cost in costs.items() if (id_, name) not in counted}
            fits = all(used[name, hour] + cost <= most[name] + 1e-6 for name, cost in new.items())
            expected.append(fits)
            if fits:
                used.update({(name, hour): cost for name, cost in new.items()})
                counted |= {(id_, name) for name in new}
        with shared.writing() as connection:
            answers = charge_caps(connection, asked_now)
        assert _passed(answers) == expected
    with shared.reading() as connection:
        rows = connection.execute(select(cap_counts).where(cap_counts.c.name.startswith(example)))
        found = {(row.name.partition("/")[2], row.starts // 3600): row.used for row in rows}
    assert {key: value for key, value in found.items() if value} == pytest.approx(
        {key: value for key, value in used.items() if value}
    )
    assert all(value <= most[name] + 1e-6 for (name, _), value in found.items())


def _charge(example: str, name: str, hour: int, cost: float, most: dict[str, float]) -> Charge:
    return Charge(f"{example}/{name}", hour * 3600, (hour + 1) * 3600, cost, most[name])
