"""Waiting for a turn to write to SQLite."""

from __future__ import annotations

import threading

import pytest

from notify.errors import StoreError
from notify.store.db.write_lock import WriteLock


def test_threads_behind_a_blocked_writer_fail_as_the_record_away() -> None:
    """Each would otherwise wait for its own time after the one before it."""
    lock = WriteLock(timeout=0.0)
    errors: list[StoreError] = []

    def write() -> None:
        try:
            with lock:
                pass
        except StoreError as error:
            errors.append(error)

    with lock:
        threads = [threading.Thread(target=write) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert [str(error) for error in errors] == [
        "the record cannot be used: other writes block this one"
    ] * 3


def test_the_lock_is_free_again_after_a_write_that_fails() -> None:
    """Otherwise one fault would end all writing."""
    lock = WriteLock(timeout=0.0)
    with pytest.raises(ValueError, match="bug"), lock:
        raise ValueError("bug")
    with lock:
        pass
