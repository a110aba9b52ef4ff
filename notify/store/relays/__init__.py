"""SQL of `notify.relays`: rows that wait to be published, leased by one relay at a time."""

from notify.store.relays.due import Due, take_due
from notify.store.relays.events import News, newest, take_news
from notify.store.relays.refused import Waiting, refused_published, release_refused, take_refused

__all__ = [
    "Due",
    "News",
    "Waiting",
    "newest",
    "refused_published",
    "release_refused",
    "take_due",
    "take_news",
    "take_refused",
]
