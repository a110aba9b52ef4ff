"""
Delivery of one batch (check, admit, claim, call, record, then one decision a message); cancelling.

Not here: whether a message may be sent now (`flow`), what follows a call (`policies.retry`), SQL
(`store.delivery`), and the use of Celery and AMQP (`worker`). `service.wiring` connects the
parts.
"""

from notify.delivery.call_maker import CallMaker
from notify.delivery.call_runner import CallRunner
from notify.delivery.cancel import cancel_notifications, cancel_within
from notify.delivery.claiming import Claimer
from notify.delivery.decoder import Decoder
from notify.delivery.delivery import Delivery
from notify.delivery.dispatcher import Dispatcher
from notify.delivery.failover import Failover
from notify.delivery.lane import Lane
from notify.delivery.metrics import DeliveryMetrics
from notify.delivery.outcome_recorder import OutcomeRecorder
from notify.delivery.pacer import Pacer
from notify.delivery.planner import Planner, rendered
from notify.delivery.recorder import Recorder
from notify.store.delivery import LEASE

__all__ = [
    "LEASE",
    "CallMaker",
    "CallRunner",
    "Claimer",
    "Decoder",
    "Delivery",
    "DeliveryMetrics",
    "Dispatcher",
    "Failover",
    "Lane",
    "OutcomeRecorder",
    "Pacer",
    "Planner",
    "Recorder",
    "cancel_notifications",
    "cancel_within",
    "rendered",
]
