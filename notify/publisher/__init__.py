"""Publishing: persistent, confirmed, pipelined and bounded in time; or a `PublishError`."""

from __future__ import annotations

from notify.publisher.connection import FAILURES, connect, why
from notify.publisher.outgoing import Outgoing
from notify.publisher.publisher import Publisher
from notify.publisher.result import PublishResult

__all__ = ["FAILURES", "Outgoing", "PublishResult", "Publisher", "connect", "why"]
