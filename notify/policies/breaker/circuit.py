"""One provider's circuit: its state, and the transitions."""

from __future__ import annotations

import enum
import random
from dataclasses import dataclass, replace
from typing import Self

from notify.policies.breaker.kind import Kind
from notify.policies.breaker.rules import Rules

INCONCLUSIVE = 3
"""Probes in a row without information about the provider, after which the circuit waits again."""
SET_BACK = 1.0
"""A time this many seconds later than the rules allow was written by a clock set back since."""


class CircuitState(enum.StrEnum):
    """The state of a circuit."""

    CLOSED = "closed"
    """All calls pass."""
    OPEN = "open"
    """No call passes."""
    HALF_OPEN = "half_open"
    """One probe at a time passes."""


class Mode(enum.StrEnum):
    """The override of an operator."""

    AUTO = "auto"
    """None: the circuit judges for itself."""
    OPEN = "open"
    """No call may pass, not even a probe."""
    CLOSED = "closed"
    """All calls pass, however they end."""
    SHADOW = "shadow"
    """All calls pass; the circuit judges, to see what it would do."""


@dataclass(frozen=True, slots=True)
class Circuit:
    """
    One provider's circuit. Its transitions return the next circuit, or itself if nothing changes.

    Attributes:
        generation: Raised at each change of state and for each probe: calls of an earlier
            generation no longer count.
        trips: How often it opened since it was last closed.
        since: When it entered this state.
        open_until: When it may be probed; None in state open: when an operator resets it.
        probe_until: Until when the probe's permit lasts; None: no probe is out.
        passed: Good probes in a row.
        inconclusive: Probes in a row without information.
        cause: Why it opened.
        mode: The operator's override.
        mode_until: When the override ends; None: until further notice.
        actor: Who overrode it.
        reason: Why.
    """

    provider: str
    state: CircuitState = CircuitState.CLOSED
    generation: int = 0
    trips: int = 0
    since: float = 0.0
    open_until: float | None = None
    probe_until: float | None = None
    passed: int = 0
    inconclusive: int = 0
    cause: str | None = None
    mode: Mode = Mode.AUTO
    mode_until: float | None = None
    actor: str | None = None
    reason: str | None = None

    @property
    def stuck(self) -> bool:
        """Whether it stays open until an operator resets it."""
        return self.state is CircuitState.OPEN and self.open_until is None

    @property
    def judges(self) -> bool:
        """Whether calls change it."""
        return self.mode in (Mode.AUTO, Mode.SHADOW)

    def at(self, now: float) -> Self:
        """Return it without an override whose time is over."""
        if self.mode_until is None or now < self.mode_until:
            return self
        return replace(self, mode=Mode.AUTO, mode_until=None, actor=None, reason=None)

    def corrected(self, *, now: float, rules: Rules) -> Self:
        """
        Shorten times that are further ahead than the rules allow.

        They were written by a clock that was set back since, and would delay the next probe by as
        much. An operator's time was given as a time of day, and stays.
        """
        open_until = _at_most(self.open_until, now + rules.longest_open)
        return replace(
            self,
            since=_at_most(self.since, now) or 0.0,
            open_until=open_until if self.judges else self.open_until,
            probe_until=_at_most(self.probe_until, now + rules.probe_timeout),
        )

    def flows(self, now: float) -> bool:
        """Return whether calls pass freely."""
        mode = self.at(now).mode
        if mode is Mode.AUTO:
            return self.state is CircuitState.CLOSED
        return mode is not Mode.OPEN

    def effective_state(self, now: float) -> CircuitState:
        """Return its state, with the operator's override."""
        if self.flows(now):
            return CircuitState.CLOSED
        return CircuitState.OPEN if self.state is CircuitState.CLOSED else self.state

    def probe_due(self, now: float) -> bool:
        """Return whether one probe may pass."""
        if not self.at(now).judges or self.state is CircuitState.CLOSED:
            return False
        if self.state is CircuitState.OPEN:
            return self.open_until is not None and self.open_until <= now
        return self.probe_until is None or self.probe_until <= now

    def wait(self, now: float) -> float:
        """Return the seconds until a call may pass; infinity if only an operator can reset it."""
        here = self.at(now)
        if here.flows(now) or here.probe_due(now):
            return 0.0
        until = here.mode_until if here.mode is Mode.OPEN else here.probe_until
        if here.mode is Mode.AUTO and here.state is CircuitState.OPEN:
            until = here.open_until
        return float("inf") if until is None else max(until - now, 0.0)

    def tripped(self, cause: str, *, now: float, rules: Rules, rng: random.Random) -> Self:
        """Open it because of the calls that were counted."""
        if self.state is not CircuitState.CLOSED or not self.judges:
            return self
        return self._opened(1, cause, now + rules.open_seconds(1, rng), now)

    def leased(self, *, now: float, rules: Rules) -> Self:
        """Permit one probe, if one is due."""
        if not self.probe_due(now):
            return self
        again = self.state is CircuitState.HALF_OPEN
        return replace(
            self,
            state=CircuitState.HALF_OPEN,
            generation=self.generation + 1,
            since=self.since if again else now,
            open_until=None,
            probe_until=now + rules.probe_timeout,
            passed=self.passed if again else 0,
            inconclusive=self.inconclusive if again else 0,
        )

    def answered(
        self,
        generation: int,
        kind: Kind,
        *,
        slow: bool,
        now: float,
        rules: Rules,
        rng: random.Random,
    ) -> Self:
        """Count how a probe ended, or that any call was fatal; a slow probe is not a good one."""
        if generation != self.generation or not self.judges:
            return self
        if kind is Kind.FATAL:
            cause = "the provider refuses our key or account"
            return self if self.stuck else self._opened(self.trips + 1, cause, None, now)
        if self.state is not CircuitState.HALF_OPEN:
            return self
        if kind is Kind.NEUTRAL:
            return self._inconclusive(now, rules, rng)
        if kind is not Kind.SUCCESS or slow:
            trips = self.trips + 1
            return self._opened(trips, self.cause, now + rules.open_seconds(trips, rng), now)
        if self.passed + 1 >= rules.probes:
            return self._closed(now)
        return replace(self, probe_until=None, passed=self.passed + 1, inconclusive=0)

    def freed(self, generation: int) -> Self:
        """Release a probe's permit that was not used."""
        if generation != self.generation or self.probe_until is None:
            return self
        return replace(self, probe_until=None)

    def overridden(
        self, mode: Mode, *, now: float, until: float | None, actor: str, reason: str
    ) -> Self:
        """Override it. After `auto` and `shadow`, an open circuit may be probed at once."""
        after = self
        if mode is Mode.CLOSED and self.state is not CircuitState.CLOSED:
            after = self._closed(now)
        elif mode is Mode.OPEN:
            after = self._opened(self.trips, None, until, now)
        elif self.state is CircuitState.OPEN:
            after = replace(self, open_until=now)
        return replace(after, mode=mode, mode_until=until, actor=actor, reason=reason)

    def _inconclusive(self, now: float, rules: Rules, rng: random.Random) -> Self:
        if self.inconclusive + 1 < INCONCLUSIVE:
            return replace(self, probe_until=None, inconclusive=self.inconclusive + 1)
        return self._opened(self.trips, self.cause, now + rules.open_seconds(self.trips, rng), now)

    def _opened(self, trips: int, cause: str | None, until: float | None, now: float) -> Self:
        return replace(
            self,
            state=CircuitState.OPEN,
            generation=self.generation + 1,
            trips=trips,
            since=now,
            open_until=until,
            probe_until=None,
            passed=0,
            inconclusive=0,
            cause=cause,
        )

    def _closed(self, now: float) -> Self:
        return replace(
            self,
            state=CircuitState.CLOSED,
            generation=self.generation + 1,
            trips=0,
            since=now,
            open_until=None,
            probe_until=None,
            passed=0,
            inconclusive=0,
            cause=None,
        )


def _at_most(time: float | None, latest: float) -> float | None:
    return time if time is None or time <= latest + SET_BACK else latest
