"""
Categories, the kinds of mail: their headers, and the links to unsubscribe; and senders.

Not here: which recipients have unsubscribed (`suppression`), the page that they see (`web`), and
the names that a request may use (`contract`).
"""

from notify.categories.category import PLAIN, Categories, Category, MailIdentity
from notify.categories.links import PATH, UnsubscribeLinks
from notify.categories.senders import SenderIdentities, SenderIdentity
from notify.categories.token import OptOut, UnsubscribeTokens

__all__ = [
    "PATH",
    "PLAIN",
    "Categories",
    "Category",
    "MailIdentity",
    "OptOut",
    "SenderIdentities",
    "SenderIdentity",
    "UnsubscribeLinks",
    "UnsubscribeTokens",
]
