"""
The use cases of operators on caps: allow more in the current span, or count again from 0.

A lasting change is one of the configuration, which workers read at once. Both acts change the
count and not the cap, so a worker reads nothing more for them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from notify.errors import NotifyError
from notify.policies.caps import Cap, CapPer
from notify.store import Actor, Store, write_audit
from notify.store.db import read_clock
from notify.store.flow import change_cap_count


@dataclass(frozen=True, slots=True)
class CapCount:
    """
    One count of a cap.

    Attributes:
        name: The cap's name; for a cap of each source, `CAP:SOURCE`.
    """

    cap: Cap
    name: str

    @property
    def most(self) -> float:
        """The most that the configuration allows."""
        return self.cap.sources.get(self.name.partition(":")[2], self.cap.most)


def cap_count(caps: Sequence[Cap], name: str) -> CapCount:
    """
    Return the count of a name: a cap, or `CAP:SOURCE`.

    Raises:
        NotifyError: No cap has it, or its counts are those of recipients.
    """
    known = {each.name: each for each in caps}
    of, _, source = name.partition(":")
    cap = known.get(of)
    if cap is None:
        names = ", ".join(sorted(known)) or "none"
        raise NotifyError(f"no cap {of} is configured; configured caps: {names}")
    if cap.per is CapPer.RECIPIENT:
        raise NotifyError(
            f"{of} counts recipients, by a hash: raise the cap in the configuration instead"
        )
    if bool(source) is not (cap.per is CapPer.SOURCE):
        form = f"{of}:SOURCE" if cap.per is CapPer.SOURCE else of
        raise NotifyError(f"{name} is not a count of the cap: write {form}")
    return CapCount(cap, name)


def allow_more(store: Store, count: CapCount, amount: float, actor: Actor) -> float:
    """
    Allow *amount* more in the current span; return the count, which may be below 0.

    Raises:
        StoreError: The record cannot be written.
    """
    details = {"name": count.name, "amount": amount}
    return _change(store, count, lambda used: used - amount, actor, "cap.allow", details)


def reset_cap(store: Store, count: CapCount, actor: Actor) -> float:
    """
    Count again from 0 in the current span; return the count, 0.

    Raises:
        StoreError: The record cannot be written.
    """
    details: dict[str, object] = {"name": count.name}
    return _change(store, count, lambda _: 0.0, actor, "cap.reset", details)


def _change(
    store: Store,
    count: CapCount,
    change: Callable[[float], float],
    actor: Actor,
    action: str,
    details: dict[str, object],
) -> float:
    with store.writing() as connection:
        starts, ends = count.cap.period.around(read_clock(connection))
        before, after = change_cap_count(connection, (count.name, starts, ends), change)
        details |= {"before": before, "after": after}
        write_audit(connection, actor, action, details=details, at=store.clock())
    return after
