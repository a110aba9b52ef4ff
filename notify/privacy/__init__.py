"""Personal data on record: sealed anew, deleted in time, erased on demand."""
