"""SQL of `notify.apikeys`: the API's keys, and its requests with idempotency keys."""

from notify.store.apikeys.keys import (
    KeyRow,
    find_keys,
    insert_key,
    key_by_id,
    limit_key,
    mark_used,
)
from notify.store.apikeys.requests import (
    KeyedRequest,
    KnownRequest,
    confirm_requests,
    delete_old_requests,
    forget_requests,
    reserve,
)

__all__ = [
    "KeyRow",
    "KeyedRequest",
    "KnownRequest",
    "confirm_requests",
    "delete_old_requests",
    "find_keys",
    "forget_requests",
    "insert_key",
    "key_by_id",
    "limit_key",
    "mark_used",
    "reserve",
]
