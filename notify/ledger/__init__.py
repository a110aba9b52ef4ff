"""
Checks over the whole record: does every notification add up, and what do the counts say?

Here: the ledger (`notify ledger`) and the store-wide gauges. Not here: SQL (`store.ledger`), or
anything that changes a row.
"""
