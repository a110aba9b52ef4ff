"""The login of a stack's console: one admin, with a new password at each start."""

from __future__ import annotations

import secrets

from notify.people import Passwords, Role, add_account, list_accounts, set_password
from notify.store import Actor, Store

USER = "up"
_ACTOR = Actor("notify up", "the login of this stack's console")


def new_password() -> str:
    """Return a random password that can be typed."""
    return "-".join(secrets.token_hex(2) for _ in range(4))


def grant_login(store: Store, password: str) -> None:
    """Make the password that of the user `up`, who is added if the record has no such user."""
    passwords = Passwords()
    if any(each.name == USER for each in list_accounts(store)):
        set_password(store, USER, password=password, actor=_ACTOR, passwords=passwords)
    else:
        add_account(
            store, USER, role=Role.ADMIN, password=password, actor=_ACTOR, passwords=passwords
        )
