"""
Personal data on record: key rotation, retention, and erasure on demand.

Not here: SQL (`store.privacy`), and encryption itself (`store.sealing`, `keyring`).
"""

from notify.privacy.erasure import Erased, ErasureMatch, Person, erase, look
from notify.privacy.retention import Deleted, Keep, count_old, delete_old
from notify.privacy.rotation import rotate

__all__ = [
    "Deleted",
    "Erased",
    "ErasureMatch",
    "Keep",
    "Person",
    "count_old",
    "delete_old",
    "erase",
    "look",
    "rotate",
]
