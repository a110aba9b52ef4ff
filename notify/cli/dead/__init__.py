"""`notify dead`: list, show, plan, replay and discard dead letters. One file a subject."""
