"""The six actions of plans: for each its selection, its forecast, and its slice of items."""

from __future__ import annotations

from collections.abc import Callable

from notify.deadletters import Replayer
from notify.plans.acts.act import ActSlice, BulkAct, SliceResult
from notify.plans.acts.cancel import CancelAct
from notify.plans.acts.discard import DiscardAct
from notify.plans.acts.release import ReleaseAct
from notify.plans.acts.replay import ReplayAct
from notify.plans.acts.resolve import ResolveAct
from notify.plans.acts.suppress import SuppressAct
from notify.store import Store
from notify.store.plans import PlanAction

__all__ = ["ActSlice", "Acts", "BulkAct", "SliceResult"]


class Acts:
    """The actions on one record."""

    def __init__(self, store: Store, *, replayer: Callable[[], Replayer]) -> None:
        """
        Create them.

        Args:
            replayer: Builds a replayer with the templates as they are; called for each replay
                that is counted or started.
        """
        self._acts: dict[PlanAction, BulkAct] = {
            PlanAction.REPLAY: ReplayAct(store, replayer),
            PlanAction.DISCARD: DiscardAct(store),
            PlanAction.CANCEL: CancelAct(store),
            PlanAction.RESOLVE: ResolveAct(store),
            PlanAction.RELEASE: ReleaseAct(store),
            PlanAction.SUPPRESS: SuppressAct(store),
        }

    def of(self, action: PlanAction) -> BulkAct:
        """Return an action."""
        return self._acts[action]
