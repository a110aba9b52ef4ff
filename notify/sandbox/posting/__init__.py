"""
The later events of accepted messages, signed and posted as SendGrid and Twilio do.

Not here: requests to send, and their answers.
"""

from notify.sandbox.posting.composer import Composer
from notify.sandbox.posting.courier import Courier
from notify.sandbox.posting.poster import Poster
from notify.sandbox.posting.record import PostEntry, PostLedger
from notify.sandbox.posting.script import BOUNCE, COMPLAINT, ONE_CLICK, Step, last_status
from notify.sandbox.posting.signing import EventKey

__all__ = [
    "BOUNCE",
    "COMPLAINT",
    "ONE_CLICK",
    "Composer",
    "Courier",
    "EventKey",
    "PostEntry",
    "PostLedger",
    "Poster",
    "Step",
    "last_status",
]
