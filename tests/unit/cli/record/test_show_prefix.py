"""`notify show` by an id's first digits, and of what died before it was on record."""

from __future__ import annotations

import json
from uuid import UUID, uuid4

from notify.store import Store
from tests.support.burying import arrival, body_of, bury
from tests.support.commands import Notify
from tests.support.recording import begin

ONE = UUID("0b0e6a52-8f0e-4c52-9c2e-0f5b6b1f7a10")
TWO = UUID("0b0e6a53-8f0e-4c52-9c2e-0f5b6b1f7a10")
BATCH = UUID("77770000-8f0e-4c52-9c2e-0f5b6b1f7a10")


def test_the_first_digits_are_enough_if_no_other_begins_so(store: Store, notify: Notify) -> None:
    """With hyphens or without, in any case; a batch's too. Of several, the ids are named."""
    begin(store, id=ONE)
    begin(store, id=TWO, batch_id=BATCH)
    for digits in ("0b0e6a52", "0B0E6A52-8f0", str(ONE)):
        assert json.loads(notify("show", digits, "--json").out)["id"] == str(ONE)
    assert json.loads(notify("show", "7777", "--json").out)["batch_id"] == str(BATCH)
    several = notify("show", "0b0e6")
    assert several.code == 1
    assert f"several ids begin with 0b0e6: {ONE}, {TWO}" in several.err
    assert "begins with ffff" in notify("show", "ffff").err
    for wrong in ("0b0", "order-17", "0b0e6a52_", "0" * 33):
        assert notify("show", wrong).code == 2


def test_an_id_not_on_record_is_found_in_the_dead_letters(store: Store, notify: Notify) -> None:
    """By the whole id and by its first digits: why it died, and how to see more."""
    bury(store, arrival(body_of(ONE, tempalte="x")))
    for digits in (str(ONE), "0b0e"):
        done = notify("show", digits)
        assert done.code == 0
        assert "it is in the dead letters" in done.out
        assert "unknown field" in done.out
        assert "notify dead show 1" in done.err
    (letter,) = json.loads(notify("show", "0b0e", "--json").out)["dead_letters"]
    assert (letter["id"], letter["cause"]) == (1, "contract")
    missing = notify("show", uuid4())
    assert missing.code == 1
    assert "no worker has received it yet" in missing.err
