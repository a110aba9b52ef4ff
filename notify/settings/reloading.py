"""What of the configuration may change while a worker runs, and what waits for its restart."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from notify.settings.model import Settings
from notify.settings.sources import leaves
from notify.settings.words import Section

_Table = TypeVar("_Table", bound=Section)
_Name = TypeVar("_Name", bound=str)


def after_reload(old: Settings, new: Settings) -> Settings:
    """
    Give the options that hold after a reload: the new ones, as far as they can change.

    Those are the rates and bursts of limits and providers, all caps, the countries that are
    texted with their prices and the daily spend, and the log level. The rest stays as it was.
    """
    return old.model_copy(
        update={
            "log": _taken(old.log, new.log, "level"),
            "caps": new.caps,
            "limits": _each(old.limits, new.limits, "rate", "burst"),
            "providers": _each(old.providers, new.providers, "rate", "burst"),
            "channels": _each(old.channels, new.channels, "countries", "prices", "daily_spend"),
        }
    )


def changed_keys(one: Settings, other: Settings) -> list[str]:
    """Give the keys of the options that differ, never their values."""
    here, there = (dict(leaves(each.model_dump())) for each in (one, other))
    missing = object()
    keys = [key for key in {**here, **there} if here.get(key, missing) != there.get(key, missing)]
    return sorted(".".join(key) for key in keys)


def _each(
    old: Mapping[_Name, _Table], new: Mapping[_Name, _Table], *options: str
) -> dict[_Name, _Table]:
    """Keep the tables that there were; take these options of those that are there still."""
    return {
        name: _taken(table, new[name], *options) if name in new else table
        for name, table in old.items()
    }


def _taken(old: _Table, new: _Table, *options: str) -> _Table:
    return old.model_copy(update={option: getattr(new, option) for option in options})
