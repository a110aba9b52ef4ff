"""
Unknown outcomes: the provider is asked what it accepted; failing that, the lane's rule decides.

Also an operator's decision on one (`decide`). The SQL is in `store.reconcile`.
"""

from notify.reconcile.reconciler import Reconciler
from notify.reconcile.settled_log import log_settled
from notify.reconcile.verdict import Resolution, decide, decide_within, log_decided

__all__ = [
    "Reconciler",
    "Resolution",
    "decide",
    "decide_within",
    "log_decided",
    "log_settled",
]
