"""The options that a running worker can reload; the others need a restart."""

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
    Return the settings after a reload: the new values of the options that can change.

    Those are the rates and bursts of limits and providers, all caps, the allowed countries with
    their prices and the daily spend, and the log level. All others keep their old values.
    """
    return old.model_copy(
        update={
            "log": _with_options(old.log, new.log, "level"),
            "caps": new.caps,
            "limits": _each(old.limits, new.limits, "rate", "burst"),
            "providers": _each(old.providers, new.providers, "rate", "burst"),
            "channels": _each(old.channels, new.channels, "countries", "prices", "daily_spend"),
        }
    )


def changed_keys(one: Settings, other: Settings) -> list[str]:
    """Return the keys of the options that differ, never their values."""
    here, there = (dict(leaves(each.model_dump())) for each in (one, other))
    missing = object()
    keys = [key for key in {**here, **there} if here.get(key, missing) != there.get(key, missing)]
    return sorted(".".join(key) for key in keys)


def _each(
    old: Mapping[_Name, _Table], new: Mapping[_Name, _Table], *options: str
) -> dict[_Name, _Table]:
    """Return the old tables, with these options from the new ones that have the same name."""
    return {
        name: _with_options(table, new[name], *options) if name in new else table
        for name, table in old.items()
    }


def _with_options(old: _Table, new: _Table, *options: str) -> _Table:
    return old.model_copy(update={option: getattr(new, option) for option in options})
