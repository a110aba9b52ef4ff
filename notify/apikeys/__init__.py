"""
Keys of the HTTP API, and what their holders may do with one: send, and report feedback.

Here are the use cases behind `notify key` and `notify web api`. Not here: HTTP (`web.api`), SQL
(`store.apikeys`), and use cases that need no key (`delivery`, `suppression`, `status`).
"""

from notify.apikeys.acceptance import Acceptor
from notify.apikeys.allowance import LIMIT, KeyAllowance, KeyLimits, key_limit
from notify.apikeys.answers import Acceptance, Accepted, KeyConflict, NotConfirmed
from notify.apikeys.directory import KeyDirectory
from notify.apikeys.feedback import report_feedback
from notify.apikeys.issuing import IssuedKey, issue_key, list_keys, revoke_key, rotate_key
from notify.apikeys.key import PREFIX, ApiKey, KeyScope
from notify.apikeys.reading import MOST, BodyRefused, WrongItem, read_lines, read_one, with_key

__all__ = [
    "LIMIT",
    "MOST",
    "PREFIX",
    "Acceptance",
    "Accepted",
    "Acceptor",
    "ApiKey",
    "BodyRefused",
    "IssuedKey",
    "KeyAllowance",
    "KeyConflict",
    "KeyDirectory",
    "KeyLimits",
    "KeyScope",
    "NotConfirmed",
    "WrongItem",
    "issue_key",
    "key_limit",
    "list_keys",
    "read_lines",
    "read_one",
    "report_feedback",
    "revoke_key",
    "rotate_key",
    "with_key",
]
