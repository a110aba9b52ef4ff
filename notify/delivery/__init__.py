"""
Delivering one batch: check, admit, claim, call, record; then one decision a message. Cancelling.

Not here: whether a message may be sent now (`flow`), what follows a call (`policies.retry`), SQL
(`store.delivery`), and anything of Celery or AMQP (`worker`).
"""

from notify.delivery.cancel import cancel_notifications
from notify.delivery.decision import Again, Arrival, Dead, Decision, Done, Raw
from notify.delivery.delivery import Delivery
from notify.delivery.lane import Lane
from notify.delivery.planner import rendered
from notify.store.delivery import LEASE

__all__ = [
    "LEASE",
    "Again",
    "Arrival",
    "Dead",
    "Decision",
    "Delivery",
    "Done",
    "Lane",
    "Raw",
    "cancel_notifications",
    "rendered",
]
