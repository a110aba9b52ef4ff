"""SQL of `notify.people`: the console's local users, and the sessions of all its users."""

from notify.store.people.rows import (
    PersonRow,
    change_password,
    delete_person,
    find_people,
    has_people,
    insert_person,
    person_named,
    rehash_password,
)
from notify.store.people.sessions import (
    PASSWORD,
    SessionRow,
    delete_ended_sessions,
    delete_session,
    delete_sessions_of,
    insert_session,
    session_with,
)

__all__ = [
    "PASSWORD",
    "PersonRow",
    "SessionRow",
    "change_password",
    "delete_ended_sessions",
    "delete_person",
    "delete_session",
    "delete_sessions_of",
    "find_people",
    "has_people",
    "insert_person",
    "insert_session",
    "person_named",
    "rehash_password",
    "session_with",
]
