"""`notify breaker`, as an operator calls it."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest
from sqlalchemy import select

from notify.policies.breaker import Circuit, CircuitState, Counts, Kind, Mode, Rules
from notify.policies.holds import Scope
from notify.store import Store
from notify.store.db.clock import read_clock
from notify.store.flow import circuits as shared
from notify.store.flow import holds
from notify.store.flow.circuits import Slice
from notify.store.tables import audit
from tests.support.commands import Notify

# No test takes so long that a circuit comes to its probe.
RULES = Rules(first_open=3600.0, longest_open=3600.0)

pytestmark = pytest.mark.usefixtures("three_providers")


def _circuit(store: Store, provider: str = "first") -> Circuit:
    with store.reading() as connection:
        return shared.current(connection, [provider])[provider]


def _fail(store: Store, provider: str, kind: Kind | None = None) -> None:
    """Open a circuit: by its counts, or at once by a fatal call."""

    def transition(circuit: Circuit, now: float) -> Circuit:
        if kind is None:
            cause = "18 of 20 calls failed"
            return circuit.tripped(cause, now=now, rules=RULES, rng=random.Random(1))
        return circuit.answered(0, kind, slow=False, now=now, rules=RULES, rng=random.Random(1))

    with store.writing() as connection:
        shared.change(connection, provider, transition)
        bucket = RULES.slice_at(read_clock(connection))
        shared.add_calls(connection, [Slice(provider, 0, bucket, Counts(20, 18, 5, 4, 3))])


def _listed(notify: Notify) -> dict[str, dict[str, Any]]:
    done = notify("breaker", "ls", "--json")
    assert (done.code, done.err) == (0, "")
    lines = [json.loads(line) for line in done.out.splitlines()]
    return {line["provider"]: line for line in lines}


def _line(notify: Notify, provider: str) -> str:
    lines = notify("breaker", "ls").out.splitlines()
    return next(line for line in lines if line.startswith(provider))


def test_all_configured_providers_are_listed(store: Store, notify: Notify) -> None:
    """Also those of which nothing is on record: they are closed."""
    assert store is not None
    found = _listed(notify)
    assert list(found) == ["first", "only", "second"]
    assert {each["state"] for each in found.values()} == {"closed"}
    first = found["first"]
    assert (first["since"], first["mode"], first["calls"]) == (None, "auto", 0)
    assert (first["failure_rate"], first["slow_rate"]) == (None, None)
    assert _line(notify, "first").split() == ["first", "closed", "0"]


def test_an_open_circuit_shows_why_it_opened_and_when_it_is_tried(
    store: Store, notify: Notify
) -> None:
    """With the calls of all workers in the window."""
    _fail(store, "first")
    line = _line(notify, "first")
    assert "  open  " in line
    assert "  probed in " in line
    assert "  20  " in line
    assert "  90%  " in line
    assert "  25%  " in line
    assert line.rstrip().endswith("18 of 20 calls failed")
    found = _listed(notify)["first"]
    assert (found["state"], found["trips"], found["locked_open"]) == ("open", 1, False)
    assert found["open_until"] > found["since"]
    assert (found["calls"], found["failures"], found["slow"]) == (20, 18, 5)
    assert (found["unreachable"], found["neutral"]) == (4, 3)
    assert (found["failure_rate"], found["slow_rate"]) == (0.9, 0.25)


def test_a_circuit_that_waits_for_an_operator_is_listed_as_such(
    store: Store, notify: Notify
) -> None:
    """A refused key needs an operator."""
    _fail(store, "first", Kind.FATAL)
    line = _line(notify, "first")
    assert "waits for an operator" in line
    assert "the provider refuses our key or account" in line
    assert _listed(notify)["first"]["locked_open"]


def test_a_held_circuit_is_probed_after_auto(store: Store, notify: Notify) -> None:
    """It resets the circuit, and the command prints so."""
    _fail(store, "first", Kind.FATAL)
    done = notify("breaker", "auto", "first", "--reason", "the key is renewed")
    assert done.code == 0
    assert done.out.splitlines() == [
        "first follows its rules again, and is probed by the next call",
        "in effect on all workers within 2 seconds",
    ]
    assert "probed by the next call" in _line(notify, "first")


def test_an_opened_circuit_gets_no_call_and_its_channel_goes_on(
    store: Store, notify: Notify, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Through the next provider, which is printed; the list shows the operator and the reason."""
    monkeypatch.setattr("socket.gethostname", lambda: "ops-1")
    done = notify("breaker", "open", "first", "--for", "30m", "--reason", "their maintenance")
    assert done.code == 0
    first, second, third = done.out.splitlines()
    assert first.startswith("first gets no call until 2")
    assert second == "email goes on through second"
    assert third == "in effect on all workers within 2 seconds"
    circuit = _circuit(store)
    assert (circuit.mode, circuit.actor) == (Mode.OPEN, "ann@ops-1")
    assert circuit.mode_until == pytest.approx(circuit.since + 1800)
    line = _line(notify, "first")
    assert "forced open" in line
    assert line.rstrip().endswith("ann@ops-1: their maintenance")


def test_a_channel_without_another_provider_waits(store: Store, notify: Notify) -> None:
    """The command prints that the channel waits."""
    assert store is not None
    done = notify("breaker", "open", "only", "--reason", "x")
    assert done.out.splitlines()[:2] == [
        "only gets no call until further notice",
        "push has no other provider: it waits",
    ]


def test_no_channel_goes_on_through_a_second_open_circuit(store: Store, notify: Notify) -> None:
    """By the same command, or by a hold."""
    done = notify("breaker", "open", "first", "second", "--reason", "x")
    assert done.out.count("email has no other provider: it waits") == 2
    notify("breaker", "auto", "second", "--reason", "x")
    with store.writing() as connection:
        holds.place(connection, Scope(provider="second"), actor="bob", reason="x")
    done = notify("breaker", "open", "first", "--reason", "x")
    assert "email has no other provider: it waits" in done.out


def test_several_circuits_are_closed_at_once_and_audited_each(store: Store, notify: Notify) -> None:
    """Each has an audit row."""
    _fail(store, "first")
    done = notify("breaker", "close", "second", "first", "--for", "1h", "--reason", "INC-7")
    assert done.code == 0
    assert done.out.startswith("first gets all calls, whatever their outcome, until 2")
    assert _circuit(store).state is CircuitState.CLOSED
    with store.reading() as connection:
        rows = connection.execute(select(audit).order_by(audit.c.id)).mappings().all()
    assert [row["details"]["provider"] for row in rows] == ["first", "second"]
    assert {row["action"] for row in rows} == {"breaker.closed"}
    assert {row["reason"] for row in rows} == {"INC-7"}
    assert rows[0]["details"]["state_before"] == "open"


def test_shadow_mode_is_printed_and_listed(store: Store, notify: Notify) -> None:
    """The list shows the state by the rules; calls pass."""
    done = notify("breaker", "shadow", "first", "--reason", "on trial", "--json")
    assert json.loads(done.out)["mode"] == "shadow"
    _fail(store, "first")
    line = _line(notify, "first")
    assert "open (shadow)" in line
    assert "18 of 20 calls failed" in line
    assert line.rstrip().endswith("shadow until further notice: on trial")


def test_an_override_whose_time_is_over_is_not_listed(store: Store, notify: Notify) -> None:
    """The circuit follows its rules again, whether or not a worker has noticed."""
    with store.writing() as connection:
        shared.change(
            connection,
            "first",
            lambda circuit, now: circuit.overridden(
                Mode.OPEN, now=now - 60, until=now - 1, actor="ann", reason="x"
            ),
        )
    found = _listed(notify)["first"]
    assert (found["mode"], found["actor"], found["state"]) == ("auto", None, "open")
    assert "probed by the next call" in _line(notify, "first")


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (("open", "third", "--reason", "x"), "no provider third is configured; configured: first,"),
        (("open", "first"), "Missing option '--reason'"),
        (("open", "first", "--reason", " "), "--reason is empty"),
        (("open", "first", "--reason", "x", "--for", "soon"), "is not a span of time"),
        (("auto", "first", "--reason", "x", "--for", "5m"), "No such option"),
        (("close", "--reason", "x"), "Missing argument 'PROVIDER...'"),
    ],
)
def test_a_mistake_is_a_usage_error_and_changes_nothing(
    store: Store, notify: Notify, words: tuple[str, ...], complaint: str
) -> None:
    """Of several providers, none is touched if one is unknown."""
    done = notify("breaker", *words)
    assert done.code == 2
    assert complaint in done.err
    assert _circuit(store) == Circuit("first")


def test_tables_of_another_version_are_named(url: str, notify: Notify) -> None:
    """The error names the command to run."""
    assert url
    done = notify("breaker", "ls")
    assert done.code == 1
    assert "run `notify migrate`" in done.err
