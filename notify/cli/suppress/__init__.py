"""`notify suppress`: the list of recipients that must not be written to."""
