"""SQL of `notify.ledger`: counts over the whole record, and rows that contradict each other."""
