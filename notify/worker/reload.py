"""Reading the configuration anew while the worker works on."""

from __future__ import annotations

import threading
from collections.abc import Callable
from queue import SimpleQueue

import structlog

from notify.errors import ConfigError
from notify.settings import Settings
from notify.settings.reloading import after_reload, changed_keys

log = structlog.get_logger("notify.reload")


class Reload:
    """
    Puts a changed configuration into force, in a thread of its own, as far as that can be.

    With a mistake in it, all that was in force stays so.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        read: Callable[[], Settings],
        change: Callable[[Settings], None],
        begun: Callable[[], None],
        ended: Callable[[bool], None],
    ) -> None:
        """
        Take what is in force, and what to do.

        Args:
            read: Reads the configuration; raises `ConfigError` with every mistake.
            change: Puts options into force; raises `ConfigError` where it did not.
            begun: Called when a reload begins.
            ended: Called when it is over, with whether it went well.
        """
        self._settings = settings
        self._read = read
        self._change = change
        self._begun = begun
        self._ended = ended
        # A lock could be held by the very thread that a signal's handler interrupts; this cannot.
        self._asked: SimpleQueue[bool] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="reload", daemon=True)

    def ask(self) -> None:
        """Have it done soon; may be called in the handler of a signal."""
        self._asked.put(True)

    def start(self) -> None:
        """Wait for being asked, from now on."""
        self._thread.start()

    def stop(self, *, timeout: float) -> None:
        """Finish the reload in hand, for *timeout* seconds at most."""
        self._asked.put(False)
        self._thread.join(timeout)

    def _run(self) -> None:
        while self._asked.get():
            self._begun()
            worked = False
            try:
                self._reload()
                worked = True
            except ConfigError as error:
                log.error("notify.reload_refused", reason=str(error))
            except Exception as error:
                # Without this thread, later changes would wait for a restart that nobody expects.
                log.error("notify.reload_fault", exc_info=error)
            finally:
                self._ended(worked)

    def _reload(self) -> None:
        wanted = self._read()
        settings = after_reload(self._settings, wanted)
        self._change(settings)
        changed = changed_keys(self._settings, settings)
        self._settings = settings
        log.info("notify.reloaded", changed=changed)
        if waiting := changed_keys(settings, wanted):
            log.warning("notify.reload_needs_restart", keys=waiting)
