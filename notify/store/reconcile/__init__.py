"""SQL of `notify.reconcile`: calls without an answer, and how each was resolved."""
