"""
The console's users: their roles, passwords and sessions.

Not here: SQL (`store.people`), HTTP, cookies and single sign-on (`web.console`).
"""

from notify.people.accounts import (
    LONGEST_LIST,
    Account,
    add_account,
    list_accounts,
    remove_account,
    set_password,
)
from notify.people.checks import record_check
from notify.people.disclosure import record_disclosure
from notify.people.passwords import SHORTEST_PASSWORD, Passwords
from notify.people.roles import Role
from notify.people.sessions import SESSION_LASTS, Sessions, SessionStart, SignedIn

__all__ = [
    "LONGEST_LIST",
    "SESSION_LASTS",
    "SHORTEST_PASSWORD",
    "Account",
    "Passwords",
    "Role",
    "SessionStart",
    "Sessions",
    "SignedIn",
    "add_account",
    "list_accounts",
    "record_check",
    "record_disclosure",
    "remove_account",
    "set_password",
]
